"""Stream sockets: addresses, conflicts, options, loopback; errnos are Linux's."""

from __future__ import annotations

import struct
import sys
from contextlib import suppress
from errno import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAGAIN,
    EALREADY,
    ECONNABORTED,
    ECONNREFUSED,
    EINVAL,
    EISCONN,
    ENETUNREACH,
    ENOTCONN,
    EPIPE,
)

import pytest
from script import PEER, PORT, US, App, Script, lab, read, script, write

from stack.config import Config
from stack.netstack import Netstack
from stack.socket import constants as c
from stack.socket.options import RAW, TABLE, WHOLE_ONLY, getsockopt, setsockopt
from stack.socket.stream import StreamSocket
from stack.socket.user import Address
from stack.wire import undotted
from stack.wire.ipv4 import Ipv4
from stack.wire.tcp import Tcp

LOCALHOST = undotted("127.0.0.1")


def fails(errno: int, call: object, *args: object) -> None:
    with pytest.raises(OSError) as raised:  # noqa: PT011  the errno is what matters
        call(*args)  # type: ignore[operator]
    assert raised.value.errno == errno


def socket(net: Netstack, reuse: bool = False) -> StreamSocket:
    sock = StreamSocket(net, App())
    sock.reuse_address = reuse
    return sock


def listening(net: Netstack, local: Address, reuse: bool = False) -> StreamSocket:
    sock = socket(net, reuse)
    sock.bind(local)
    sock.listen(5)
    return sock


# -- bind and its conflicts


def test_bind_conflicts_by_address_and_port() -> None:
    with lab() as t:
        first = socket(t.net)
        first.bind((US, 80))
        fails(EADDRINUSE, socket(t.net).bind, (US, 80))
        fails(EADDRINUSE, socket(t.net).bind, (0, 80))
        socket(t.net).bind((LOCALHOST, 80))  # another address
        socket(t.net).bind((US, 81))
        fails(EADDRNOTAVAIL, socket(t.net).bind, (PEER, 80))
        fails(EINVAL, first.bind, (US, 82))
        first.close()
        socket(t.net).bind((US, 80))


def test_a_wildcard_conflicts_with_everything_on_its_port() -> None:
    with lab() as t:
        socket(t.net).bind((0, 80))
        for address in (0, US, LOCALHOST):
            fails(EADDRINUSE, socket(t.net).bind, (address, 80))


def test_reuse_address_lets_sockets_bind_but_one_listen() -> None:
    with lab() as t:
        one, two = socket(t.net, True), socket(t.net, True)
        one.bind((0, 80))
        two.bind((0, 80))
        fails(EADDRINUSE, socket(t.net, False).bind, (0, 80))
        one.listen(1)
        fails(EADDRINUSE, two.listen, 1)
        fails(EADDRINUSE, socket(t.net, True).bind, (0, 80))  # while one listens
        one.close()
        two.listen(1)


def test_reuse_needs_both() -> None:
    with lab() as t:
        socket(t.net, False).bind((0, 80))
        fails(EADDRINUSE, socket(t.net, True).bind, (0, 80))


@pytest.mark.parametrize(("first", "second"), [(0, US), (US, 0), (US, US), (0, 0)])
def test_listeners_conflict_even_when_bound_before(first: int, second: int) -> None:
    with lab() as t:
        one, two = socket(t.net, True), socket(t.net, True)
        one.bind((first, 80))
        two.bind((second, 80))
        one.listen(1)
        fails(EADDRINUSE, two.listen, 1)
        fails(EADDRINUSE, two.listen, 1)  # and it still holds its port
        assert two.getsockname() == (second, 80)
        one.close()
        two.listen(1)


def test_listeners_on_two_addresses() -> None:
    with lab() as t:
        listening(t.net, (US, 80))
        listening(t.net, (LOCALHOST, 80))


def test_listening_again_changes_the_backlog() -> None:
    with lab() as t:
        sock = listening(t.net, (0, 80))
        sock.listen(77)
        assert sock.listener is not None
        assert sock.listener.backlog == 77
        sock.listen(-1)
        assert sock.listener.backlog == t.net.config.somaxconn  # as on Linux: very large
        sock.listen(1 << 30)
        assert sock.listener.backlog == t.net.config.somaxconn


