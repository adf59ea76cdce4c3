"""Closing connections: RFC 9293, 3.6 and figure 5's lower half; resets; TIME-WAIT."""

from __future__ import annotations

from errno import ECONNABORTED, ECONNRESET, EPIPE, ETIMEDOUT

import pytest
from script import PEER, PEER_PORT, App, Script, script

from stack.config import Config
from stack.tcp.state import NEXT, On, State


def test_figure_5_is_what_the_table_says() -> None:
    rows = {(a.name, e.name): b.name for (a, e), b in NEXT.items() if e != On.DELETE}
    assert rows == {
        ("CLOSED", "ACTIVE_OPEN"): "SYN_SENT",
        ("CLOSED", "PASSIVE_OPEN"): "SYN_RECEIVED",
        ("SYN_SENT", "RCV_SYN_ACK"): "ESTABLISHED",
        ("SYN_SENT", "RCV_SYN"): "SYN_RECEIVED",
        ("SYN_RECEIVED", "RCV_ACK_OF_SYN"): "ESTABLISHED",
        ("ESTABLISHED", "CLOSE"): "FIN_WAIT_1",
        ("ESTABLISHED", "RCV_FIN"): "CLOSE_WAIT",
        ("FIN_WAIT_1", "RCV_ACK_OF_FIN"): "FIN_WAIT_2",
        ("FIN_WAIT_1", "RCV_FIN"): "CLOSING",
        ("FIN_WAIT_2", "RCV_FIN"): "TIME_WAIT",
        ("CLOSING", "RCV_ACK_OF_FIN"): "TIME_WAIT",
        ("CLOSE_WAIT", "CLOSE"): "LAST_ACK",
        ("LAST_ACK", "RCV_ACK_OF_FIN"): "CLOSED",
    }
    assert all(NEXT[state, On.DELETE] == State.CLOSED for state in State)


def test_figure_12_normal_close() -> None:
    with script() as t:
        t.connect()
        t.finish_writing()
        t.expect("FA", seq=1, ack=1)
        assert t.state == "FIN_WAIT_1"
        t.inject("A", 1, 2)
        assert t.state == "FIN_WAIT_2"
        t.inject("AP", 1, 2, b"half-closed")  # the peer may still send
        assert t.app.got == b"half-closed"
        t.run_ms(40)
        t.expect("A", seq=2, ack=12)
        t.inject("FA", 12, 2)
        t.expect("A", seq=2, ack=13)
        assert t.state == "TIME_WAIT"
        assert t.app.events[-1] == "closed"
        assert t.app.error == 0
        assert not t.gone
        t.run_ms(60_000)
        assert t.gone


def test_passive_close() -> None:
    with script() as t:
        t.accept()
        t.inject("FA", 1, 1)
        t.expect("A", seq=1, ack=2)
        assert t.state == "CLOSE_WAIT"
        assert t.sock.at_eof
        t.write(b"last words")
        t.expect("AP", seq=1, ack=2, data=b"last words")
        t.finish_writing()
        t.expect("FA", seq=11, ack=2)
        assert t.state == "LAST_ACK"
        t.inject("A", 2, 12)
        assert t.app.error == 0
        assert t.gone


def test_figure_13_simultaneous_close() -> None:
    with script() as t:
        t.connect()
        t.finish_writing()
        t.expect("FA", seq=1, ack=1)
        t.inject("FA", 1, 1)
        t.expect("A", seq=2, ack=2)
        assert t.state == "CLOSING"
        t.inject("A", 2, 2)
        assert t.state == "TIME_WAIT"


def test_fin_and_ack_of_fin_in_one_segment() -> None:
    with script() as t:
        t.connect()
        t.finish_writing()
        t.expect("FA", seq=1)
        t.inject("FA", 1, 2)
        t.expect("A", seq=2, ack=2)
        assert t.state == "TIME_WAIT"


def test_fin_follows_queued_data() -> None:
    with script() as t:
        t.connect(win=1000)
        t.write(bytes(1500))
        t.expect("A", seq=1, length=1000)
        t.finish_writing()
        t.expect_nothing()
        t.inject("A", 1, 1001, win=1000)
        t.expect("FPA", seq=1001, length=500)


