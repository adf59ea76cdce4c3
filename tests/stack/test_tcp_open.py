"""Opening connections: RFC 9293, 3.5, 3.10.7.2, 3.10.7.3; one test per rule."""

from __future__ import annotations

from errno import ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT

import pytest
from script import PEER, PORT, App, Script, script

from stack.config import Config
from stack.socket.stream import StreamSocket
from stack.wire import undotted


def test_active_open() -> None:
    with script() as t:
        t.connect()
        assert t.state == "ESTABLISHED"
        assert t.app.events == ["connected"]
        assert t.sock.getpeername() == (PEER, PORT)
        t.write(b"hello")
        t.expect("AP", seq=1, ack=1, data=b"hello")


def test_passive_open() -> None:
    with script() as t:
        t.accept()
        assert t.state == "ESTABLISHED"
        assert t.app.events == ["readable"]  # of the listener: something to accept
        t.write(b"hello")
        t.expect("AP", seq=1, ack=1, data=b"hello")


def test_should5_must14_must67_syn_carries_the_mss_of_the_interface() -> None:
    with script(mtu_bytes=1300) as t:
        t.sock.connect((PEER, PORT))
        syn = t.expect("S", seq=0)
        assert syn.options.mss == 1260
        assert syn.options.window_scale is not None


def test_must65_only_syns_carry_the_mss() -> None:
    with script() as t:
        t.connect(scale=3)
        t.write(bytes(5000))
        assert all(s.options.mss is None and s.options.window_scale is None for s in t.drain())


def test_must15_without_the_option_the_mss_is_536() -> None:
    with script() as t:
        t.connect(mss=None)
        t.write(bytes(1000))
        t.expect("A", seq=1, length=536)


def test_must16_the_smaller_mss_counts() -> None:
    for mss, length in ((1000, 1000), (4000, 1460)):
        with script() as t:
            t.connect(mss=mss)
            t.write(bytes(8000))
            t.expect("A", seq=1, length=length)


def test_a_tiny_mss_is_not_believed() -> None:
    with script() as t:
        t.connect(mss=0)
        t.write(bytes(1000))
        t.expect("A", seq=1, length=64)


def test_window_scale_needs_both() -> None:
    """RFC 7323, 2.2."""
    with script() as t:
        t.connect(scale=None)
        t.inject("AP", 1, 1, b"x" * 100)
        assert t.sock.tcb is not None
        assert not t.sock.tcb.scaled
        t.run_ms(50)
        assert t.expect("A").win == 65535
    with script() as t:
        t.accept(scale=None)
        assert t.sock.tcb is not None
        assert not t.sock.tcb.scaled


def test_the_synack_offers_scaling_only_in_answer() -> None:
    for scale, offered in ((None, False), (7, True)):
        with script() as t:
            t.listen()
            t.inject("S", 0, options=t.options(1460, scale))
            assert (t.expect("SA").options.window_scale is not None) == offered


def test_the_peers_window_is_scaled_but_not_in_its_syn() -> None:
    with script() as t:
        t.connect(scale=4, win=3000)  # of the SYN-ACK: not scaled
        t.write(bytes(100_000))
        assert sum(len(s.data) for s in t.drain()) <= 3000
        t.inject("A", 1, 2921, win=1000)
        assert t.sock.tcb is not None
        assert t.sock.tcb.snd_wnd == 16000


def test_a_window_scale_above_14_counts_as_14() -> None:
    with script() as t:
        t.connect(scale=15, win=1000)
        t.inject("A", 1, 1, win=1)
        assert t.sock.tcb is not None
        assert t.sock.tcb.snd_wnd == 1 << 14


def test_must4_must6_must64_options_on_any_alignment_unknown_ones_ignored() -> None:
    with script() as t:
        t.listen()
        options = b"\1\1\1" + b"\xfd\6abcd" + b"\2\4\3\xe8" + b"\5\2" + b"\0garbage"
        t.inject("S", 0, options=options)
        t.expect("SA")
        t.inject("A", 1, 1)
        t.sock = t.listener.accept(lambda _s: t.app)  # type: ignore[union-attr]
        assert t.sock.tcb is not None
        assert t.sock.tcb.mss == 1000