def test_listen_without_bind_takes_a_port() -> None:
    with lab() as t:
        sock = socket(t.net)
        sock.listen(1)
        assert sock.getsockname()[1] >= t.net.config.port_first


def test_a_port_with_connections_needs_reuse() -> None:
    """A server restarts while an old connection lives, or lingers in TIME-WAIT."""
    with script() as t:
        t.listen()
        assert t.listener is not None
        t.listener.reuse_address = True
        t.accept()
        t.listener.close()
        fails(EADDRINUSE, socket(t.net).bind, (0, PORT))
        listening(t.net, (0, PORT), reuse=True).close()
        t.finish_writing()
        t.inject("FA", 1, 2)
        assert t.state == "TIME_WAIT"
        fails(EADDRINUSE, socket(t.net).bind, (0, PORT))
        listening(t.net, (0, PORT), reuse=True).close()
        t.run_ms(61_000)
        listening(t.net, (0, PORT))


def test_a_bound_port_is_given_back() -> None:
    for end in ("close", "connect", "listen"):
        with lab() as t:
            sock = socket(t.net)
            sock.bind((0, 5000))
            if end == "connect":
                sock.connect((PEER, 80))
            elif end == "listen":
                sock.listen(1)
            sock.close()
            t.run_ms(200_000)
            assert not t.net.tcp.connections.bound
            socket(t.net).bind((0, 5000))


# -- ephemeral ports

FEW = Config(port_first=50_000, port_last=50_009)


def test_ephemeral_ports_are_distinct_and_run_out() -> None:
    with lab(FEW) as t:
        socks = [socket(t.net) for _ in range(10)]
        for sock in socks:
            sock.bind((0, 0))
        assert {s.getsockname()[1] for s in socks} == set(range(50_000, 50_010))
        fails(EADDRINUSE, socket(t.net).bind, (0, 0))
        fails(EADDRNOTAVAIL, socket(t.net).connect, (PEER, 80))
        socks[4].close()
        socket(t.net).bind((0, 0))


def test_ephemeral_ports_are_shared_between_remotes() -> None:
    with lab(FEW) as t:
        for remote in range(3):
            for _ in range(10):
                socket(t.net).connect((PEER, 1000 + remote))
            fails(EADDRNOTAVAIL, socket(t.net).connect, (PEER, 1000 + remote))
        assert len(t.net.tcp.connections.table) == 30


def test_ephemeral_ports_spare_listeners() -> None:
    with lab(FEW) as t:
        for port in range(50_000, 50_009):
            listening(t.net, (0 if port % 2 else US, port))
        sock = socket(t.net)
        sock.connect((PEER, 80))
        assert sock.getsockname() == (US, 50_009)


def test_time_wait_ports_are_taken_last_and_after_a_second() -> None:
    with script(FEW) as t:
        for _ in range(10):
            t.app = App()
            t.sock = StreamSocket(t.net, t.app)
            t.connect()
            t.finish_writing()
            t.inject("FA", 1, 2)
            t.drain()
        assert len(t.net.tcp.connections.time_wait) == 10
        fails(EADDRNOTAVAIL, socket(t.net).connect, (PEER, PORT))
        t.run_ms(1500)
        t.app = App()
        t.sock = StreamSocket(t.net, t.app)
        t.connect()
        assert t.net.tcp.connections.counters["time_wait_recycled"] == 1


# -- names in every state


def test_getsockname_and_getpeername() -> None:
    with script() as t:
        assert t.sock.getsockname() == (0, 0)
        fails(ENOTCONN, t.sock.getpeername)
        t.connect()
        assert t.sock.getsockname() == (US, t.port)
        assert t.sock.getpeername() == (PEER, PORT)
        t.inject("FA", 1, 1)
        assert t.sock.getpeername() == (PEER, PORT)
        t.finish_writing()
        t.inject("A", 2, 2)
        assert t.sock.getsockname() == (US, t.port)


def test_names_while_connecting_and_after_a_reset() -> None:
    with script() as t:
        t.sock.connect((PEER, PORT))
        assert t.sock.getsockname()[0] == US
        fails(ENOTCONN, t.sock.getpeername)
    with script() as t:
        t.connect()
        t.inject("R", 1)
        fails(ENOTCONN, t.sock.getpeername)