def test_fin_is_repeated() -> None:
    with script() as t:
        t.connect()
        t.finish_writing()
        first = t.expect("FA", seq=1)
        t.run_ms(1000)
        again = t.expect("FA", seq=1, ack=1)
        assert again.time_ms > first.time_ms
        t.inject("A", 1, 2)
        assert t.state == "FIN_WAIT_2"


def test_fin_lost_with_its_data() -> None:
    with script() as t:
        t.connect()
        t.write(b"bye")
        t.finish_writing()
        t.drain()
        t.run_ms(400)
        t.expect("FPA", seq=1, data=b"bye")
        t.inject("A", 1, 4)
        assert t.state == "FIN_WAIT_1"
        t.run_ms(2000)
        t.expect("FA", seq=4)
        t.inject("A", 1, 5)
        assert t.state == "FIN_WAIT_2"


def test_fin_in_close_waits_for_a_zero_window_to_open() -> None:
    """Data and FIN pending behind a closed window: both come as soon as it opens."""
    with script() as t:
        t.connect(win=0)
        t.write(b"data")
        t.finish_writing()
        t.expect_nothing()
        t.inject("A", 1, 1, win=100)
        t.expect("FPA", seq=1, data=b"data")


def test_a_fin_the_window_kept_out_is_sent_again_at_once_when_it_opens() -> None:
    with script() as t:
        t.connect(win=4)
        t.write(b"data")
        t.finish_writing()
        t.drain()
        t.inject("A", 1, 5, win=0)
        t.run_ms(20_000)
        assert t.state == "FIN_WAIT_1"
        t.drain()
        t.inject("A", 1, 5, win=100)
        t.expect("FA", seq=5)


def test_data_after_the_fin_is_ignored() -> None:
    with script() as t:
        t.accept()
        t.inject("FA", 1, 1)
        t.expect("A", ack=2)
        t.inject("AP", 2, 1, b"more?")
        assert t.app.got == b""
        assert t.state == "CLOSE_WAIT"


def test_a_repeated_fin_is_acknowledged_again() -> None:
    with script() as t:
        t.accept()
        t.inject("FA", 1, 1)
        t.expect("A", ack=2)
        t.inject("FA", 1, 1)
        t.expect("A", seq=1, ack=2)
        assert t.state == "CLOSE_WAIT"


def test_fin_out_of_order() -> None:
    with script() as t:
        t.accept()
        t.inject("FA", 4, 1)
        t.expect("A", ack=1)
        assert t.state == "ESTABLISHED"
        t.inject("FA", 4, 1)  # twice
        t.expect("A", ack=1)
        t.inject("AP", 1, 1, b"abc")
        t.expect("A", ack=5)
        assert t.state == "CLOSE_WAIT"
        assert t.app.got + t.read() == b"abc"
        assert t.sock.at_eof


def test_data_with_fin_out_of_order() -> None:
    with script() as t:
        t.accept()
        t.inject("FPA", 4, 1, b"def")
        t.inject("AP", 1, 1, b"abc")
        assert t.state == "CLOSE_WAIT"
        assert t.app.got + t.read() == b"abcdef"
        assert t.drain()[-1].ack == 8


def test_shld3_close_with_unread_data_resets() -> None:
    """RFC 2525, 2.17."""
    with script() as t:
        t.app.room = 0
        t.accept()
        t.inject("AP", 1, 1, b"unread")
        t.expect("A", ack=7)
        t.close_socket()
        t.expect("RA", seq=1, ack=7)
        assert t.gone


def test_data_after_close_resets() -> None:
    """RFC 1122, 4.2.2.13; also in FIN-WAIT-2."""
    for acked in (False, True):
        with script() as t:
            t.connect()
            t.close_socket()
            t.expect("FA", seq=1)
            if acked:
                t.inject("A", 1, 2)
            t.inject("AP", 1, 2, b"too late")
            assert t.drain()[-1].flags == "RA"
            assert t.gone


def test_half_close_does_not_reset() -> None:
    with script() as t:
        t.connect()
        t.finish_writing()
        t.expect("FA")
        t.inject("AP", 1, 2, b"still heard")
        assert t.app.got == b"still heard"