@pytest.mark.parametrize(
    "options", [b"\2\0\0\0", b"\2\1\0\0", b"\2\5\0\0", b"\3\xff\0\0", b"\1\1\1\2"]
)
def test_must7_illegal_option_lengths_do_no_harm(options: bytes) -> None:
    with script() as t:
        t.listen()
        t.inject("S", 0, options=options)
        t.drain()
        t.inject("S", 5000, options=t.options(), peer_port=40001)
        assert t.expect("SA").peer_port == 40001


def test_must5_options_are_accepted_in_any_segment() -> None:
    with script() as t:
        t.accept()
        t.inject("AP", 1, 1, b"data", options=b"\2\4\0\1\1\1\x08\x0aabcdefgh")
        assert t.app.got == b"data"
        t.inject("AP", 5, 1, b"more", options=b"\2\xff\0\1")
        assert t.app.got == b"datamore"


def test_must10_simultaneous_open() -> None:
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.port = t.expect("S", seq=0).port
        t.inject("S", 0, options=t.options())
        t.expect("SA", seq=0, ack=1)
        assert t.state == "SYN_RECEIVED"
        t.inject("SA", 0, 1, options=t.options())
        t.inject("A", 1, 1)
        assert t.state == "ESTABLISHED"
        assert t.app.events == ["connected"]
        t.drain()
        t.write(b"both")
        t.expect("AP", seq=1, ack=1, data=b"both")


def test_figure_8_two_stacks_open_at_once() -> None:
    """A connection to oneself is one (self-connect): both SYNs cross."""
    with script() as t:
        t.sock.bind((0, 5000))
        t.sock.connect((undotted("10.0.0.1"), 5000))
        t.world.work()
        assert t.state == "ESTABLISHED"
        t.write(b"echo")
        assert t.app.got == b"echo"


def test_syn_sent_ignores_what_is_neither_syn_nor_reset() -> None:
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.port = t.expect("S").port
        t.inject("A", 1, 1, b"data")
        t.inject("", 1)
        t.expect_nothing()
        assert t.state == "SYN_SENT"


def test_syn_sent_answers_a_wrong_ack_with_reset() -> None:
    """3.10.7.3, first; half-open discovery, figure 10."""
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.port = t.expect("S").port
        t.inject("A", 1000, 500)
        t.expect("R", seq=500)
        t.inject("SA", 0, 2, options=t.options())
        t.expect("R", seq=2)
        t.inject("RA", 0, 7)
        t.expect_nothing()
        assert t.state == "SYN_SENT"


def test_connection_refused() -> None:
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.port = t.expect("S").port
        t.inject("R", 0)  # without ACK it may be anybody's
        assert t.state == "SYN_SENT"
        t.inject("RA", 0, 1)
        assert t.app.error == ECONNREFUSED
        assert t.gone
        t.expect_nothing()


def test_must23_syn_is_repeated_for_three_minutes_with_doubling() -> None:
    with script() as t:
        t.sock.connect((PEER, PORT))
        t.world.run_until(lambda: t.app.error is not None)
        assert t.app.error == ETIMEDOUT
        assert t.now_ms >= 180_000
        times = [s.time_ms for s in t.drain()]
        assert times[:7] == [0, 1000, 3000, 7000, 15000, 31000, 63000]
        assert t.gone


def test_synack_is_repeated_and_given_up() -> None:
    with script() as t:
        t.listen()
        t.inject("S", 0, options=t.options())
        t.expect("SA", at_ms=0)
        for time_ms in (1000, 3000, 7000, 15000, 31000):
            t.run_ms(time_ms - t.now_ms)
            t.expect("SA", seq=0, ack=1, at_ms=time_ms)
        t.run_ms(120_000)
        t.expect_nothing()
        assert t.gone
        assert not t.listener.listener.half_open  # type: ignore[union-attr]


def test_a_repeated_syn_is_answered() -> None:
    """The SYN-ACK was lost, the peer asks again: it must get a SYN-ACK, now or by our timer."""
    with script() as t:
        t.listen()
        t.inject("S", 0, options=t.options())
        t.expect("SA")
        t.inject("S", 0, options=t.options())
        t.expect("SA", seq=0, ack=1)
        t.inject("A", 1, 1)
        assert t.listener.listener.ready  # type: ignore[union-attr]


def test_syn_received_returns_to_listen_on_reset() -> None:
    """Figure 5; MUST-11: a passive open is not told of a refusal."""
    with script() as t:
        t.listen()
        t.inject("S", 0, options=t.options())
        t.expect("SA")
        t.inject("R", 1)
        assert t.gone
        assert t.app.events == []
        t.expect_nothing()
        t.inject("S", 700, options=t.options())
        t.expect("SA", ack=701)


