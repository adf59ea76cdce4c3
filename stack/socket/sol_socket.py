"""SOL_SOCKET's options that do more than keep a number within bounds, as Linux does it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from errno import EFAULT, EINVAL, ENODEV, ENOTCONN, EOPNOTSUPP, EPERM
from typing import Final

from stack.socket import constants as c
from stack.socket.rows import INT, INT_MAX, Getter, Setter, Value, state_of
from stack.socket.stream import StreamSocket
from stack.tcp.state import State

PAIR = struct.Struct("ii")
WORD64 = struct.Struct("Q")
NAME_BYTES: Final = 16
"""IFNAMSIZ"""
SNDBUF_MIN_BYTES, RCVBUF_MIN_BYTES = 4608, 2304
BUFFER_MAX_BYTES = 4 << 20
"""Of what is asked for, before it is doubled (net.core.wmem_max, rmem_max)."""
OUTSIDE_MAX_BYTES = 128 << 10
LOWAT_MAX_BYTES = 16 << 20
"""Half of the largest receive buffer (net.ipv4.tcp_rmem)."""
UNLIMITED = (1 << 64) - 1
TIMESTAMPS = (c.SO_TIMESTAMP, c.SO_TIMESTAMPNS, c.SO_TIMESTAMP_NEW, c.SO_TIMESTAMPNS_NEW)
SOL = c.SOL_SOCKET


# -- what takes CAP_NET_ADMIN


def always(_sock: StreamSocket, _number: int) -> bool:
    return True


def nonzero(_sock: StreamSocket, number: int) -> bool:
    return number != 0


def above_interactive(_sock: StreamSocket, number: int) -> bool:
    return not 0 <= number <= 6


def raised(level: int, name: int, default: int) -> Callable[[StreamSocket, int], bool]:
    return lambda sock, number: number > sock.kept.get((level, name), default)


def bound_to_device(sock: StreamSocket, _number: int) -> bool:
    return sock.device != 0


# -- the options


def get_reuse_address(sock: StreamSocket) -> bytes:
    return INT.pack(sock.reuse_address)


def put_reuse_address(sock: StreamSocket, number: int) -> None:
    sock.reuse_address = bool(number)


def get_reuse_port(sock: StreamSocket) -> bytes:
    return INT.pack(sock.reuse_port)


def put_reuse_port(sock: StreamSocket, number: int) -> None:
    sock.reuse_port = bool(number)


def get_error(sock: StreamSocket) -> bytes:
    return INT.pack(sock.take_error())


def get_acceptconn(sock: StreamSocket) -> bytes:
    return INT.pack(sock.listener is not None)


def outside(value: int) -> int:
    """Of a buffer's size, what its other half holds, between us and the program (there the kernel
    has a least size, too); Linux keeps its books with it."""
    return min(max(SNDBUF_MIN_BYTES, min(value >> 1, OUTSIDE_MAX_BYTES)), value - (value >> 2))


def _set_buffer(sock: StreamSocket, which: str, number: int, least: int, lock: int) -> None:
    """Linux doubles what is set, and reports the doubled value."""
    value = max(2 * number, least)
    sock.configure(f"{which}buf_bytes", value)
    sock.configure(f"{which}_outside", outside(value))
    locks = sock.kept.get((SOL, c.SO_BUF_LOCK), 0)
    sock.kept[SOL, c.SO_BUF_LOCK] = locks | lock


def put_sndbuf(sock: StreamSocket, number: int) -> None:
    bounded = min(number & 0xFFFFFFFF, BUFFER_MAX_BYTES)
    _set_buffer(sock, "snd", bounded, SNDBUF_MIN_BYTES, 1)


def put_rcvbuf(sock: StreamSocket, number: int) -> None:
    bounded = min(number & 0xFFFFFFFF, BUFFER_MAX_BYTES)
    _set_buffer(sock, "rcv", bounded, RCVBUF_MIN_BYTES, 2)


def force_sndbuf(sock: StreamSocket, number: int) -> None:
    bounded = min(max(number, 0), INT_MAX // 2)
    _set_buffer(sock, "snd", bounded, SNDBUF_MIN_BYTES, 1)


def force_rcvbuf(sock: StreamSocket, number: int) -> None:
    bounded = min(max(number, 0), INT_MAX // 2)
    _set_buffer(sock, "rcv", bounded, RCVBUF_MIN_BYTES, 2)


def put_keepalive(sock: StreamSocket, number: int) -> None:
    sock.configure("keepalive", number)
    sock.restart_keepalive()


def put_rcvlowat(sock: StreamSocket, number: int) -> None:
    bytes_ = LOWAT_MAX_BYTES if number < 0 else min(number, LOWAT_MAX_BYTES) or 1
    sock.kept[SOL, c.SO_RCVLOWAT] = bytes_
    sock.rcvlowat = bytes_
    sock.readable()


def get_peercred(_sock: StreamSocket) -> bytes:
    return struct.pack("iii", 0, -1, -1)


def put_lock_filter(sock: StreamSocket, number: int) -> None:
    key = (SOL, c.SO_LOCK_FILTER)
    if sock.kept.get(key) and not number:
        raise OSError(EPERM, "locked")
    sock.kept[key] = number


def timestamp_getter(name: int) -> Getter:
    """One of four kinds at a time (sock_set_timestamp())."""
    return lambda sock: INT.pack(sock.kept.get((SOL, c.SO_TIMESTAMP)) == name)


def timestamp_setter(name: int) -> Setter:
    def put(sock: StreamSocket, number: int) -> None:
        sock.kept[SOL, c.SO_TIMESTAMP] = name if number else 0

    return put


def timestamping_getter(name: int) -> Getter:
    def get(sock: StreamSocket) -> bytes:
        clock = sock.kept.get((SOL, -c.SO_TIMESTAMPING), 0)
        return PAIR.pack(sock.kept.get((SOL, name), 0), clock)

    return get


def _set_timestamping(sock: StreamSocket, name: int, value: Value) -> None:
    """sock_set_timestamping(): no packet is stamped here, but what is nonsense is EINVAL."""
    assert value is not None
    number: int = INT.unpack_from(value)[0]
    now = sock.kept.get((SOL, name), 0)
    opt_id, only, stats, phc, opt_id_tcp, known = (
        1 << 7,
        1 << 11,
        1 << 12,
        1 << 15,
        1 << 16,
        1 << 19,
    )
    if not 0 <= number < known or (number & opt_id_tcp and not number & opt_id):
        raise OSError(EINVAL, "unknown flags")
    if number & opt_id & ~now and state_of(sock) in (State.CLOSED, State.LISTEN):
        raise OSError(EINVAL, "nothing to count")
    if number & stats and not number & only:
        raise OSError(EINVAL, "statistics without OPT_TSONLY")
    if number & phc:
        raise OSError(EOPNOTSUPP, "no hardware clock")
    sock.kept[SOL, name] = number
    sock.kept[SOL, -c.SO_TIMESTAMPING] = PAIR.unpack(value)[1] if len(value) == PAIR.size else 0


def set_timestamping(sock: StreamSocket, value: Value, _length: int, _privileged: bool) -> None:
    _set_timestamping(sock, c.SO_TIMESTAMPING, value)


def set_timestamping_new(sock: StreamSocket, value: Value, _length: int, _privileged: bool) -> None:
    _set_timestamping(sock, c.SO_TIMESTAMPING_NEW, value)


def get_txtime(sock: StreamSocket) -> bytes:
    return PAIR.pack(sock.kept.get((SOL, c.SO_TXTIME), 0), sock.kept.get((SOL, -c.SO_TXTIME), 0))


def set_txtime(sock: StreamSocket, value: Value, length: int, privileged: bool) -> None:
    if length != PAIR.size or value is None:
        raise OSError(EINVAL, "struct sock_txtime")
    clock, flags = PAIR.unpack(value)
    if flags & ~3:
        raise OSError(EINVAL, "unknown flags")
    if clock != 1 and not privileged:  # CLOCK_MONOTONIC
        raise OSError(EPERM, "another clock")
    sock.kept[SOL, c.SO_TXTIME], sock.kept[SOL, -c.SO_TXTIME] = clock, flags


def get_pacing(sock: StreamSocket) -> bytes:
    return WORD64.pack(sock.kept.get((SOL, c.SO_MAX_PACING_RATE), UNLIMITED))


def set_pacing(sock: StreamSocket, value: Value, length: int, _privileged: bool) -> None:
    assert value is not None
    if length == WORD64.size:
        rate: int = WORD64.unpack(value)[0]
    else:
        rate = INT.unpack_from(value)[0]
        rate = UNLIMITED if rate == -1 else rate & 0xFFFFFFFF
    sock.kept[SOL, c.SO_MAX_PACING_RATE] = rate


def get_incoming_cpu(sock: StreamSocket) -> bytes:
    """A minion has one."""
    default = -1 if sock.tcb is None else 0
    return INT.pack(sock.kept.get((SOL, c.SO_INCOMING_CPU), default))


def get_meminfo(sock: StreamSocket) -> bytes:
    tcb = sock.tcb
    received, queued = (tcb.rcv.length + tcb.ooo_bytes, len(tcb.snd)) if tcb is not None else (0, 0)
    rcvbuf, sndbuf = sock.effective("rcvbuf_bytes"), sock.effective("sndbuf_bytes")
    return struct.pack("9I", received, rcvbuf, queued, sndbuf, 0, queued, 0, 0, 0)


def get_cookie(sock: StreamSocket) -> bytes:
    return WORD64.pack(sock.cookie())


def get_netns_cookie(_sock: StreamSocket) -> bytes:
    return WORD64.pack(1)


def get_peername(sock: StreamSocket) -> bytes:
    if sock.remote is None:
        raise OSError(ENOTCONN, "not connected")
    address, port = sock.remote
    return struct.pack("=H", c.AF_INET) + struct.pack("!HI8x", port, address)


def put_reserve_mem(_sock: StreamSocket, _number: int) -> None:
    raise OSError(EOPNOTSUPP, "no memory cgroup")


def put_txrehash(sock: StreamSocket, number: int) -> None:
    sock.kept[SOL, c.SO_TXREHASH] = 1 if number == -1 else number


def get_linger(sock: StreamSocket) -> bytes:
    seconds = sock.kept.get((SOL, c.SO_LINGER), sock.linger_s or 0)
    return PAIR.pack(sock.linger_s is not None, seconds)


def set_linger(sock: StreamSocket, value: Value, length: int, _privileged: bool) -> None:
    if length < PAIR.size or value is None:
        raise OSError(EINVAL, "struct linger too short")
    on, seconds = PAIR.unpack_from(value)
    if on:
        sock.kept[SOL, c.SO_LINGER] = seconds
    sock.linger_s = seconds & 0xFFFFFFFF if on else None


def get_device(sock: StreamSocket) -> bytes:
    if not sock.device:
        return b""
    names = sock.interface_names()
    if sock.device > len(names):
        raise OSError(ENODEV, "no such interface")
    return names[sock.device - 1].encode() + b"\0"


def set_device(sock: StreamSocket, value: Value, length: int, privileged: bool) -> None:
    if length and value is None:
        raise OSError(EFAULT, "no name")
    name = (value or b"")[: NAME_BYTES - 1].split(b"\0")[0].decode("latin-1")
    index = 0
    if name:
        names = sock.interface_names()
        if name not in names:
            raise OSError(ENODEV, "no such interface")
        index = names.index(name) + 1
    if sock.device and not privileged:
        raise OSError(EPERM, "bound to one already")
    put_ifindex(sock, index)


def put_ifindex(sock: StreamSocket, number: int) -> None:
    sock.device = sock.kept[SOL, c.SO_BINDTOIFINDEX] = number
