"""Segments that were sent to do harm, or that do it by accident (RFC 5961, CVE-2016-5696)."""

from __future__ import annotations

from errno import ECONNRESET
from itertools import product

import pytest
from pair import Pair, pair
from script import App, Script, script

from stack.config import SECOND, Config
from stack.socket.stream import StreamSocket
from stack.tcp.connections import TimeWait
from stack.tcp.state import State
from stack.wire import tcp as wire


def challenges(t: Script) -> int:
    return t.net.tcp.segments.challenges.counters["challenges"]


# -- RST and SYN by their own number


@pytest.mark.parametrize("seq", [-50, -1, 0])
def test_a_reset_with_text_from_left_of_the_window_does_not_kill(seq: int) -> None:
    """Trimmed to the window it would begin just where a true one begins."""
    with script() as t:
        t.accept()
        t.inject("RA", seq, 1, bytes(1 - seq + 3))
        t.expect("A", ack=1)
        assert t.state == "ESTABLISHED"
        assert challenges(t) == 1


def test_a_reset_beyond_the_window_is_ignored() -> None:
    with script() as t:
        t.accept()
        for seq in (70_000, -1, 0):
            t.inject("R", seq)
        t.expect_nothing()
        assert t.state == "ESTABLISHED"


def test_a_reset_with_the_number_of_the_fin_counts_after_it() -> None:
    """As Linux: some send it so."""
    with script() as t:
        t.accept()
        t.inject("FA", 1, 1)
        t.expect("A", ack=2)
        t.inject("R", 1)
        assert "closed" in t.app.events


@pytest.mark.parametrize("seq", [-1000, 0, 1, 100, 1 << 30])
@pytest.mark.parametrize("flags", ["S", "SA", "SF"])
def test_every_syn_is_challenged_whatever_its_number(flags: str, seq: int) -> None:
    with script() as t:
        t.accept()
        t.inject(flags, seq, 1 if "A" in flags else None, b"text")
        t.expect("A", seq=1, ack=1)
        t.expect_nothing()
        assert t.state == "ESTABLISHED"
        assert not t.app.got


def test_a_syn_over_the_left_edge_brings_no_text() -> None:
    with script() as t:
        t.accept()
        t.inject("SA", -3, 1, b"123 and more")
        t.expect("A", ack=1)
        assert not t.app.got
        assert t.sock.tcb is not None
        assert t.sock.tcb.rcv_nxt - t.sock.tcb.irs == 1


def test_resets_end_a_connection_only_with_the_exact_number() -> None:
    with script() as t:
        t.accept()
        for seq in range(2, 40):
            t.inject("R", seq)
        assert t.state == "ESTABLISHED"
        t.inject("R", 1)
        assert t.app.error == ECONNRESET


# -- one limit


def test_one_connection_is_answered_twice_a_second_whatever_comes() -> None:
    with script() as t:
        t.accept()
        for n in range(20):
            t.inject("R", 2)
            t.inject("S", 5)
            t.inject("A", 1, 500)  # of what was not sent
            t.inject("A", 1, -100_000)  # of what was sent long ago
            t.inject("A", 500_000 + n, 1)  # out of the window
        assert len(t.drain()) == 1
        t.run_ms(500)
        t.inject("S", 5)
        assert len(t.drain()) == 1


def test_text_out_of_the_window_is_answered_each_time() -> None:
    """It may be a window probe, and its answer must not get lost behind the limit."""
    with script() as t:
        t.accept()
        for _ in range(5):
            t.inject("A", 500_000, 1, b"x")
            t.expect("A", ack=1)


def test_cve_2016_5696_the_limit_of_all_cannot_be_counted_out() -> None:
    """So many answers a second, and another number in the next."""
    counts = []
    with script(Config(challenge_ack_per_s=20, oow_ack_ns=0)) as t:
        t.accept()
        for _ in range(30):
            for _ in range(60):
                t.inject("R", 2)
            counts.append(len(t.drain()))
            t.run_ms(1000)
    assert min(counts) >= 10
    assert max(counts) < 30
    assert len(set(counts)) > 5


# -- no war