def test_must11_syn_received_of_an_active_open_is_refused_by_reset() -> None:
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.port = t.expect("S").port
        t.inject("S", 0, options=t.options())
        t.expect("SA")
        t.inject("R", 1)
        assert t.app.error == ECONNREFUSED


def test_syn_received_answers_a_wrong_ack_with_reset() -> None:
    with script() as t:
        t.listen()
        t.inject("S", 0, options=t.options())
        t.expect("SA")
        t.inject("A", 1, 99)
        t.expect("R", seq=99)


def test_old_duplicate_syn_figure_9() -> None:
    with script() as t:
        t.listen()
        t.inject("S", 0, options=t.options())
        t.expect("SA", ack=1)
        t.inject("R", 1)  # "I never said that"
        t.inject("S", 1000, options=t.options())
        t.expect("SA", ack=1001)
        t.inject("A", 1001, 1)
        assert len(t.listener.listener.ready) == 1  # type: ignore[union-attr]


def test_listen_ignores_resets_and_resets_acknowledgements() -> None:
    """3.10.7.2."""
    with script() as t:
        t.listen()
        t.inject("R", 5)
        t.inject("RA", 5, 9)
        t.expect_nothing()
        t.inject("A", 5, 9)
        t.expect("R", seq=9)
        t.inject("SA", 5, 9)
        t.expect("R", seq=9)
        t.inject("F", 5)
        t.inject("", 5, data=b"nonsense")
        t.expect_nothing()


def test_closed_answers_with_reset() -> None:
    """3.10.7.1."""
    with script() as t:
        t.inject("S", 0, options=t.options())
        t.expect("RA", seq=0, ack=1)
        t.inject("A", 1, 77, b"data")
        t.expect("R", seq=77)
        t.inject("F", 5, data=b"abc")
        t.expect("RA", seq=0, ack=9)
        t.inject("R", 5)
        t.expect_nothing()


def test_text_in_a_syn_is_not_lost() -> None:
    with script() as t:
        t.listen()
        t.inject("S", 0, data=b"early", options=t.options())
        t.expect("SA", ack=1)
        t.inject("AP", 1, 1, b"early")
        t.sock = t.listener.accept(lambda _s: t.app)  # type: ignore[union-attr]
        assert t.read() + bytes(t.app.got) == b"early"


def test_data_before_accept_waits() -> None:
    """The program has not called accept yet: nothing may be lost, and nothing reset."""
    with script() as t:
        t.listen()
        t.inject("S", 0, options=t.options())
        t.expect("SA")
        t.inject("A", 1, 1)
        t.inject("AP", 1, 1, b"request")
        t.inject("AF", 8, 1)
        assert all("R" not in s.flags for s in t.drain())
        t.sock = t.listener.accept(lambda _s: t.app)  # type: ignore[union-attr]
        assert t.read() == b"request"
        assert t.sock.at_eof
        t.write(b"answer")
        t.expect("AP", seq=1, ack=9, data=b"answer")


def test_backlog_holds_back_the_last_ack() -> None:
    with script() as t:
        t.listen(backlog=1)
        for n in range(3):
            t.inject("S", 0, options=t.options(), peer_port=41000 + n)
            synack = t.take()
            if synack is not None:
                t.inject("A", 1, 1, peer_port=41000 + n)
        listener = t.listener
        assert listener is not None
        assert listener.listener is not None
        assert len(listener.listener.ready) == 2  # one more than the backlog, as on BSD and Linux
        listener.accept(lambda _s: App())
        t.inject("S", 0, options=t.options(), peer_port=41009)
        t.expect("SA")
        t.inject("A", 1, 1, peer_port=41009)
        assert len(listener.listener.ready) == 2


def test_syn_flood_keeps_the_newest_and_the_table_small() -> None:
    with script(Config(syn_backlog=16)) as t:
        t.listen()
        for n in range(100):
            t.inject("S", 0, options=t.options(), peer_port=42000 + n)
        assert len(t.net.tcp.connections.table) == 16
        assert t.net.tcp.opener.counters["half_open_dropped"] == 84
        t.drain()
        t.inject("S", 0, options=t.options(), peer_port=50000)
        t.expect("SA")
        t.inject("A", 1, 1, peer_port=50000)
        assert len(t.listener.listener.ready) == 1  # type: ignore[union-attr]
        t.run_ms(300_000)
        assert len(t.net.tcp.connections.table) == 1  # the rest has timed out