def test_must44_must45_the_local_address_stays() -> None:
    with script() as t:
        t.sock.bind((0, 5000))
        t.connect()
        assert t.sock.getsockname() == (US, 5000)


def test_accepted_names() -> None:
    with script() as t:
        t.accept()
        assert t.sock.getsockname() == (US, PORT)
        assert t.sock.getpeername() == (PEER, t.peer_port)
        assert t.listener is not None
        assert t.listener.getsockname() == (0, PORT)
        fails(ENOTCONN, t.listener.getpeername)


# -- connect


def test_connect_errors() -> None:
    with script() as t:
        t.sock.connect((PEER, PORT))
        fails(EALREADY, t.sock.connect, (PEER, PORT))
        t.drain()
    with script() as t:
        t.connect()
        assert t.sock.connect((PEER, PORT)), "the attempt's outcome, told once"
        fails(EISCONN, t.sock.connect, (PEER, PORT))
        fails(EISCONN, listening(t.net, (0, 81)).connect, (PEER, PORT))
    with lab(configured=False) as bare:
        fails(ENETUNREACH, socket(bare.net).connect, (PEER, PORT))


def test_the_same_four_tuple_twice() -> None:
    with lab() as t:
        one, two = socket(t.net, True), socket(t.net, True)
        for sock in (one, two):
            sock.bind((US, 5000))
        one.connect((PEER, 80))
        fails(EADDRINUSE, two.connect, (PEER, 80))
        two.connect((PEER, 81))


def test_after_a_failure_a_socket_can_connect_elsewhere() -> None:
    """The address that was chosen for the first destination is not kept for the second."""
    with script() as t:
        t.sock.connect((LOCALHOST, 1))
        t.world.work()
        assert t.app.error == ECONNREFUSED
        fails(ECONNREFUSED, t.sock.connect, (PEER, PORT))
        t.sock.connect((PEER, PORT))
        t.world.work()
        syn = t.expect("S")
        assert syn.header.src == US
        assert t.sock.getsockname()[0] == US


def test_a_failure_is_told_once() -> None:
    with lab() as t:
        sock = socket(t.net)
        sock.connect((LOCALHOST, 1))
        t.world.work()
        fails(ECONNREFUSED, sock.connect, (LOCALHOST, 1))
        sock.connect((LOCALHOST, 1))
        t.world.work()
        assert struct.unpack("i", getsockopt(sock, c.SOL_SOCKET, c.SO_ERROR, 4)) == (ECONNREFUSED,)
        assert struct.unpack("i", getsockopt(sock, c.SOL_SOCKET, c.SO_ERROR, 4)) == (0,)


def test_a_bound_address_is_kept_after_a_failure() -> None:
    with lab() as t:
        sock = socket(t.net)
        sock.bind((LOCALHOST, 5000))
        sock.connect((LOCALHOST, 1))
        t.world.work()
        sock.take_error()
        fails(ECONNABORTED, sock.connect, (LOCALHOST, 2))  # as Linux, when it was told already
        sock.connect((LOCALHOST, 2))
        assert sock.getsockname() == (LOCALHOST, 5000)


# -- the rest of the calls


def test_accept_and_shutdown_errors() -> None:
    with script() as t:
        fails(EINVAL, t.sock.accept, lambda _s: App())
        fails(ENOTCONN, t.sock.shutdown, c.SHUT_WR)
        listener = t.listen()
        fails(EAGAIN, listener.accept, lambda _s: App())
        t.accept()
        fails(EINVAL, t.sock.shutdown, 3)
        fails(EINVAL, t.sock.listen, 1)
        t.sock.shutdown(c.SHUT_WR)
        t.finish_writing()
        buffer = t.hyper.memory.alloc(10)
        fails(EPIPE, t.sock.write, buffer, 0, 10)
        assert t.sock.send_space == 0


def test_shutdown_of_a_listener_stops_it() -> None:
    with script() as t:
        listener = t.listen()
        listener.shutdown(c.SHUT_RD)
        t.inject("S", 0, options=t.options())
        t.expect("RA")


def test_close_twice_and_unused() -> None:
    with script() as t:
        socket(t.net).close()
        t.connect()
        t.close_socket()
        t.close_socket()
        t.sock.abort()
        assert [s.flags for s in t.drain()].count("FA") <= 1


