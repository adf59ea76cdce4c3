"""Options that change what TCP does: SO_REUSEPORT, TCP_DEFER_ACCEPT, TCP_SYNCNT and times."""

from __future__ import annotations

import struct
from errno import EADDRINUSE, ETIMEDOUT

import pytest
from script import PEER, PORT, App, Script, lab, script

from stack.socket import constants as c
from stack.socket.options import setsockopt
from stack.socket.stream import StreamSocket

TCP = c.IPPROTO_TCP


def put(sock: StreamSocket, name: int, number: int, level: int = TCP) -> None:
    setsockopt(sock, level, name, struct.pack("i", number))


def member(t: Script) -> StreamSocket:
    sock = StreamSocket(t.net, App())
    put(sock, c.SO_REUSEPORT, 1, c.SOL_SOCKET)
    sock.bind((0, PORT))
    sock.listen(100)
    return sock


def connections(t: Script, count: int, first: int = 2000) -> None:
    for port in range(first, first + count):
        t.peer_port = port
        t.inject("S", 0, options=t.options(1460))
        t.expect("SA")
        t.inject("A", 1, 1)
        t.drain()


def waiting(sock: StreamSocket) -> int:
    assert sock.listener is not None
    return len(sock.listener.ready)


def test_reuse_port_shares_connections_out() -> None:
    with script() as t:
        members = [member(t) for _ in range(3)]
        connections(t, 60)
        counts = [waiting(sock) for sock in members]
        assert sum(counts) == 60
        assert min(counts) > 5
        members[0].close()
        t.drain()  # resets
        connections(t, 20, 5000)
        assert sum(waiting(sock) for sock in members[1:]) == sum(counts[1:]) + 20
        for sock in members[1:]:
            sock.close()
        assert not t.net.tcp.connections.listeners


@pytest.mark.parametrize("case", range(64))
def test_two_on_one_port(case: int) -> None:
    """Linux: both SO_REUSEPORT; or both SO_REUSEADDR, and the first does not listen."""
    with lab() as t:
        one, two = (StreamSocket(t.net, App()) for _ in range(2))
        for sock, bits in ((one, case & 3), (two, case >> 2 & 3)):
            sock.reuse_address, sock.reuse_port = bool(bits & 1), bool(bits & 2)
        one.bind((0, PORT))
        if case & 16:
            one.listen(1)
        common = case & case >> 2
        allowed = common & 2 or (common & 1 and not case & 16)
        address = 0x7F000001 if case & 32 else 0
        if allowed:
            two.bind((address, PORT))
        else:
            with pytest.raises(OSError, match=f"Errno {EADDRINUSE}"):
                two.bind((address, PORT))
        one.close()
        two.close()


def test_deferred_accept_waits_for_text() -> None:
    with script() as t:
        listener = t.listen()
        put(listener, c.TCP_DEFER_ACCEPT, 3)  # two SYN-ACKs' time
        t.inject("S", 0, options=t.options(1460))
        t.expect("SA")
        t.inject("A", 1, 1)
        assert waiting(listener) == 0
        t.inject("AP", 1, 1, data=b"GET")
        assert waiting(listener) == 1


def test_deferred_accept_gives_up_deferring() -> None:
    with script() as t:
        listener = t.listen()
        put(listener, c.TCP_DEFER_ACCEPT, 3)
        t.inject("S", 0, options=t.options(1460))
        t.expect("SA")
        t.inject("A", 1, 1)
        t.run_ms(2000)
        t.expect_nothing()
        t.run_ms(2000)
        t.expect("SA")
        t.inject("A", 1, 1)
        assert waiting(listener) == 1


def test_syncnt_bounds_the_attempts() -> None:
    with script() as t:
        put(t.sock, c.TCP_SYNCNT, 2)
        t.sock.connect((PEER, PORT))
        for _ in range(3):
            t.expect("S")
            t.run_ms(5000)
        t.run_ms(60_000)
        t.expect_nothing()
        assert t.sock.take_error() == ETIMEDOUT


def test_linger2_is_how_long_fin_wait_2_lasts() -> None:
    for seconds in (1, 5):
        with script() as t:
            t.connect()
            put(t.sock, c.TCP_LINGER2, seconds)
            t.close_socket()
            t.expect("FA")
            t.inject("A", 1, 2)
            t.run_ms(seconds * 1000 - 100)
            assert t.net.tcp.connections.table
            t.run_ms(200)
            assert not t.net.tcp.connections.table


def test_user_timeout_ends_a_closed_window() -> None:
    with script() as t:
        t.connect()
        put(t.sock, c.TCP_USER_TIMEOUT, 5000)
        t.inject("A", 1, 1, win=0)
        t.write(b"x")
        for _ in range(20):
            t.run_ms(1000)
            if t.sock.failed:
                break
            t.drain()
            t.inject("A", 1, 1, win=0)
        assert t.sock.take_error() == ETIMEDOUT
        assert 5_000 <= t.now_ms <= 8_000


def test_a_connection_that_was_reset_in_the_backlog_is_accepted() -> None:
    with script() as t:
        listener = t.listen()
        t.inject("S", 0, options=t.options(1460))
        t.expect("SA")
        t.inject("A", 1, 1)
        t.inject("R", 1)
        child = listener.accept(lambda _sock: App())
        assert child.failed
        assert child.take_error()