def test_linger_0_resets() -> None:
    with script() as t:
        t.connect()
        t.sock.linger_s = 0
        t.write(b"x")
        t.expect("AP")
        t.close_socket()
        t.expect("RA", seq=2, ack=1)
        assert t.gone


def test_linger_0_in_every_state_leaves_nothing() -> None:
    def to_close_wait(t: Script) -> None:
        t.inject("FA", 1, 1)

    def to_fin_wait_1(t: Script) -> None:
        t.finish_writing()

    def to_fin_wait_2(t: Script) -> None:
        t.finish_writing()
        t.inject("A", 1, 2)

    def to_closing(t: Script) -> None:
        t.finish_writing()
        t.inject("FA", 1, 1)

    def to_last_ack(t: Script) -> None:
        t.inject("FA", 1, 1)
        t.finish_writing()

    def stay(t: Script) -> None: ...

    for way in (stay, to_close_wait, to_fin_wait_1, to_fin_wait_2, to_closing, to_last_ack):
        for linger in (0, None):
            with script() as t:
                t.connect()
                way(t)
                state = t.state
                t.drain()
                t.sock.linger_s = linger
                t.close_socket()
                sent = t.drain()
                if linger == 0:
                    assert [s.flags for s in sent] == ["RA"], state
                    assert t.gone, state
                else:
                    assert all("R" not in s.flags for s in sent), state
                t.run_ms(3_600_000)
                assert t.gone, state
                assert len(t.net.callouts) == 0, state


def test_orphan_in_fin_wait_2_times_out() -> None:
    with script() as t:
        t.connect()
        t.close_socket()
        t.expect("FA", seq=1)
        t.inject("A", 1, 2)
        t.run_ms(59_000)
        assert not t.gone
        t.run_ms(2_000)
        assert t.gone


def test_close_in_fin_wait_2_times_out() -> None:
    with script() as t:
        t.connect()
        t.finish_writing()
        t.inject("A", 1, 2)
        t.run_ms(600_000)  # half-closed, with an owner: for as long as it likes
        assert t.state == "FIN_WAIT_2"
        t.close_socket()
        t.run_ms(61_000)
        assert t.gone


@pytest.mark.parametrize("data", [b"never read", b""])
def test_an_orphan_behind_a_closed_window_is_given_up(data: bytes) -> None:
    """MUST-37 is for those who still want to write."""
    with script() as t:
        t.connect(win=0)
        t.write(data) if data else None
        t.close_socket()
        for _ in range(40):
            if t.gone:
                break
            t.world.run_until(lambda: bool(t.wire.frames) or t.gone)
            t.drain()
            t.inject("A", 1, 1, win=0)
        assert t.gone
        assert 100_000 < t.now_ms < 300_000


# -- TIME-WAIT


def to_time_wait(t: Script) -> None:
    t.connect()
    t.finish_writing()
    t.inject("FA", 1, 2)
    t.drain()
    assert t.state == "TIME_WAIT"


def test_must13_time_wait_acknowledges_a_repeated_fin_and_starts_anew() -> None:
    with script() as t:
        to_time_wait(t)
        t.run_ms(50_000)
        t.inject("FA", 1, 2)
        t.expect("A", seq=2, ack=2)
        t.run_ms(50_000)
        assert not t.gone
        t.run_ms(70_000)
        assert t.gone


def test_time_wait_is_not_assassinated() -> None:
    """RFC 1337."""
    with script() as t:
        to_time_wait(t)
        t.inject("R", 2)
        t.expect_nothing()
        t.inject("AP", 1, 2, b"old")
        t.expect("A", seq=2, ack=2)
        assert not t.gone


def test_a_new_syn_ends_time_wait() -> None:
    """MAY-2: with a larger sequence number; and ours is larger than any used before."""
    with script() as t:
        t.accept()
        t.finish_writing()
        t.inject("FA", 1, 2)
        t.drain()
        assert t.state == "TIME_WAIT"
        old = t.iss
        t.inject("S", 1, options=t.options())  # not larger: an old duplicate
        t.expect("A", seq=2, ack=2)
        t.inject("S", 100, options=t.options())
        t.expect("SA", ack=101)
        assert 0 < (t.iss - old) % (1 << 32) < 1 << 31
        assert (t.iss - old) % (1 << 32) > 2