# -- loopback


@pytest.mark.parametrize("address", [LOCALHOST, US, undotted("127.9.9.9"), 0])
def test_two_sockets_on_one_stack(address: int) -> None:
    with lab() as t:
        free = t.hyper.memory.free_bytes
        listener = listening(t.net, (0, 80))
        near_app, far_app = App(), App()
        near = StreamSocket(t.net, near_app)
        near.connect((address, 80))
        t.world.work()
        assert near.was_connected
        far = listener.accept(lambda _s: far_app)
        assert far.getpeername() == near.getsockname()
        data = bytes(n % 251 for n in range(300_000))
        sent = 0
        while sent < len(data):
            count = write(t.net, near, data[sent : sent + 50_000])
            assert count
            sent += count
            t.world.work()
        assert far_app.got + read(far) == data
        write(t.net, far, b"answer")
        far.finish_writing()
        t.world.work()
        assert near_app.got == b"answer"
        near.close()
        t.world.work()
        listener.close()
        assert t.wire.take() == []
        near = far = listener = None  # type: ignore[assignment]
        t.run_ms(100_000)
        assert not t.net.tcp.connections.table
        assert not t.net.tcp.connections.time_wait
        assert len(t.net.callouts) == 0
        assert t.hyper.memory.free_bytes == free


def test_loopback_refuses() -> None:
    with lab() as t:
        app = App()
        StreamSocket(t.net, app).connect((LOCALHOST, 81))
        t.world.work()
        assert app.error == ECONNREFUSED


def test_a_loopback_reader_that_is_slow() -> None:
    """One segment of 64 kB is larger than the buffer: windows must still open."""
    with lab(Config(rcvbuf_bytes=16_384, sndbuf_bytes=16_384)) as t:
        listener = listening(t.net, (0, 80))
        near = StreamSocket(t.net, App())
        near.configure("nodelay", 1)
        near.connect((LOCALHOST, 80))
        t.world.work()
        far = listener.accept(lambda _s: App(0))
        data, sent, got = bytes(n % 249 for n in range(200_000)), 0, b""
        for _ in range(2000):
            sent += write(t.net, near, data[sent : sent + 8192])
            t.world.work()
            got += read(far, 5000)
            t.world.work()
            if len(got) == len(data):
                break
        assert got == data
        assert t.now_ms < 2000  # not one persist time-out after the other


# -- options


def stages(t: Script) -> list[StreamSocket]:
    """A socket in each state: fresh, bound, listening, connected, closed."""
    bound = socket(t.net)
    bound.bind((0, 7000))
    gone = socket(t.net)
    gone.close()
    return [socket(t.net), bound, listening(t.net, (0, 7001)), t.connect(), gone]


@pytest.mark.parametrize("option", sorted({*TABLE, *RAW}), ids=str)
def test_every_option_in_every_state(option: tuple[int, int]) -> None:
    """Reading cuts to the room there is and changes nothing; nonsense is an errno, no fault."""
    with script() as t:
        for sock in stages(t):
            fails(EINVAL, getsockopt, sock, *option, -1)
            for value in (*(bytes(length) for length in (0, 1, 3, 4, 8, 300)), b"\xff" * 8, None):
                with suppress(OSError):
                    setsockopt(sock, *option, value, 4, privileged=False)
            try:
                value = getsockopt(sock, *option, 16)
            except OSError:
                continue
            if option not in WHOLE_ONLY and option != (c.SOL_SOCKET, c.SO_BINDTODEVICE):
                assert value.startswith(getsockopt(sock, *option, 1))
                assert getsockopt(sock, *option, 0) == b""