def test_time_wait_does_not_answer_an_acceptable_acknowledgement() -> None:
    with script() as t:
        t.accept()
        t.finish_writing()
        t.expect("FA", seq=1)
        t.inject("FA", 1, 2)
        t.expect("A", ack=2)
        assert t.state == "TIME_WAIT"
        for _ in range(3):
            t.inject("A", 2, 2)
        t.expect_nothing()
        t.inject("A", 900, 2)  # not acceptable: once per interval
        t.expect("A", seq=2, ack=2)
        t.inject("A", 900, 2)
        t.expect_nothing()
        t.inject("FA", 1, 2)  # our acknowledgement was lost
        t.expect("A", seq=2, ack=2)


SYNCHRONIZED = (
    State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, State.TIME_WAIT, State.CLOSE_WAIT,
    State.LAST_ACK, State.CLOSING, State.SYN_RECEIVED,
)  # fmt: skip


def put_into(p: Pair, host: int, sock: StreamSocket, state: State, shift: int) -> None:
    """One end of a connection in a state, its numbers moved against the other's."""
    connections = p.nets[host].tcp.connections
    tcb = sock.tcb
    assert tcb is not None
    tcb.rcv_nxt += shift
    tcb.rcv_adv += shift
    if state == State.TIME_WAIT:
        del connections.table[tcb.key]
        far = 1 << 62
        connections.time_wait[tcb.key] = TimeWait(tcb.snd_nxt, tcb.rcv_nxt, 0, far)
    else:
        tcb.state = state


@pytest.mark.parametrize("shift", [-100_000, -1, 0, 1, 100_000, 1 << 30])
def test_no_two_states_answer_each_other_for_ever(shift: int) -> None:
    """Any pair of states, numbers that agree or do not, and one stray acknowledgement."""
    for near_state, far_state in product(SYNCHRONIZED, SYNCHRONIZED):
        with pair(link={"delay_ns": 1_000_000}) as p:
            near, far = p.connect()
            assert near.tcb is not None
            p.world.run_for(1_000_000_000)
            put_into(p, 0, near, near_state, shift)
            put_into(p, 1, far, far_state, 0)
            before = p.nets[0].ip.counters["out"] + p.nets[1].ip.counters["out"]
            key = near.tcb.key
            p.nets[0].tcp.output.answer_with_reset(
                key[0], key[1], key[2], key[3], near.tcb.snd_nxt + 7, near.tcb.rcv_nxt, wire.ACK
            )
            p.world.run_for(10 * SECOND)
            sent = p.nets[0].ip.counters["out"] + p.nets[1].ip.counters["out"] - before
            assert sent < 60, (
                near_state.name,
                far_state.name,
                sent,
            )  # 2 a second from each, at most


# -- what does not count as a sign of life


def test_garbage_does_not_put_off_keepalive() -> None:
    with script(Config(keepalive_idle_ns=10 * SECOND)) as t:
        t.accept()
        t.sock.configure("keepalive", 1)
        t.sock.restart_keepalive()
        for _ in range(9):
            t.run_ms(1000)
            t.inject("A", 500_000, 1)
            t.inject("R", 70_000)
            t.inject("A", 1, 400_000)
        t.drain()
        t.run_ms(1000)
        probe = t.expect("A", seq=0, length=0)
        assert probe.time_ms == 10_000


def test_an_acknowledgement_puts_off_keepalive() -> None:
    with script(Config(keepalive_idle_ns=10 * SECOND)) as t:
        t.accept()
        t.sock.configure("keepalive", 1)
        t.sock.restart_keepalive()
        t.run_ms(9000)
        t.inject("A", 1, 1)
        t.run_ms(9999)
        t.expect_nothing()


def test_garbage_does_not_put_off_the_end_of_fin_wait_2() -> None:
    with script(Config(orphan_ns=10 * SECOND)) as t:
        t.accept()
        t.close_socket()
        t.expect("FA")
        t.inject("A", 1, 2)
        for _ in range(10):
            t.run_ms(1000)
            t.inject("A", 500_000, 2)
        assert t.gone


def test_garbage_does_not_put_off_the_user_timeout() -> None:
    with script() as t:
        t.accept()
        t.sock.configure("user_timeout_ns", 5 * SECOND)
        t.write(b"lost")
        for _ in range(10):
            t.run_ms(1000)
            t.inject("A", 500_000, 1)
            t.inject("A", 1, -5)
        assert "closed" in t.app.events