def test_syn_to_time_wait_without_listener_is_refused() -> None:
    with script() as t:
        to_time_wait(t)
        t.inject("S", 500, options=t.options())
        t.expect("RA", ack=501)


def test_time_wait_keeps_the_newest() -> None:
    with script(Config(time_wait_max=4)) as t:
        t.listen()
        for n in range(10):
            t.peer_port = PEER_PORT + n
            t.accept()
            t.finish_writing()
            t.inject("FA", 1, 2)
            t.drain()
        assert len(t.net.tcp.connections.time_wait) == 4
        t.run_ms(61_000)
        assert not t.net.tcp.connections.time_wait


def test_reconnecting_from_the_same_port_in_time_wait_uses_new_numbers() -> None:
    with script() as t:
        t.sock.reuse_address = True
        t.sock.bind((0, 5555))
        to_time_wait(t)
        old = t.iss
        t.close_socket()
        t.app = App()
        t.sock = type(t.sock)(t.net, t.app)
        t.sock.reuse_address = True
        t.sock.bind((0, 5555))
        t.sock.connect((0x0A000002, 80))
        t.expect("S")
        assert 2 < (t.iss - old) % (1 << 32) < 1 << 31


# -- resets


def test_reset_in_every_synchronized_state() -> None:
    cases = [
        ("ESTABLISHED", [], ECONNRESET),
        ("CLOSE_WAIT", ["fin"], EPIPE),  # as Linux and BSD
        ("FIN_WAIT_1", ["close"], ECONNRESET),
        ("FIN_WAIT_2", ["close", "ack"], ECONNRESET),
        ("CLOSING", ["close", "fin"], 0),
        ("LAST_ACK", ["fin", "close"], 0),
    ]
    for state, steps, error in cases:
        with script() as t:
            t.connect()
            seq = 1
            for step in steps:
                if step == "fin":
                    t.inject("FA", 1, 1)
                    seq = 2
                elif step == "ack":
                    t.inject("A", 1, 2)
                else:
                    t.finish_writing()
            assert t.state == state
            t.drain()
            t.inject("R", seq)
            assert t.app.error == error, state
            assert t.gone, state
            t.expect_nothing()


def test_rfc5961_reset_must_be_exact() -> None:
    with script() as t:
        t.connect()
        t.inject("R", 2)  # in the window, not at its edge
        t.expect("A", seq=1, ack=1)
        t.inject("R", 70_000)
        t.inject("R", 0)
        t.expect_nothing()
        assert t.state == "ESTABLISHED"
        t.inject("R", 1)
        assert t.app.error == ECONNRESET


def test_rfc5961_syn_in_window_is_challenged() -> None:
    with script() as t:
        t.connect()
        t.inject("S", 100, options=t.options())
        t.expect("A", seq=1, ack=1)
        t.run_ms(500)
        t.inject("SA", 100, 1, options=t.options())
        t.expect("A", seq=1, ack=1)
        assert t.state == "ESTABLISHED"


def test_figure_10_half_open_connection_is_discovered() -> None:
    """The peer has restarted: its SYN gets an ACK, its RST ends ours."""
    with script() as t:
        t.accept()
        t.inject("S", 400_000_000, options=t.options())
        challenge = t.expect("A", seq=1, ack=1)
        t.inject("R", challenge.ack)
        assert t.app.error == ECONNRESET


def test_rfc5961_acks_far_behind_are_challenged() -> None:
    with script() as t:
        t.connect(win=1000)
        t.write(b"x" * 100)
        t.expect("AP")
        t.inject("A", 1, 101, win=1000)
        t.inject("AP", 1, 50, b"fine")  # within max_snd_wnd
        assert t.app.got == b"fine"
        t.inject("AP", 5, 101 - 1001, b"forged")
        assert t.app.got == b"fine"
        assert t.net.tcp.segments.challenges.counters["challenges"] == 1


def test_reset_may_carry_data() -> None:
    """SHLD-2."""
    with script() as t:
        t.connect()
        t.inject("RA", 1, 1, b"why")
        assert t.app.error == ECONNRESET