def test_must57_must63_syns_to_and_from_broadcast_addresses_are_ignored() -> None:
    with script() as t:
        t.listen()
        for dst in ("255.255.255.255", "10.0.0.255", "224.0.0.1"):
            t.inject("S", 0, options=t.options(), dst=undotted(dst))
        for src in ("255.255.255.255", "10.0.0.255", "224.0.0.1", "0.0.0.0", "127.0.0.1"):
            t.inject("S", 0, options=t.options(), src=undotted(src))
        t.expect_nothing()
        assert t.gone


def test_land_attack() -> None:
    """A SYN from our own address and port cannot have come over a wire."""
    with script() as t:
        t.listen()
        t.inject("S", 0, options=t.options(), src=undotted("10.0.0.1"), peer_port=PORT)
        t.expect_nothing()
        assert t.gone


def test_must46_no_connection_to_many() -> None:
    with script() as t:
        for remote in ("224.0.0.1", "255.255.255.255"):
            with pytest.raises(OSError, match="two ends") as raised:
                t.sock.connect((undotted(remote), 80))
            assert raised.value.errno == ENETUNREACH


def test_nobody_answers_arp() -> None:
    with script() as t:
        t.wire.answers = False
        t.net.ethernet[0].arp.entries.clear()
        t.sock.connect((undotted("10.0.0.77"), PORT))
        t.run_ms(10_000)
        assert t.app.error == EHOSTUNREACH
        assert t.gone


def test_shld1_initial_sequence_numbers_differ_by_connection_and_grow() -> None:
    """RFC 6528."""
    with script() as t:
        numbers = []
        for _ in range(2):
            for port in (1000, 1001):
                sock = StreamSocket(t.net, App())
                sock.connect((PEER, port))
                syn = t.expect("S")
                numbers.append(t.iss)
                t.inject("RA", 0, 1, port=syn.port, peer_port=port)
                assert t.gone
        assert len(set(numbers)) == 4


def test_close_in_syn_sent_forgets_the_connection() -> None:
    with script() as t:
        t.sock.connect((PEER, PORT))
        t.expect("S")
        t.close_socket()
        assert t.gone
        t.run_ms(10_000)
        t.expect_nothing()


def test_close_in_syn_received_sends_a_fin_once_established() -> None:
    """3.10.4: queued until the handshake has ended; the SYN-ACK is repeated until then."""
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.port = t.expect("S").port
        t.inject("S", 0, options=t.options())
        t.expect("SA", seq=0, ack=1)
        t.close_socket()
        t.expect_nothing()
        t.run_ms(1000)
        t.expect("SA", seq=0, ack=1)
        t.inject("A", 1, 1)
        t.expect("FA", seq=1, ack=1)
        t.inject("A", 1, 2)
        assert t.state == "FIN_WAIT_2"
        t.inject("FA", 1, 2)
        t.expect("A", seq=2, ack=2)


def test_closing_a_listener_resets_what_nobody_accepted() -> None:
    with script() as t:
        t.listen()
        t.inject("S", 0, options=t.options())
        t.expect("SA")
        t.inject("A", 1, 1)
        t.listener.close()  # type: ignore[union-attr]
        t.expect("RA", seq=1)
        assert t.gone
        t.inject("S", 0, options=t.options())
        t.expect("RA")


def test_accept_tells_nobody_connected() -> None:
    """`connected` is the end of connect(); an accepted socket was born connected."""
    with script() as t:
        listener = t.listen()
        children: list[StreamSocket] = []
        app = App()
        t.app.readable = lambda: children.append(listener.accept(lambda _s: app))  # type: ignore[method-assign]
        listener.attach(t.app)
        assert listener.listener is not None
        listener.listener.acceptable = t.app.readable
        t.inject("S", 0, options=t.options())
        t.expect("SA")
        t.inject("A", 1, 1)
        assert len(children) == 1
        assert app.events == []


def scripted(t: Script) -> list[str]:
    return [f"{s.time_ms} {s}" for s in t.drain()]


def test_same_script_same_segments() -> None:
    runs = []
    for _ in range(2):
        with script() as t:
            t.connect()
            t.write(bytes(10000))
            t.run_ms(5000)
            runs.append(scripted(t))
    assert runs[0] == runs[1]