def test_options_that_act_are_read_back_and_inherited() -> None:
    with script() as t:
        listener = t.listen()
        values = {
            (c.SOL_SOCKET, c.SO_KEEPALIVE): 1, (c.IPPROTO_TCP, c.TCP_NODELAY): 1,
            (c.IPPROTO_TCP, c.TCP_CORK): 1, (c.IPPROTO_TCP, c.TCP_KEEPIDLE): 33,
            (c.IPPROTO_TCP, c.TCP_KEEPINTVL): 44, (c.IPPROTO_TCP, c.TCP_KEEPCNT): 5,
            (c.IPPROTO_TCP, c.TCP_USER_TIMEOUT): 9000, (c.IPPROTO_IP, c.IP_TOS): 0x10,
            (c.IPPROTO_IP, c.IP_TTL): 9,
        }  # fmt: skip
        for option, number in values.items():
            setsockopt(listener, *option, struct.pack("i", number))
        setsockopt(listener, c.SOL_SOCKET, c.SO_LINGER, struct.pack("ii", 1, 7))
        t.accept()
        for sock in (listener, t.sock):
            for option, number in values.items():
                assert struct.unpack("i", getsockopt(sock, *option, 4)) == (number,), option
            linger = getsockopt(sock, c.SOL_SOCKET, c.SO_LINGER, 8)
            assert struct.unpack("ii", linger) == (1, 7)


def test_must48_must49_tos_and_ttl_are_sent() -> None:
    with script() as t:
        t.connect()
        setsockopt(t.sock, c.IPPROTO_IP, c.IP_TOS, struct.pack("i", 0x10))
        setsockopt(t.sock, c.IPPROTO_IP, c.IP_TTL, struct.pack("i", 9))
        t.write(b"x")
        header = t.expect("AP").header
        assert (header.tos, header.ttl) == (0x10, 9)


@pytest.mark.parametrize(
    ("level", "name", "numbers"),
    [
        (c.IPPROTO_TCP, c.TCP_KEEPIDLE, (0, -1, 32768)), (c.IPPROTO_TCP, c.TCP_KEEPCNT, (0, 128)),
        (c.IPPROTO_TCP, c.TCP_MAXSEG, (87, 32768)), (c.IPPROTO_TCP, c.TCP_USER_TIMEOUT, (-1,)),
        (c.IPPROTO_IP, c.IP_TTL, (0, 256)), (c.IPPROTO_IP, c.IP_MTU_DISCOVER, (-1, 6)),
    ],
)  # fmt: skip
def test_values_out_of_range(level: int, name: int, numbers: tuple[int, ...]) -> None:
    with lab() as t:
        sock = socket(t.net)
        for number in numbers:
            fails(EINVAL, setsockopt, sock, level, name, struct.pack("i", number))


def test_buffer_sizes_are_doubled_and_bounded() -> None:
    with lab() as t:
        sock = socket(t.net)
        for name, least in ((c.SO_SNDBUF, 4608), (c.SO_RCVBUF, 2304)):
            for number, result in (
                (100_000, 200_000),
                (1, least),
                (1 << 30, 8 << 20),
                (-5, 8 << 20),
            ):
                setsockopt(sock, c.SOL_SOCKET, name, struct.pack("i", number))
                assert struct.unpack("i", getsockopt(sock, c.SOL_SOCKET, name, 4)) == (result,)


def test_the_receive_buffer_decides_window_and_scale() -> None:
    """Less what Linux's other half is for; here it is between the program and the stack."""
    for number, window, scale in ((4000, 3392, 0), (4 << 20, 65535, 8)):
        with script() as t:
            setsockopt(t.sock, c.SOL_SOCKET, c.SO_RCVBUF, struct.pack("i", number))
            t.sock.connect((PEER, PORT))
            syn = t.expect("S")
            assert syn.win == window
            assert syn.options.window_scale == scale


def test_maxseg_limits_both_ways() -> None:
    with script() as t:
        setsockopt(t.sock, c.IPPROTO_TCP, c.TCP_MAXSEG, struct.pack("i", 1000))
        t.sock.connect((PEER, PORT))
        syn = t.expect("S")
        assert syn.options.mss == 1000
        t.port, t.peer_port = syn.port, PORT
        t.inject("SA", 0, 1, options=t.options(1460))
        t.drain()
        t.write(bytes(5000))
        t.expect("A", seq=1, length=1000)
        assert struct.unpack("i", getsockopt(t.sock, c.IPPROTO_TCP, c.TCP_MAXSEG, 4)) == (1000,)


def test_keepidle_counts_from_when_it_is_set() -> None:
    """SO_KEEPALIVE first and TCP_KEEPIDLE then: the usual order."""
    with script() as t:
        t.connect()
        setsockopt(t.sock, c.SOL_SOCKET, c.SO_KEEPALIVE, struct.pack("i", 1))
        setsockopt(t.sock, c.IPPROTO_TCP, c.TCP_KEEPIDLE, struct.pack("i", 10))
        t.run_ms(9_999)
        t.expect_nothing()
        t.run_ms(1)
        t.expect("A", seq=0)