def test_must66_reset_counts_with_a_closed_window() -> None:
    with script(Config(rcvbuf_bytes=4000)) as t:
        t.app.room = 0
        t.accept()
        for n in range(4):
            t.inject("AP", 1 + n * 1000, 1, bytes(1000))
        t.run_ms(50)
        assert t.drain()[-1].win == 0
        t.inject("R", 4001)
        assert t.app.error == ECONNRESET


def test_what_was_received_before_a_reset_can_be_read() -> None:
    with script() as t:
        t.app.room = 0
        t.accept()
        t.inject("AP", 1, 1, b"before")
        t.inject("R", 7)
        assert t.app.error == ECONNRESET
        assert t.read() == b"before"
        t.close_socket()


def test_abort_from_our_side() -> None:
    with script() as t:
        t.connect()
        t.sock.abort()
        t.expect("RA", seq=1, ack=1)
        assert t.gone
        assert ECONNABORTED not in (t.app.error,)  # who aborts is not told
        t.sock.close()


def test_must12_an_orderly_end_and_an_abort_are_told_apart() -> None:
    with script() as t:
        t.accept()
        t.inject("FA", 1, 1)
        t.finish_writing()
        t.inject("A", 2, 2)
        assert t.app.error == 0
    with script() as t:
        t.accept()
        t.inject("R", 1)
        assert t.app.error == ECONNRESET


# -- closing from within an upcall


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("how", ["close", "abort", "shutdown"])
@pytest.mark.parametrize("when", ["received", "readable", "writable", "connected", "closed"])
def test_an_upcall_may_close_its_socket(when: str, how: str, together: bool) -> None:
    with script() as t:
        calls: list[str] = []
        inner = getattr(t.app, when)

        def upcall(*args: object) -> object:
            result = inner(*args)
            calls.append(when)
            if how == "shutdown":
                t.sock.finish_writing()
            else:
                getattr(t.sock, how)()
            return result

        setattr(t.app, when, upcall)
        t.sock.attach(t.app)
        t.peer_port, t.port = 80, 0
        t.sock.connect((PEER, 80))
        t.port = t.expect("S").port
        t.inject("SA", 0, 1, options=t.options())
        tcb = t.sock.tcb
        assert tcb is not None
        tcb.write_blocked = True
        if when != "connected":
            t.write(b"w")
        t.drain()
        if together:
            t.inject("FPA", 1, 2, b"abcdef")
        else:
            t.inject("AP", 1, 2, b"abc")
            t.inject("FPA", 4, 2, b"def")
        if when == "closed":
            t.finish_writing()
        t.inject("A", 8, 3)
        t.run_ms(7_200_000)
        assert calls
        t.sock.close()
        t.run_ms(7_200_000)
        assert t.gone


def test_timing_out_tells_the_owner() -> None:
    with script() as t:
        t.connect()
        t.write(b"x")
        t.run_ms(3_600_000)
        assert t.app.error == ETIMEDOUT
        assert t.gone
        assert len(t.net.callouts) == 0


# -- an interface that is full


def fill(t: Script, full: bool) -> None:
    t.net.ethernet[0]._filled(full)
    t.world.work()


def test_fins_wait_for_a_full_interface_and_acknowledgements_do_not() -> None:
    """10,000 closes at once: what is not sent yet is not lost either, and no timer says so."""
    with script() as t:
        socks = []
        numbers = []
        for n in range(20):
            t.peer_port = 50_000 + n
            socks.append(t.accept())
            numbers.append(t.iss)
        fill(t, True)
        for sock in socks:
            sock.close()
        t.world.work()
        t.run_ms(10_000)
        t.expect_nothing()
        t.peer_port, t.iss = 50_003, numbers[3]
        t.inject("FA", 1, 1)
        t.expect("A", ack=2)
        fill(t, False)
        sent = t.drain()
        assert [s.peer_port for s in sent] == [50_000 + n for n in range(20)]
        assert {s.flags for s in sent} <= {"FA", "FPA"}
        assert t.net.tcp.output.counters["retransmitted"] == 0


def test_data_waits_for_a_full_interface() -> None:
    with script() as t:
        t.connect()
        fill(t, True)
        t.write(b"patience")
        t.run_ms(5000)
        t.expect_nothing()
        fill(t, False)
        t.expect("AP", data=b"patience")
        t.inject("A", 1, 9)
        t.run_ms(5000)
        t.expect_nothing()