def test_a_forged_fin_does_not_prolong_time_wait() -> None:
    with script(Config(msl_ns=5 * SECOND)) as t:
        t.accept()
        t.finish_writing()
        t.inject("FA", 1, 2)
        assert t.state == "TIME_WAIT"
        for _ in range(10):
            t.run_ms(1000)
            t.inject("FA", 700, 2)
        t.drain()
        t.run_ms(1)
        assert t.gone


def test_one_fin_that_comes_for_ever_holds_up_no_other_time_wait() -> None:
    with script(Config(msl_ns=5 * SECOND)) as t:
        listener = t.listen()
        for port in (40_000, 40_001):
            t.peer_port = port
            t.accept()
            t.finish_writing()
            t.inject("FA", 1, 2)
            t.drain()
        assert listener is t.listener
        t.drain()
        for _ in range(20):
            t.run_ms(1000)
            t.peer_port = 40_000
            t.inject("FA", 1, 2)
        assert [key[3] for key in t.net.tcp.connections.time_wait] == [40_000]


# -- SYNs


def test_syn_fin_opens_nothing() -> None:
    """As Linux: dropped."""
    with script() as t:
        t.listen()
        t.inject("SF", options=t.options())
        t.expect_nothing()
        assert t.gone


def test_syn_fin_where_nobody_listens_is_refused() -> None:
    with script() as t:
        t.inject("SF", port=81)
        t.expect("RA", ack=2)


@pytest.mark.parametrize(
    "options", [b"\2\0", b"\2\1\0\0", b"\2\4\5\xb4\3\0", b"\3\20\7\0", b"\xff\1"]
)
def test_a_syn_with_bad_option_lengths_is_answered(options: bytes) -> None:
    """As Linux: what stands before them counts, and nothing after."""
    with script() as t:
        t.listen()
        t.inject("S", options=options)
        t.expect("SA", ack=1)
        t.inject("A", 1, 1)
        assert t.listener is not None
        sock = t.listener.accept(lambda _sock: App())
        assert sock.tcb is not None
        assert sock.tcb.peer_mss == (1460 if options.startswith(b"\2\4\5\xb4") else 536)


def test_a_syn_from_where_no_way_leads_back_is_dropped() -> None:
    with script() as t:
        t.listen()
        t.net.ip.routes.table = [r for r in t.net.ip.routes.table if r.netmask]
        t.net.ip.routes.generation += 1
        t.inject("S", src=0x0B0B0B0B, options=t.options())
        t.expect_nothing()
        assert t.gone
        assert t.net.tcp.opener.counters["no_way_back"] == 1


# -- windows of old acknowledgements


def window(t: Script) -> int:
    assert t.sock.tcb is not None
    return t.sock.tcb.snd_wnd


def test_the_window_of_a_stale_acknowledgement_is_not_taken() -> None:
    """As Linux: data that was overtaken on its way brings the window of long ago."""
    with script() as t:
        t.connect(win=30_000)
        t.write(bytes(3000))
        t.inject("A", 1, 3001, win=20_000)
        assert window(t) == 20_000
        t.inject("AP", 1, 1461, b"late", win=60_000)  # a newer number, an older acknowledgement
        assert window(t) == 20_000
        assert t.app.got == b"late"
        t.inject("A", 1, 3001, win=50)  # an older number
        assert window(t) == 20_000


def test_without_a_newer_number_a_window_only_grows_or_closes() -> None:
    """As Linux (tcp_may_update_window): what is smaller may be an older one."""
    with script() as t:
        t.connect(win=10_000)
        t.inject("A", 1, 1, win=10_000)
        t.inject("A", 1, 1, win=5_000)
        assert window(t) == 10_000
        t.inject("A", 1, 1, win=20_000)
        assert window(t) == 20_000
        t.inject("A", 1, 1, win=0)
        assert window(t) == 0
        t.inject("AP", 1, 1, b"x", win=7000)
        assert window(t) == 7000
        t.inject("AP", 2, 1, b"y", win=3000)  # a newer number may take back
        assert window(t) == 3000