def test_uncorking_and_nodelay_send() -> None:
    for name, number in ((c.TCP_CORK, 0), (c.TCP_NODELAY, 1)):
        with script() as t:
            t.connect()
            if name == c.TCP_CORK:
                setsockopt(t.sock, c.IPPROTO_TCP, c.TCP_CORK, struct.pack("i", 1))
            else:
                t.write(b"first")
                t.expect("AP")
            t.write(b"held")
            t.expect_nothing()
            setsockopt(t.sock, c.IPPROTO_TCP, name, struct.pack("i", number))
            t.expect("AP", data=b"held")


def test_unknown_congestion_control() -> None:
    with lab() as t:
        fails(2, setsockopt, socket(t.net), c.IPPROTO_TCP, c.TCP_CONGESTION, b"cubic")


# -- TCP_INFO


def word_at(info: bytes, at: int) -> int:
    return int.from_bytes(info[at : at + 4], sys.byteorder)


def quad_at(info: bytes, at: int) -> int:
    return int.from_bytes(info[at : at + 8], sys.byteorder)


def test_tcp_info_is_a_prefix_of_linuxs_struct() -> None:
    """Offsets from linux/tcp.h, found with offsetof."""
    with script() as t:
        t.connect()
        t.write(bytes(5000))
        t.inject("AP", 1, 2921, b"0123456789")
        t.drain()
        info = getsockopt(t.sock, c.IPPROTO_TCP, c.TCP_INFO, 1000)
        assert len(info) == 232  # up to tcpi_snd_wnd: Linux 5.4's
        assert word_at(info, 228) == t.sock.tcb.snd_wnd  # type: ignore[union-attr]
        assert info[0] == 1  # tcpi_state
        tcb = t.sock.tcb
        assert tcb is not None
        assert word_at(info, 8) == tcb.rto_ns // 1000
        assert word_at(info, 16) == 1460  # tcpi_snd_mss
        assert word_at(info, 60) == 1500  # tcpi_pmtu
        assert word_at(info, 68) == tcb.srtt_ns // 1000
        assert word_at(info, 80) == tcb.cwnd // 1460
        assert word_at(info, 100) == 0  # tcpi_total_retrans
        assert quad_at(info, 120) == 2920  # tcpi_bytes_acked
        assert quad_at(info, 128) == 10  # tcpi_bytes_received
        for room in (0, 1, 104, 2000):
            assert getsockopt(t.sock, c.IPPROTO_TCP, c.TCP_INFO, room) == info[:room]


def test_tcp_info_in_every_state() -> None:
    with script() as t:
        states = [getsockopt(s, c.IPPROTO_TCP, c.TCP_INFO, 1)[0] for s in stages(t)]
        assert states == [7, 7, 10, 1, 7]
        t.finish_writing()
        assert getsockopt(t.sock, c.IPPROTO_TCP, c.TCP_INFO, 1)[0] == 4
        t.inject("FA", 1, 2)
        assert getsockopt(t.sock, c.IPPROTO_TCP, c.TCP_INFO, 1)[0] == 6


def test_options_of_a_socket_that_answers_a_forwarded_syn_hold() -> None:
    """A gateway's sockets (netdev user) choose before there is a connection."""
    with script() as t:
        sock = StreamSocket(t.net, t.app)
        sock.configure("nodelay", 1)
        sock.configure("rcvbuf_bytes", 40_000)

        def forward(header: Ipv4, segment: Tcp) -> bool:
            sock.answer(header, segment)
            return True

        t.net.tcp.segments.forwarder = forward
        t.inject("S", options=t.options())
        t.expect("SA", win=40_000)
        t.inject("A", 1, 1)
        assert sock.tcb is not None
        assert sock.tcb.nodelay == 1
        assert (sock.local, sock.remote) == ((US, t.port), (PEER, t.peer_port))
        t.sock = sock
        t.write(b"head")
        t.write(b"body")
        assert [s.data for s in t.drain()] == [b"head", b"body"]
