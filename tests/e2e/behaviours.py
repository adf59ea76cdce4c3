"""What sockets do, as lines of text: run on libc and on a minion, and compared.

    python behaviours.py HOST PORT [minionsocket]

HOST:PORT is the command peer of test_behaviours.py: it does what the first line it reads says.
Every function here is one behaviour; what it returns is printed as JSON beside its name.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable

HOST, PORT = sys.argv[1], int(sys.argv[2])
if sys.argv[3:] == ["minionsocket"]:
    import minionsocket  # noqa: F401

Sock = socket.socket
LINGER_0 = struct.pack("ii", 1, 0)
WAIT_S = 30.0
BEHAVIOURS: list[Callable[[], object]] = []


def behaviour(function: Callable[[], object]) -> Callable[[], object]:
    BEHAVIOURS.append(function)
    return function


def told(call: Callable[..., object], *args: object) -> object:
    """What a call returns, or the name of its errno."""
    try:
        result = call(*args)
    except TimeoutError as error:
        return errno.errorcode[error.errno] if error.errno else "timeout"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except (TypeError, ValueError, OverflowError) as error:
        return repr(error)
    if isinstance(result, bytes):
        return result.decode("latin-1")
    return None if isinstance(result, Sock | tuple) else result


def listener(backlog: int = 8) -> Sock:
    sock = Sock()
    sock.bind(("127.0.0.1", 0))
    sock.listen(backlog)
    sock.settimeout(WAIT_S)
    return sock


def pair() -> tuple[Sock, Sock]:
    """A connection with both ends here."""
    with listener() as server:
        client = Sock()
        client.settimeout(WAIT_S)
        client.connect(server.getsockname())
        child, _ = server.accept()
        child.settimeout(WAIT_S)
        return client, child


def peer(command: str) -> Sock:
    """A connection to the command peer, which was told what to do."""
    sock = socket.create_connection((HOST, PORT), timeout=WAIT_S)
    sock.sendall(command.encode() + b"\n")
    return sock


def reset(sock: Sock) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_0)
    sock.close()


def polled(sock: Sock, wanted: int, ms: int = 30_000) -> list[str]:
    """Names of the events of one poll."""
    poller = select.poll()
    poller.register(sock, wanted)
    found = poller.poll(ms)
    return names(found[0][1]) if found else []


def names(events: int) -> list[str]:
    known = ("POLLIN", "POLLOUT", "POLLERR", "POLLHUP", "POLLRDHUP", "POLLNVAL", "POLLPRI")
    return [name for name in known if events & getattr(select, name)]


def until(sock: Sock, event: int) -> list[str]:
    """The events that are there when `event` has come."""
    poller = select.poll()
    poller.register(sock, event)
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if any(found & event for _, found in poller.poll(30_000)):
            break
    return polled(sock, select.POLLIN | select.POLLOUT | select.POLLRDHUP, 0)


def drain(sock: Sock) -> int:
    total = 0
    while data := sock.recv(1 << 16):
        total += len(data)
    return total


ALL = select.POLLIN | select.POLLOUT | select.POLLRDHUP


# -- before there is a connection


@behaviour
def fresh_socket() -> object:
    with Sock() as sock:
        return [
            told(sock.getpeername),
            sock.getsockname(),
            told(sock.accept),
            told(sock.shutdown, socket.SHUT_WR),
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        ]


@behaviour
def data_calls_on_a_fresh_socket() -> object:
    with Sock() as sock:
        flag = socket.MSG_DONTWAIT
        return [told(sock.recv, 1, flag), told(sock.send, b"x", flag)]


@behaviour
def poll_of_a_fresh_socket() -> object:
    with Sock() as sock:
        return polled(sock, ALL, 0)


@behaviour
def bind_in_use() -> object:
    with listener() as server, Sock() as sock:
        return [told(sock.bind, server.getsockname()), told(sock.bind, ("127.0.0.1", 0))]


@behaviour
def bind_twice() -> object:
    with Sock() as sock:
        sock.bind(("127.0.0.1", 0))
        return told(sock.bind, ("127.0.0.1", 0))


@behaviour
def bind_to_a_strange_address() -> object:
    with Sock() as sock:
        return told(sock.bind, ("192.0.2.1", 0))


@behaviour
def bound_name() -> object:
    with Sock() as sock:
        sock.bind(("127.0.0.1", 0))
        address, port = sock.getsockname()
        return [address, port > 1023]


@behaviour
def bind_any_conflicts_with_one() -> object:
    with listener() as server, Sock() as sock:
        return told(sock.bind, ("0.0.0.0", server.getsockname()[1]))


@behaviour
def reuseaddr_lets_not_two_listen() -> object:
    with Sock() as one, Sock() as two:
        for sock in (one, two):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("127.0.0.1", 0))
        one.listen()
        return told(two.bind, one.getsockname())


@behaviour
def reuseaddr_binds_over_time_wait() -> object:
    server = Sock()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", 0))
    server.listen()
    address = server.getsockname()
    client = socket.create_connection(address)
    child, _ = server.accept()
    server.close()
    child.close()  # closes first: its end keeps TIME-WAIT
    drain(client)
    client.close()
    answers = []
    with Sock() as sock:
        answers.append(told(sock.bind, address))
    with Sock() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        answers += [told(sock.bind, address), told(sock.listen)]
    return answers


@behaviour
def rebinding_after_close() -> object:
    with listener() as server:
        address = server.getsockname()
    with Sock() as sock:
        return [told(sock.bind, address), told(sock.listen)]


@behaviour
def listen_without_bind() -> object:
    with Sock() as sock:
        sock.listen()
        address, port = sock.getsockname()
        return [address, port > 1023]


@behaviour
def listen_twice_and_connect() -> object:
    with listener() as server:
        return [told(server.listen, 5), told(server.connect, server.getsockname())]


@behaviour
def listen_while_connected() -> object:
    one, two = pair()
    with one, two:
        return told(one.listen)


@behaviour
def calls_on_a_listener() -> object:
    with listener() as server:
        server.setblocking(False)
        return [told(server.send, b"x"), told(server.getpeername)]


@behaviour
def types_that_are_asked() -> object:
    with Sock() as sock, listener() as server:
        ask = [socket.SO_TYPE, socket.SO_DOMAIN, socket.SO_PROTOCOL, socket.SO_ACCEPTCONN]
        return [[s.getsockopt(socket.SOL_SOCKET, name) for name in ask] for s in (sock, server)]


# -- connecting


@behaviour
def connect_twice() -> object:
    with listener() as server, Sock() as sock:
        return [told(sock.connect, server.getsockname()) for _ in range(2)]


@behaviour
def connect_refused() -> object:
    with listener() as server:
        address = server.getsockname()
    with Sock() as sock:
        first = told(sock.connect, address)
        return [first, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)]


@behaviour
def connect_refused_by_the_host() -> object:
    with Sock() as sock:
        return [told(sock.connect, (HOST, 1)), told(sock.getpeername)]


@behaviour
def nonblocking_connect() -> object:
    with Sock() as sock:
        sock.setblocking(False)
        first = told(sock.connect, (HOST, PORT))
        events = polled(sock, select.POLLOUT)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return [
            first,
            events,
            error,
            told(sock.connect, (HOST, PORT)),
            sock.getpeername()[1] == PORT,
        ]


@behaviour
def nonblocking_connect_refused() -> object:
    with Sock() as sock:
        sock.setblocking(False)
        first = told(sock.connect, (HOST, 1))
        polled(sock, select.POLLOUT)
        return [
            first,
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
            sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR),
        ]


@behaviour
def events_of_a_refused_connect() -> object:
    with Sock() as sock:
        sock.setblocking(False)
        told(sock.connect, (HOST, 1))
        return until(sock, select.POLLOUT)


@behaviour
def error_of_a_refused_connect_by_connect() -> object:
    with Sock() as sock:
        sock.setblocking(False)
        told(sock.connect, (HOST, 1))
        polled(sock, select.POLLOUT)
        return told(sock.connect, (HOST, 1))


@behaviour
def error_of_a_refused_connect_by_recv() -> object:
    with Sock() as sock:
        sock.setblocking(False)
        told(sock.connect, (HOST, 1))
        polled(sock, select.POLLOUT)
        return [told(sock.recv, 1), told(sock.recv, 1)]


@behaviour
def error_of_a_refused_connect_by_send() -> object:
    with Sock() as sock:
        sock.setblocking(False)
        told(sock.connect, (HOST, 1))
        polled(sock, select.POLLOUT)
        return [told(sock.send, b"x"), told(sock.send, b"x")]


@behaviour
def connect_to_port_0() -> object:
    with Sock() as sock:
        return told(sock.connect, ("127.0.0.1", 0))


@behaviour
def connect_to_0_0_0_0() -> object:
    with listener() as server, Sock() as sock:
        answer = told(sock.connect, ("0.0.0.0", server.getsockname()[1]))
        return [answer, told(lambda: sock.getpeername()[0])]


@behaviour
def connect_with_a_timeout_to_nobody() -> object:
    with Sock() as sock:
        sock.settimeout(0.2)
        return told(sock.connect, ("10.0.2.99" if HOST != "127.0.0.1" else "192.0.2.99", 80)) in (
            "timeout", "EHOSTUNREACH", "ENETUNREACH",
        )  # fmt: skip


@behaviour
def connected_names() -> object:
    with listener() as server:
        client = socket.create_connection(server.getsockname())
        child, address = server.accept()
        with client, child:
            return [
                client.getpeername() == server.getsockname(),
                client.getsockname() == address == child.getpeername(),
                child.getsockname() == server.getsockname(),
                child.getblocking(),
                os.get_inheritable(child.fileno()),
            ]


@behaviour
def source_address_is_kept() -> object:
    with listener() as server, Sock() as sock:
        sock.bind(("127.0.0.1", 0))
        mine = sock.getsockname()
        sock.connect(server.getsockname())
        child, address = server.accept()
        child.close()
        return [mine == sock.getsockname() == address]


# -- what outsiders found: flags, interfaces, addresses, queues


MSG_FASTOPEN = 0x20000000
SO_REUSEPORT, TCP_INQ, TCP_DEFER_ACCEPT = 15, 36, 9


@behaviour
def msg_trunc_discards() -> object:
    client, child = pair()
    with client, child:
        child.settimeout(None)
        client.sendall(b"x" * 5000 + b"rest")
        client.shutdown(socket.SHUT_WR)
        buffer = bytearray(b"-" * 5000)
        count = child.recv_into(buffer, 5000, socket.MSG_TRUNC | socket.MSG_WAITALL)
        return [count, bytes(buffer[:3]).decode(), told(child.recv, 10), told(child.recv, 10)]


@behaviour
def msg_peek_with_waitall_waits() -> object:
    client, child = pair()
    with client, child:
        child.settimeout(None)
        client.sendall(b"ab")
        sender = threading.Timer(0.1, client.sendall, (b"cd",))
        sender.start()
        flags = socket.MSG_PEEK | socket.MSG_WAITALL
        answers = [told(child.recv, 4, flags), told(child.recv, 4, socket.MSG_WAITALL)]
        sender.join()
        client.send(b"e")
        child.recv(1, socket.MSG_PEEK)
        client.close()
        return [*answers, told(child.recv, 4, flags), told(child.recv, 4)]


def connects(server: Sock, count: int) -> list[object]:
    """How so many attempts end: those that find no room go unanswered."""
    found, socks = [], []
    for _ in range(count):
        sock = Sock()
        sock.settimeout(0.1)
        found.append(told(sock.connect, server.getsockname()))
        socks.append(sock)
    for sock in socks:
        sock.close()
    return found


@behaviour
def backlogs_are_what_was_asked_for() -> object:
    found = []
    for backlog in (0, 1, 3):
        with listener(backlog) as server:
            found.append(connects(server, backlog + 2))
        with listener(backlog) as server:
            first = [socket.create_connection(server.getsockname()) for _ in range(backlog + 1)]
            taken = [server.accept()[0] for _ in range(backlog + 1)]
            time.sleep(0.05)
            found.append(connects(server, backlog + 1))
            for sock in (*first, *taken):
                sock.close()
    return found


@behaviour
def empty_receives() -> object:
    client, child = pair()
    with client, child:
        flag = socket.MSG_DONTWAIT
        answers = [told(child.recv, 0, flag)]
        client.send(b"x")
        polled(child, select.POLLIN)
        answers += [told(child.recv, 0, flag), told(child.recv, 1, flag)]
        client.close()
        polled(child, select.POLLIN)
        return [*answers, told(child.recv, 0, flag)]


@behaviour
def fast_open_falls_back() -> object:
    with listener() as server, Sock() as sock, Sock() as other:
        sent = sock.sendto(b"hello", MSG_FASTOPEN, server.getsockname())
        child, _ = server.accept()
        again = told(sock.sendto, b"x", MSG_FASTOPEN, server.getsockname())
        with child:
            answers = [sent, told(child.recv, 5), again]
        other.setblocking(False)
        first = told(other.sendto, b"hello", MSG_FASTOPEN, server.getsockname())
        return [*answers, first, polled(other, select.POLLOUT)]


@behaviour
def tcp_inq_tells_what_is_left() -> object:
    client, child = pair()
    with client, child:
        child.setsockopt(socket.IPPROTO_TCP, TCP_INQ, 1)
        client.sendall(b"x" * 10)
        child.recv(10, socket.MSG_PEEK | socket.MSG_WAITALL)
        found = []
        for _ in range(2):
            data, control, _, _ = child.recvmsg(4, 100)
            found.append([len(data), [(a, b, c.hex()) for a, b, c in control]])
        return found


@behaviour
def interfaces_can_be_bound() -> object:
    names = [name for _, name in socket.if_nameindex()]
    with Sock() as sock:
        sock.bind(("127.0.0.9", 0))
    return [
        names[0],
        [socket.if_nametoindex(name) for name in names] == list(range(1, len(names) + 1))
        or HOST == "127.0.0.1",
        socket.if_indextoname(socket.if_nametoindex("lo")),
        told(socket.if_nametoindex, "nowhere"),
        told(socket.if_nametoindex, b"l\0o"),
        told(socket.if_nametoindex, 1),
        told(socket.if_indextoname, 1 << 20),
        told(socket.if_indextoname, -1),
        told(socket.if_indextoname, 1 << 70),
        told(socket.if_indextoname, "lo"),
    ]


@behaviour
def loopback_has_many_addresses() -> object:
    with Sock() as server, Sock() as bound, Sock() as free:
        server.bind(("127.0.0.5", 0))
        server.listen()
        bound.bind(("127.0.0.2", 0))
        found = []
        for sock in (bound, free):
            sock.connect(server.getsockname())
            child, address = server.accept()
            child.close()
            found.append([address[0], sock.getsockname()[0], sock.getpeername()[0]])
        return found


@behaviour
def who_may_bind_beside_whom() -> object:
    """Every pair of SO_REUSEADDR, SO_REUSEPORT, address and listening."""

    def outcome(case: int) -> list[object]:
        with Sock() as one, Sock() as two:
            for sock, bits in ((one, case & 15), (two, case >> 4)):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, bits & 1)
                sock.setsockopt(socket.SOL_SOCKET, SO_REUSEPORT, bits >> 1 & 1)
            one.bind(("127.0.0.1" if case & 4 else "0.0.0.0", 0))
            if case & 8:
                one.listen()
            where = ("0.0.0.0", "127.0.0.1")[case >> 6 & 1]
            bound = told(two.bind, (where, one.getsockname()[1]))
            return [bound, told(two.listen) if case & 128 and not bound else None]

    # Somebody else on the host may have that port on another address: so a second time
    found = [outcome(case) for case in range(256)]
    return [outcome(case) if result[0] else result for case, result in enumerate(found)]


@behaviour
def a_close_comes_before_what_an_older_socket_asks_next() -> object:
    found: dict[str, int] = {}
    for _ in range(50):
        with Sock() as client, Sock() as other, Sock() as server:
            server.bind(("127.0.0.1", 0))
            server.listen()
            address = server.getsockname()
            server.close()
            connected = told(client.connect, address)
            bound = told(other.bind, address)
            found[f"{connected} {bound}"] = found.get(f"{connected} {bound}", 0) + 1
    return found


@behaviour
def a_connection_that_both_have_ended_has_no_peer() -> object:
    with Sock() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        one = socket.create_connection(server.getsockname())
        two, _ = server.accept()
    one.shutdown(socket.SHUT_WR)
    two.recv(1)
    two.shutdown(socket.SHUT_WR)
    one.recv(1)
    found = []
    for sock in (one, two):
        deadline = time.monotonic() + 10  # for the last acknowledgement
        while told(sock.getpeername) != "ENOTCONN" and time.monotonic() < deadline:
            time.sleep(0.001)
        found.append(told(sock.getpeername))
        sock.close()
    return found


@behaviour
def reuseport_balances() -> object:
    servers = [Sock(), Sock(), Sock()]
    port = 0
    for sock in servers:
        sock.setsockopt(socket.SOL_SOCKET, SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", port))
        port = sock.getsockname()[1]
        sock.listen(100)
        sock.setblocking(False)
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(60)]
    counts = []
    for sock in servers:
        counts.append(0)
        while polled(sock, select.POLLIN, 100):
            sock.accept()[0].close()
            counts[-1] += 1
    for sock in (*servers, *clients):
        sock.close()
    return [sum(counts), all(counts)]


@behaviour
def a_connection_reset_in_the_backlog_is_handed_out() -> object:
    with listener() as server:
        client = socket.create_connection(server.getsockname())
        client.send(b"x")
        reset(client)
        time.sleep(0.05)
        child, _ = server.accept()
        with child:
            return [told(child.recv, 10), told(child.recv, 10)]


@behaviour
def time_limits_are_inherited() -> object:
    with listener() as server:
        for name in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            server.setsockopt(socket.SOL_SOCKET, name, struct.pack("ll", 3, 0))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 40)
        server.setblocking(True)
        client = socket.create_connection(server.getsockname())
        child, _ = server.accept()
        with client, child:
            ask = (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO, socket.SO_RCVLOWAT)
            return [child.getsockopt(socket.SOL_SOCKET, name, 16).hex() for name in ask]


@behaviour
def deferred_accept_waits_for_data() -> object:
    with listener() as server:
        server.setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 5)
        client = socket.create_connection(server.getsockname())
        with client:
            before = polled(server, select.POLLIN, 100)
            client.send(b"x")
            after = polled(server, select.POLLIN)
            child, _ = server.accept()
            with child:
                return [before, after, told(child.recv, 1)]


@behaviour
def second_shutdowns() -> object:
    client, child = pair()
    with client, child:
        answers = [told(client.shutdown, how) for how in (1, 1, 0, 0, 2)]
        drain(child)
        child.close()
        deadline = time.monotonic() + WAIT_S
        while client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] not in (6, 7):
            assert time.monotonic() < deadline
        return [*answers, told(client.shutdown, 1), told(client.shutdown, 2)]


@behaviour
def a_port_after_a_refused_connect() -> object:
    with listener() as server:
        nobody = server.getsockname()
    with Sock() as sock:
        first = told(sock.connect, nobody)
        named = sock.getsockname()[1] > 0
        return [first, named, told(sock.bind, ("127.0.0.1", 0)), told(sock.listen)]


# -- accepting


@behaviour
def accept_would_block() -> object:
    with listener() as server:
        server.setblocking(False)
        return told(server.accept)


@behaviour
def accept_times_out() -> object:
    with listener() as server:
        server.settimeout(0.05)
        return told(server.accept)


@behaviour
def listener_events() -> object:
    with listener() as server:
        before = polled(server, ALL, 0)
        with socket.create_connection(server.getsockname()):
            return [before, polled(server, ALL)]


@behaviour
def epoll_of_a_listener() -> object:
    with listener() as server, select.epoll() as epoll:
        epoll.register(server, select.EPOLLIN | select.EPOLLET)
        clients = [socket.create_connection(server.getsockname())]
        first = [events for _, events in epoll.poll(10)]
        again = epoll.poll(0)
        clients.append(socket.create_connection(server.getsockname()))
        second = [events for _, events in epoll.poll(10)]
        for client in clients:
            server.accept()[0].close()
            client.close()
        return [first, again, second]


@behaviour
def accepted_after_the_client_has_gone() -> object:
    with listener() as server:
        client = socket.create_connection(server.getsockname())
        client.sendall(b"bye")
        client.close()
        child, _ = server.accept()
        with child:
            return [told(child.recv, 10), told(child.recv, 10)]


@behaviour
def backlog_of_many() -> object:
    """Everybody in the backlog is connected before anybody is accepted."""
    with listener(16) as server:
        clients = [socket.create_connection(server.getsockname(), timeout=WAIT_S)
                   for _ in range(10)]  # fmt: skip
        for number, client in enumerate(clients):
            client.sendall(bytes([number]))
        got = []
        for _ in clients:
            child, _ = server.accept()
            got.append(child.recv(1)[0])
            child.close()
        for client in clients:
            client.close()
        return sorted(got)


@behaviour
def more_than_the_backlog() -> object:
    """Whoever does not fit is served when there is room."""
    with listener(2) as server:
        address = server.getsockname()
        got: list[bytes] = []

        def talk() -> None:
            with socket.create_connection(address, timeout=20) as client:
                client.sendall(b"x")
                got.append(client.recv(1))

        threads = [threading.Thread(target=talk) for _ in range(8)]
        for thread in threads:
            thread.start()
        server.settimeout(20)
        for _ in threads:
            child, _ = server.accept()
            child.sendall(child.recv(1))
            child.close()
        for thread in threads:
            thread.join()
        return len(got)


@behaviour
def closing_a_listener_resets_its_backlog() -> object:
    server = listener()
    client = socket.create_connection(server.getsockname(), timeout=WAIT_S)
    server.close()
    with client:
        return told(client.recv, 1)


@behaviour
def a_listener_is_shut_down() -> object:
    with listener() as server:
        address = server.getsockname()
        answers = [told(server.shutdown, socket.SHUT_RDWR)]
        with Sock() as sock:
            answers.append(told(sock.connect, address))
        return answers


# -- data


@behaviour
def peek() -> object:
    one, two = pair()
    with one, two:
        one.sendall(b"abc")
        two.settimeout(None)
        return [
            told(two.recv, 2, socket.MSG_PEEK),
            told(two.recv, 3, socket.MSG_PEEK | socket.MSG_WAITALL),
            told(two.recv, 9),
        ]


@behaviour
def waitall() -> object:
    one, two = pair()
    with one, two:
        two.settimeout(None)

        def send() -> None:
            one.sendall(b"ab")
            one.sendall(b"cd")

        thread = threading.Thread(target=send)
        thread.start()
        data = told(two.recv, 4, socket.MSG_WAITALL)
        thread.join()
        return data


@behaviour
def dontwait() -> object:
    one, two = pair()
    with one, two:
        one.settimeout(None)  # else Python waits before it calls
        two.settimeout(None)
        empty = told(two.recv, 1, socket.MSG_DONTWAIT)
        total = 0
        try:
            while True:
                total += one.send(bytes(1 << 16), socket.MSG_DONTWAIT)
        except BlockingIOError as error:
            full = errno.errorcode[error.errno or 0]
        return [empty, full, total > 100_000]


@behaviour
def receive_timeout() -> object:
    one, two = pair()
    with one, two:
        two.settimeout(0.05)
        answers = [told(two.recv, 1)]
        two.settimeout(None)
        two.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
        return [*answers, told(two.recv, 1)]


@behaviour
def send_timeout() -> object:
    one, two = pair()
    with one, two:
        one.settimeout(None)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 50_000))
        answer: object = 0
        while isinstance(answer, int):
            answer = told(one.send, bytes(1 << 20))
        return answer


@behaviour
def zero_bytes() -> object:
    one, two = pair()
    with one, two:
        return [told(one.send, b""), told(two.recv, 0), polled(two, select.POLLIN, 0)]


@behaviour
def vectors() -> object:
    one, two = pair()
    with one, two:
        sent = one.sendmsg([b"ab", b"", b"cde"])
        buffers = [bytearray(2), bytearray(8)]
        count, ancillary, flags, _ = two.recvmsg_into(buffers)
        return [sent, count, ancillary, flags, [bytes(b).decode("latin-1") for b in buffers]]


@behaviour
def recvfrom_and_sendto() -> object:
    one, two = pair()
    with one, two:
        sent = told(one.sendto, b"abc", ("127.0.0.1", 9))
        data, address = two.recvfrom(10)
        return [sent, data.decode(), address]


@behaviour
def truncation_keeps_a_streams_rest() -> object:
    one, two = pair()
    with one, two:
        one.sendall(b"abcdef")
        return [told(two.recv, 2, socket.MSG_TRUNC) is not None, told(two.recv, 10)]


@behaviour
def bytes_under_way() -> object:
    import fcntl

    one, two = pair()
    with one, two:
        one.sendall(b"abcde")
        polled(two, select.POLLIN)
        two.recv(2, socket.MSG_PEEK)
        return list(struct.unpack("i", fcntl.ioctl(two, 0x541B, bytes(4))))  # FIONREAD


@behaviour
def many_bytes_both_ways() -> object:
    one, two = pair()
    with one, two:
        size = 3_000_000

        def send(sock: Sock) -> None:
            sock.sendall(bytes(size))
            sock.shutdown(socket.SHUT_WR)

        threads = [threading.Thread(target=send, args=(sock,)) for sock in (one, two)]
        for thread in threads:
            thread.start()
        counts: list[int] = []
        reader = threading.Thread(target=lambda: counts.append(drain(one)))
        reader.start()
        counts.append(drain(two))
        for thread in (*threads, reader):
            thread.join()
        return counts == [size, size]


@behaviour
def urgent_data() -> object:
    one, two = pair()
    with one, two:
        return told(one.send, b"!", socket.MSG_OOB)


# -- ends


@behaviour
def receive_after_the_peer_closed() -> object:
    sock = peer("send abc")
    with sock:
        return [drain(sock), told(sock.recv, 1), told(sock.recv, 1)]


@behaviour
def send_after_the_peer_closed() -> object:
    """The first is taken, answered with a RST; then EPIPE."""
    sock = peer("fin")
    with sock:
        answers = [told(sock.recv, 1), told(sock.send, b"x")]
        until(sock, select.POLLHUP)
        return [*answers, told(sock.send, b"x"), told(sock.send, b"x")]


@behaviour
def receive_after_a_reset() -> object:
    sock = peer("rst")
    with sock:
        return [told(sock.recv, 1), told(sock.recv, 1), told(sock.send, b"x")]


@behaviour
def send_after_a_reset() -> object:
    sock = peer("rst")
    with sock:
        until(sock, select.POLLHUP)
        return [told(sock.send, b"x"), told(sock.send, b"x"), told(sock.recv, 1)]


@behaviour
def so_error_after_a_reset() -> object:
    sock = peer("rst")
    with sock:
        until(sock, select.POLLHUP)
        error = [sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for _ in range(2)]
        return [*error, told(sock.recv, 1), told(sock.send, b"x")]


@behaviour
def names_after_a_reset() -> object:
    sock = peer("rst")
    with sock:
        until(sock, select.POLLHUP)
        return [told(sock.getpeername), told(sock.shutdown, socket.SHUT_WR)]


@behaviour
def reset_by_linger_0_here() -> object:
    one, two = pair()
    reset(one)
    with two:
        return [told(two.recv, 1), told(two.recv, 1), told(two.send, b"x")]


@behaviour
def reset_by_unread_data() -> object:
    one, two = pair()
    two.sendall(b"nobody reads this")
    polled(one, select.POLLIN)
    one.close()
    with two:
        return told(two.recv, 1)


@behaviour
def the_peer_sees_my_linger_0() -> object:
    sock = peer("how")
    reset(sock)
    return peer_says()


@behaviour
def the_peer_sees_my_close() -> object:
    sock = peer("how")
    sock.close()
    return peer_says()


@behaviour
def the_peer_sees_my_shutdown() -> object:
    with peer("how") as sock:
        sock.shutdown(socket.SHUT_WR)
        return peer_says()


@behaviour
def the_peer_sees_my_close_with_unread_data() -> object:
    sock = peer("how-after-sending")
    polled(sock, select.POLLIN)
    sock.close()
    return peer_says()


def peer_says() -> str:
    """How the connection before ended, at its other end."""
    with peer("said") as sock:
        return sock.makefile().readline().strip()


@behaviour
def half_close() -> object:
    with peer("echo-after-eof") as sock:
        sock.sendall(b"abc")
        sock.shutdown(socket.SHUT_WR)
        return [told(sock.recv, 10), told(sock.recv, 10), told(sock.send, b"x")]


@behaviour
def half_close_here() -> object:
    one, two = pair()
    with one, two:
        one.shutdown(socket.SHUT_WR)
        answers = [told(two.recv, 1), told(two.send, b"abc"), told(one.recv, 10)]
        return [*answers, told(one.send, b"x"), told(one.shutdown, socket.SHUT_WR)]


@behaviour
def shutdown_for_reading() -> object:
    one, two = pair()
    with one, two:
        one.shutdown(socket.SHUT_RD)
        return [told(one.recv, 1), told(one.send, b"ab"), told(two.recv, 10), told(two.send, b"c")]


@behaviour
def shutdown_both_and_again() -> object:
    one, two = pair()
    with one, two:
        one.shutdown(socket.SHUT_RDWR)
        return [told(one.recv, 1), told(one.send, b"x"), told(two.recv, 1),
                told(one.getpeername)]  # fmt: skip


@behaviour
def shutdown_with_nonsense() -> object:
    one, two = pair()
    with one, two:
        return told(one.shutdown, 7)


@behaviour
def dup_and_close() -> object:
    """Only the last close counts."""
    one, two = pair()
    with two:
        copy = one.dup()
        one.close()
        copy.sendall(b"still there")
        answers = [told(two.recv, 20)]
        copy.close()
        return [*answers, told(two.recv, 1)]


@behaviour
def fork_and_close() -> object:
    one, two = pair()
    with two:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(writer)
            two.close()
            os.read(reader, 1)
            one.sendall(b"from the child")
            os._exit(0)
        os.close(reader)
        one.close()
        os.close(writer)
        answers = [told(two.recv, 20), told(two.recv, 1)]
        os.waitpid(child, 0)
        return answers


@behaviour
def connected_by_a_child() -> object:
    """Who made the socket, and saw it unconnected, is told of it."""
    with Sock() as sock:
        before = told(sock.recv, 1, socket.MSG_DONTWAIT)
        child = os.fork()
        if not child:
            sock.connect((HOST, PORT))
            os._exit(0)
        os.waitpid(child, 0)
        sock.sendall(b"send hello\n")
        return [before, told(sock.recv, 5, socket.MSG_WAITALL)]


@behaviour
def other_calls_on_a_fresh_socket() -> object:
    with Sock() as sock:
        return [
            told(sock.recv_into, bytearray(1)), told(sock.recvfrom, 1), told(sock.recvmsg, 1),
            told(sock.sendall, b"x"), told(sock.sendmsg, [b"x"]),
        ]  # fmt: skip


@behaviour
def close_wakes_nobody_but_eof_does() -> object:
    one, two = pair()
    got: list[object] = []
    thread = threading.Thread(target=lambda: got.append(told(two.recv, 1)))
    thread.start()
    one.close()
    thread.join()
    two.close()
    return got


@behaviour
def shutdown_wakes_a_reader() -> object:
    one, two = pair()
    with one, two:
        got: list[object] = []
        thread = threading.Thread(target=lambda: got.append(told(two.recv, 1)))
        thread.start()
        two.shutdown(socket.SHUT_RDWR)
        thread.join()
        return got


# -- events


@behaviour
def events_when_idle() -> object:
    one, two = pair()
    with one, two:
        return [polled(one, ALL, 0), polled(two, ALL, 0)]


@behaviour
def events_on_data() -> object:
    one, two = pair()
    with one, two:
        one.sendall(b"x")
        return until(two, select.POLLIN)


@behaviour
def events_on_fin() -> object:
    one, two = pair()
    with one, two:
        one.shutdown(socket.SHUT_WR)
        return [until(two, select.POLLRDHUP), polled(one, ALL, 0)]


@behaviour
def events_on_fin_both_ways() -> object:
    one, two = pair()
    with one, two:
        one.shutdown(socket.SHUT_WR)
        until(two, select.POLLRDHUP)
        two.shutdown(socket.SHUT_WR)
        return [until(one, select.POLLHUP), until(two, select.POLLHUP)]


@behaviour
def events_on_reset() -> object:
    sock = peer("rst")
    with sock:
        return until(sock, select.POLLHUP)


@behaviour
def events_when_full() -> object:
    one, two = pair()
    with one, two:
        while polled(one, select.POLLOUT, 200):
            told(one.send, bytes(1 << 16), socket.MSG_DONTWAIT)
        full = polled(one, ALL, 0)
        one.shutdown(socket.SHUT_WR)
        drain(two)
        return full


@behaviour
def select_of_a_connection() -> object:
    one, two = pair()
    with one, two:
        before = [len(x) for x in select.select([one], [one], [one], 0)]
        two.sendall(b"x")
        select.select([one], [], [], 10)
        return [before, [len(x) for x in select.select([one], [one], [one], 0)]]


@behaviour
def edge_triggered() -> object:
    one, two = pair()
    with one, two, select.epoll() as epoll:
        epoll.register(two, select.EPOLLIN | select.EPOLLET | select.EPOLLRDHUP)
        one.sendall(b"x")
        answers = [[e for _, e in epoll.poll(10)], epoll.poll(0)]
        one.sendall(b"y")
        answers.append([e for _, e in epoll.poll(10)])
        two.recv(10)
        one.shutdown(socket.SHUT_WR)
        return [*answers, [e for _, e in epoll.poll(10)]]


# -- options

OPTIONS: list[tuple[str, int, str, int]] = [
    ("SOL_SOCKET", socket.SOL_SOCKET, name, value)
    for name, value in [
        ("SO_KEEPALIVE", 1), ("SO_REUSEADDR", 1), ("SO_OOBINLINE", 1), ("SO_REUSEPORT", 1),
        ("SO_DONTROUTE", 1), ("SO_BROADCAST", 1), ("SO_PRIORITY", 3), ("SO_RCVLOWAT", 5),
    ]
] + [
    ("IPPROTO_TCP", socket.IPPROTO_TCP, name, value)
    for name, value in [
        ("TCP_NODELAY", 1), ("TCP_CORK", 1), ("TCP_KEEPIDLE", 33), ("TCP_KEEPINTVL", 7),
        ("TCP_KEEPCNT", 4), ("TCP_USER_TIMEOUT", 5000), ("TCP_SYNCNT", 3), ("TCP_LINGER2", 10),
        ("TCP_QUICKACK", 0), ("TCP_DEFER_ACCEPT", 1), ("TCP_WINDOW_CLAMP", 4096),
    ]
] + [
    ("IPPROTO_IP", socket.IPPROTO_IP, name, value)
    for name, value in [("IP_TOS", 16), ("IP_TTL", 33)]
]  # fmt: skip


def option(level: int, name: str, value: int) -> Callable[[], object]:
    number = getattr(socket, name)

    def ask() -> object:
        with Sock() as sock:
            before = told(sock.getsockopt, level, number)
            put = told(sock.setsockopt, level, number, value)
            return [before, put, told(sock.getsockopt, level, number)]

    ask.__name__ = f"option_{name}"
    return ask


BEHAVIOURS += [option(level, name, value) for _, level, name, value in OPTIONS]


@behaviour
def option_SO_LINGER() -> object:
    with Sock() as sock:
        ask = (socket.SOL_SOCKET, socket.SO_LINGER, 8)
        before = told(sock.getsockopt, *ask)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 9))
        return [before, told(sock.getsockopt, *ask)]


@behaviour
def option_timeouts() -> object:
    with Sock() as sock:
        answers = []
        for name in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            sock.setsockopt(socket.SOL_SOCKET, name, struct.pack("ll", 3, 0))
            answers.append(struct.unpack("ll", sock.getsockopt(socket.SOL_SOCKET, name, 16)))
        return answers


@behaviour
def options_that_do_not_exist() -> object:
    with Sock() as sock:
        return [
            told(sock.getsockopt, socket.IPPROTO_TCP, 9999),
            told(sock.setsockopt, socket.IPPROTO_TCP, 9999, 1),
            told(sock.getsockopt, socket.SOL_SOCKET, 9999),
            told(sock.setsockopt, socket.SOL_SOCKET, 9999, 1),
            told(sock.getsockopt, 4711, 1),
            told(sock.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, b"x"),
        ]


@behaviour
def options_are_inherited_by_accepted() -> object:
    with listener() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
        client = socket.create_connection(server.getsockname())
        child, _ = server.accept()
        with client, child:
            return [
                child.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                child.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
                child.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            ]


@behaviour
def buffer_sizes_can_be_set() -> object:
    with Sock() as sock:
        answers = []
        for name in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, name, 50_000)
            answers.append(sock.getsockopt(socket.SOL_SOCKET, name))
        return answers


@behaviour
def tcp_info_states() -> object:
    def state(sock: Sock) -> int:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[0]

    with listener() as server, Sock() as fresh:
        client = socket.create_connection(server.getsockname())
        child, _ = server.accept()
        with client, child:
            answers = [state(fresh), state(server), state(client)]
            client.shutdown(socket.SHUT_WR)
            until(child, select.POLLRDHUP)
            return [*answers, state(child)]


@behaviour
def cork_holds_back() -> object:
    one, two = pair()
    with one, two:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        one.sendall(b"a")
        one.sendall(b"b")
        held = polled(two, select.POLLIN, 50)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        polled(two, select.POLLIN)
        return [held, told(two.recv, 10)]


@behaviour
def msg_more_holds_back() -> object:
    one, two = pair()
    with one, two:
        one.send(b"a", socket.MSG_MORE)
        one.sendall(b"b", socket.MSG_MORE)
        one.sendmsg([b"c", b"d"], (), socket.MSG_MORE)
        held = polled(two, select.POLLIN, 50)
        os.write(one.fileno(), b"e")
        polled(two, select.POLLIN)
        return [held, told(two.recv, 10)]


@behaviour
def msg_more_for_what_was_not_written() -> object:
    """The socket takes a part: what is written next is not held for the rest."""
    one, two = pair()
    with one, two:
        one.setblocking(False)
        sent = 0
        while (count := told(one.send, bytes(100_000), socket.MSG_MORE)) != "EAGAIN":
            assert isinstance(count, int)
            sent += count
        one.setblocking(True)
        two.settimeout(None)
        reader = threading.Thread(target=lambda: two.recv(sent, socket.MSG_WAITALL))
        reader.start()
        reader.join(WAIT_S)
        one.sendall(b"end")
        polled(two, select.POLLIN)
        return told(two.recv, 10)


@behaviour
def nodelay_pushes_a_corked_socket() -> object:
    one, two = pair()
    with one, two:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        one.sendall(b"a")
        held = polled(two, select.POLLIN, 50)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        polled(two, select.POLLIN, 100)
        first = told(two.recv, 10, socket.MSG_DONTWAIT)
        one.sendall(b"b")
        return [held, first, polled(two, select.POLLIN, 50)]


@behaviour
def quickack_is_real() -> object:
    def quick(sock: Sock) -> int:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK)

    answers = []
    with Sock() as sock:
        for value in (0, 1, 2, 5):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, value)
            answers.append(quick(sock))
    one, two = pair()
    with one, two:
        answers.append(quick(two))
        for _ in range(3):  # a conversation
            one.sendall(b"?")
            two.recv(1)
            two.sendall(b"!")
            one.recv(1)
        answers.append(quick(two))
        two.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        answers.append(quick(two))
    with Sock() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
        with socket.create_connection(sock.getsockname()) as client, sock.accept()[0] as child:
            return [*answers, quick(client), quick(child)]


@behaviour
def a_datagram_socket_is_another() -> object:
    """Not TCP: still a socket that can be made."""
    with Sock(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return sock.type == socket.SOCK_DGRAM


@behaviour
def unix_sockets_are_the_kernels() -> object:
    one, two = socket.socketpair()
    with one, two:
        one.sendall(b"x")
        return [told(two.recv, 1), one.getsockname(), two.family == socket.AF_UNIX]


@behaviour
def descriptors_that_are_none() -> object:
    sock = Sock()
    number = sock.fileno()
    sock.close()
    try:
        Sock(fileno=number)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "?"


@behaviour
def resolving() -> object:
    def found(*args: object, **more: int) -> object:
        try:
            return sorted({(f, t, p, a) for f, t, p, _, a in socket.getaddrinfo(*args, **more)})  # type: ignore[arg-type]  # as given
        except socket.gaierror as error:
            return [error.errno]

    tcp = socket.SOCK_STREAM
    return [
        found("127.0.0.1", 80, type=tcp),
        found("1.2.3.4", "http", type=tcp),
        found(None, 80, family=socket.AF_INET, type=tcp),
        found(None, 80, family=socket.AF_INET, type=tcp, flags=socket.AI_PASSIVE),
        found("localhost", 80, family=socket.AF_INET, type=tcp),
        found("1.2.3", None, family=socket.AF_INET, type=tcp),
        found("256.1.1.1", 80, type=tcp, flags=socket.AI_NUMERICHOST),
        found("127.0.0.1", "no-such-service", type=tcp),
    ]


def hangs(_number: int, _frame: object) -> None:
    raise RuntimeError("hangs")


def main() -> None:
    signal.signal(signal.SIGALRM, hangs)
    for function in BEHAVIOURS:
        signal.alarm(30)
        try:
            answer = function()
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        print(json.dumps([function.__name__, answer], default=str), flush=True)


main()
