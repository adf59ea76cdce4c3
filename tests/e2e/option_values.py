"""What getsockopt(2) and setsockopt(2) answer, as lines of text: run on libc and on a minion.

    python option_values.py [STATE…]

Every number of the three levels in every state, set to plain, edge and nonsense values of plain and
nonsense lengths; after each the value is read back.  ctypes asks libc, so that no Python class
stands between.
"""

from __future__ import annotations

import ctypes
import errno
import select
import socket
import struct
import sys
from collections.abc import Callable

libc = ctypes.CDLL(None, use_errno=True)
Sock = socket.socket
LINGER_0 = struct.pack("ii", 1, 0)
LEVELS = {
    "socket": (socket.SOL_SOCKET, range(90)),
    "ip": (socket.IPPROTO_IP, range(55)),
    "tcp": (socket.IPPROTO_TCP, range(50)),
    "udp": (socket.IPPROTO_UDP, range(1, 3)),
    "nonsense": (99, range(1, 3)),
}
NUMBERS = (
    1,
    0,
    2,
    -1,
    5,
    63,
    64,
    127,
    128,
    255,
    256,
    1000,
    32767,
    32768,
    1 << 20,
    (1 << 31) - 1,
    -(1 << 31),
)
LENGTHS = (0, 1, 2, 3, 4, 8, 300)


def listener() -> Sock:
    sock = Sock()
    sock.bind(("127.0.0.1", 0))
    sock.listen(4)
    return sock


def waiting(sock: Sock, events: int) -> None:
    poller = select.poll()
    poller.register(sock, events)
    poller.poll(10_000)


def fresh() -> tuple[Sock, ...]:
    return (Sock(),)


def bound() -> tuple[Sock, ...]:
    sock = Sock()
    sock.bind(("127.0.0.1", 0))
    return (sock,)


def listening() -> tuple[Sock, ...]:
    return (listener(),)


def connecting() -> tuple[Sock, ...]:
    """A full backlog answers no SYN."""
    server = Sock()
    server.bind(("127.0.0.1", 0))
    server.listen(0)
    filler = socket.create_connection(server.getsockname())
    sock = Sock()
    sock.setblocking(False)
    sock.connect_ex(server.getsockname())
    return sock, server, filler


def connected() -> tuple[Sock, ...]:
    with listener() as server:
        client = socket.create_connection(server.getsockname())
        return client, server.accept()[0]


def accepted() -> tuple[Sock, ...]:
    client, child = connected()
    return child, client


def peer_closed() -> tuple[Sock, ...]:
    client, child = connected()
    child.close()
    waiting(client, select.POLLRDHUP)
    return (client,)


def was_reset() -> tuple[Sock, ...]:
    client, child = connected()
    child.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
    child.close()
    waiting(client, select.POLLRDHUP)
    return (client,)


STATES: dict[str, Callable[[], tuple[Sock, ...]]] = {
    state.__name__: state
    for state in (fresh, bound, listening, connecting, connected, accepted, peer_closed, was_reset)
}


def outcome(result: int) -> str:
    return "" if result >= 0 else errno.errorcode[ctypes.get_errno()]


def get(fd: int, level: int, name: int, room: int) -> str:
    buffer = ctypes.create_string_buffer(b"\xee" * 512, 512)
    size = ctypes.c_int(room)
    failed = outcome(libc.getsockopt(fd, level, name, buffer, ctypes.byref(size)))
    if failed:
        return failed
    if size.value == 4:
        return str(struct.unpack("i", buffer.raw[:4])[0])
    return f"{size.value}:{buffer.raw[: min(size.value, 16)].hex()}"


def put(fd: int, level: int, name: int, value: bytes, length: int) -> str:
    return outcome(libc.setsockopt(fd, level, name, value, length))


def faults(fd: int, level: int, name: int) -> list[str]:
    size = ctypes.c_int(4)
    buffer = ctypes.create_string_buffer(8)
    return [
        outcome(libc.getsockopt(fd, level, name, None, ctypes.byref(size))),
        outcome(libc.getsockopt(fd, level, name, buffer, None)),
        outcome(libc.setsockopt(fd, level, name, None, 4)),
        outcome(libc.setsockopt(fd, level, name, None, 0)),
    ]


def values() -> list[tuple[str, bytes, int]]:
    """What is set: a label, the bytes, and how many are told."""
    one = struct.pack("i", 1)
    found = [(str(number), struct.pack("i", number), 4) for number in NUMBERS]
    found += [(f"1/{length}", one + bytes(296), length) for length in LENGTHS]
    found += [("1/-1", one, -1), ("7f000001/4", socket.inet_aton("127.0.0.1"), 4)]
    found += [("1,1/8", struct.pack("ii", 1, 1), 8), ("1,-1/8", struct.pack("ii", 1, -1), 8)]
    found += [("reno", b"reno\0", 5), ("lo", b"lo\0", 3), ("nowhere", b"nowhere0", 8)]
    return found


def describe(state: str, label: str, number: int) -> None:
    level, _ = LEVELS[label]
    socks = STATES[state]()
    fd = socks[0].fileno()
    head = f"{state} {label} {number}"
    for room in (4, 0, 1, 2, 3, 8, 300, -1):
        print(head, f"get/{room}:", get(fd, level, number, room))
    for name, value, length in values():
        answer = put(fd, level, number, value, length) or "ok"
        print(head, f"set {name}:", answer, get(fd, level, number, 4))
    print(head, "faults:", *(fault or "ok" for fault in faults(fd, level, number)))
    for sock in socks:
        sock.close()


def inherited(state: str, label: str, number: int) -> None:
    """What accept() leaves of what a listener had."""
    level, _ = LEVELS[label]
    with Sock() as server:
        server.bind(("127.0.0.1", 0))
        for value in (1, 1000):
            put(server.fileno(), level, number, struct.pack("i", value), 4)
        put(server.fileno(), level, number, struct.pack("qq", 1, 1), 16)
        if level == socket.SOL_SOCKET:
            put(server.fileno(), level, number, b"lo\0", 3)
        server.listen()
        with socket.create_connection(server.getsockname()) as client:
            client.send(b"x")  # for TCP_DEFER_ACCEPT
            child, _ = server.accept()
            for room in (4, 16):
                answer = get(child.fileno(), level, number, room)
                print(f"{state} {label} {number} get/{room}:", answer)
            child.close()


def main() -> None:
    for state in sys.argv[1:] or (*STATES, "inherited"):
        for label, (_, numbers) in LEVELS.items():
            for number in numbers:
                (inherited if state == "inherited" else describe)(state, label, number)


if __name__ == "__main__":
    main()
