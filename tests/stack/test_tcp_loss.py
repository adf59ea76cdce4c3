"""Loss: RTO (RFC 6298), fast retransmit and NewReno (RFC 5681, RFC 6582), ICMP, path MTU."""

from __future__ import annotations

import struct
from errno import ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT
from itertools import pairwise

import pytest
from script import PEER, PORT, US, Script, script

from stack.config import Config
from stack.wire import icmp, ipv4
from stack.wire.icmp import Icmp
from stack.wire.ipv4 import Ipv4

MSS = 1460


def sizes(t: Script) -> list[tuple[int, int]]:
    return [(s.seq, len(s.data)) for s in t.drain()]


# -- RFC 6298


def test_rfc6298_first_timeout_is_one_second_and_doubles() -> None:
    with script() as t:
        t.sock.connect((PEER, PORT))
        t.run_ms(16_000)
        assert [s.time_ms for s in t.drain()] == [0, 1000, 3000, 7000, 15000]


def test_rfc6298_rto_follows_the_round_trip_time() -> None:
    with script() as t:
        t.link.forward.delay_ns = t.link.backward.delay_ns = 50_000_000
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.run_ms(250)
        t.port = t.expect("S").port
        t.inject("SA", 0, 1, options=t.options())
        t.run_ms(100)
        tcb = t.sock.tcb
        assert tcb is not None
        assert tcb.srtt_ns == 300_000_000  # waiting for ARP and for the script included
        assert tcb.rttvar_ns == 150_000_000
        assert tcb.rto_ns == 900_000_000  # SRTT + 4 RTTVAR


def test_rfc6298_retransmission_doubles_until_it_gives_up() -> None:
    with script() as t:
        t.connect()
        t.write(b"x")
        t.world.run_until(lambda: t.app.error is not None)
        assert t.app.error == ETIMEDOUT
        times = [s.time_ms for s in t.drain()]
        assert len(times) == 16  # once, and 15 times again
        gaps = [round(b - a) for a, b in pairwise(times)]
        assert gaps[0] in range(200, 1001)
        for one, next_one in pairwise(gaps):
            assert next_one in (60_000, *range(2 * one - 2, 2 * one + 3))
        assert times[-1] >= 100_000  # SHLD-11: R2 at least 100 s


def test_must18_karn_no_sample_from_what_was_sent_twice() -> None:
    with script() as t:
        t.connect()
        tcb = t.sock.tcb
        assert tcb is not None
        before = tcb.srtt_ns
        t.write(b"x")
        t.run_ms(700)
        backed_off = tcb.rto_ns
        assert tcb.retries
        t.inject("A", 1, 2)
        assert tcb.srtt_ns == before
        assert tcb.rto_ns == backed_off  # kept for the next segment ...
        t.drain()
        t.write(b"y")
        t.run_ms(10)
        t.inject("A", 1, 3)
        assert tcb.rto_ns < backed_off  # ... whose sample ends it


def test_karn_a_path_slower_than_the_timer_is_learnt() -> None:
    """Without a kept back-off every segment would be sent twice, for ever."""
    with script() as t:
        t.connect()
        t.link.forward.delay_ns = t.link.backward.delay_ns = 500_000_000
        for n in range(6):
            t.write(b"x")
            t.run_ms(1000)
            repeated = len(t.drain()) - 1
            t.inject("A", 1, 2 + n)
            t.run_ms(1000)
            t.drain()
        assert not repeated


def test_rfc6298_5_7_a_lost_syn_makes_the_first_rto_three_seconds() -> None:
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.run_ms(1500)
        t.port = t.drain()[0].port
        t.inject("SA", 0, 1, options=t.options())
        assert t.sock.tcb is not None
        assert t.sock.tcb.rto_ns == 3_000_000_000


def test_rfc6298_5_3_an_ack_restarts_the_timer() -> None:
    with script() as t:
        t.connect()
        t.write(bytes(2 * MSS))
        t.drain()
        t.run_ms(150)
        t.inject("A", 1, 1 + MSS)
        t.run_ms(199)
        t.expect_nothing()


# -- slow start, IW10


def test_rfc6928_initial_window_is_ten_segments() -> None:
    with script() as t:
        t.connect()
        t.write(bytes(100_000))
        assert len(t.drain()) == 10
    with script() as t:
        t.connect(mss=536)
        t.write(bytes(100_000))
        assert len(t.drain()) == 10


def test_rfc5681_slow_start_doubles_the_window() -> None:
    with script(Config(sndbuf_first_bytes=1 << 20)) as t:
        t.connect(scale=7)
        t.write(bytes(500_000))
        sent = [len(t.drain())]
        acked = 1
        for _ in range(3):
            acked += sent[-1] * MSS
            t.inject("A", 1, acked)
            sent.append(len(t.drain()))
        assert sent == [10, 20, 40, 80]


def test_rfc5681_congestion_avoidance_adds_a_segment_per_round_trip() -> None:
    with script() as t:
        t.connect(scale=7)
        tcb = t.sock.tcb
        assert tcb is not None
        tcb.ssthresh = 10 * MSS
        t.write(bytes(500_000))
        acked = 1
        flights = []
        for _ in range(5):
            flights.append(len(t.drain()))
            for _ in range(flights[-1]):
                acked += MSS
                t.inject("A", 1, acked)
        assert flights[0] == 10
        assert all(b - a in (0, 1, 2) for a, b in pairwise(flights))
        assert flights[-1] > 10


def test_rfc5681_after_a_timeout_one_segment_and_half_the_threshold() -> None:
    with script() as t:
        t.connect()
        t.write(bytes(100_000))
        t.drain()
        t.run_ms(250)
        assert sizes(t) == [(1, MSS)]
        tcb = t.sock.tcb
        assert tcb is not None
        assert (tcb.cwnd, tcb.ssthresh) == (MSS, 5 * MSS)
        t.inject("A", 1, 1 + MSS)
        assert len(t.drain()) == 2  # slow start again


def test_go_back_n_believes_acks_beyond_what_it_sends_again() -> None:
    """Only the first was lost: its retransmission is answered by an ACK of everything."""
    with script() as t:
        t.connect()
        t.write(bytes(20 * MSS))
        t.drain()
        t.run_ms(250)
        assert sizes(t) == [(1, MSS)]
        t.inject("A", 1, 1 + 10 * MSS)
        assert sizes(t)[0] == (1 + 10 * MSS, MSS)


def test_go_back_n_with_partial_acks() -> None:
    with script() as t:
        t.connect()
        t.write(bytes(10 * MSS))
        t.drain()
        t.run_ms(250)
        assert sizes(t) == [(1, MSS)]
        t.inject("A", 1, 1 + MSS)
        assert sizes(t) == [(1 + MSS, MSS), (1 + 2 * MSS, MSS)]
        t.inject("A", 1, 1 + 7 * MSS)  # beyond snd_nxt
        assert sizes(t) == [(1 + 7 * MSS, MSS), (1 + 8 * MSS, MSS), (1 + 9 * MSS, MSS)]
        t.inject("A", 1, 1 + 10 * MSS)
        assert t.sock.tcb is not None
        assert t.sock.tcb.all_sent
        assert not t.sock.tcb.rexmt_at


# -- RFC 5681, RFC 6582


def lose_first(t: Script, count: int = 10) -> None:
    """count segments under way, the first of them lost."""
    t.inject("A", 1, 1)  # the window, scaled
    t.write(bytes(200_000))
    assert len(t.drain()) == count


def test_rfc5681_three_duplicates_start_fast_retransmit() -> None:
    with script() as t:
        t.connect(scale=7)
        lose_first(t)
        t.inject("A", 1, 1)
        t.inject("A", 1, 1)
        assert sizes(t) == [(1 + 10 * MSS, MSS), (1 + 11 * MSS, MSS)]  # limited transmit
        t.inject("A", 1, 1)
        assert sizes(t) == [(1, MSS)]
        tcb = t.sock.tcb
        assert tcb is not None
        assert tcb.in_recovery
        assert tcb.ssthresh == 5 * MSS
        assert tcb.cwnd == 8 * MSS


def test_rfc6582_recovery_inflates_and_a_full_ack_ends_it() -> None:
    with script() as t:
        t.connect(scale=7)
        lose_first(t)
        for _ in range(9):  # 8 to 14 segments: 4 new ones, two of them by limited transmit
            t.inject("A", 1, 1)
        order = (10, 11, 0, 12, 13)
        assert sizes(t) == [(1 + n * MSS, MSS) for n in order]
        t.inject("A", 1, 1 + 12 * MSS)
        tcb = t.sock.tcb
        assert tcb is not None
        assert not tcb.in_recovery
        assert tcb.cwnd == 3 * MSS  # what is under way, and one


def test_rfc6582_partial_acks_send_the_next_hole() -> None:
    with script() as t:
        t.connect(scale=7)
        lose_first(t)
        for _ in range(3):
            t.inject("A", 1, 1)
        assert sizes(t)[-1] == (1, MSS)
        t.inject("A", 1, 1 + 4 * MSS)
        assert sizes(t)[0] == (1 + 4 * MSS, MSS)
        t.inject("A", 1, 1 + 7 * MSS)
        assert sizes(t)[0] == (1 + 7 * MSS, MSS)
        assert t.sock.tcb is not None
        assert t.sock.tcb.in_recovery
        t.inject("A", 1, 1 + 12 * MSS)
        assert not t.sock.tcb.in_recovery


def test_rfc6582_duplicates_after_a_timeout_start_nothing() -> None:
    with script() as t:
        t.connect(scale=7)
        lose_first(t)
        t.run_ms(250)
        t.drain()
        for _ in range(5):
            t.inject("A", 1, 1)
        t.expect_nothing()
        t.inject("A", 1, 1 + 2 * MSS)
        t.drain()
        for _ in range(5):
            t.inject("A", 1, 1 + 2 * MSS)
        t.expect_nothing()


def test_window_updates_and_data_are_not_duplicates() -> None:
    with script() as t:
        t.connect(win=20_000)
        t.write(bytes(200_000))
        t.drain()
        for n in range(5):
            t.inject("A", 1, 1, win=21_000 + n)
        for n in range(5):
            t.inject("AP", 1 + n, 1, b"x", win=21_004)
        assert t.sock.tcb is not None
        assert not t.sock.tcb.in_recovery
        assert all(s.seq != 1 for s in t.drain())


def test_duplicates_without_anything_under_way_are_nothing() -> None:
    with script() as t:
        t.connect()
        for _ in range(10):
            t.inject("A", 1, 1)
        t.write(bytes(MSS))
        assert sizes(t) == [(1, MSS)]


def test_fast_retransmit_of_a_fin() -> None:
    with script() as t:
        t.connect()
        t.sock.configure("nodelay", 1)
        for _ in range(4):
            t.write(bytes(10))
        t.finish_writing()
        t.drain()
        t.inject("A", 1, 41)
        for _ in range(3):
            t.inject("A", 1, 41)
        t.expect("FA", seq=41)


def test_a_retransmission_carries_nothing_new() -> None:
    """Unsent bytes in it would be acknowledged before snd_max knows of them."""
    with script() as t:
        t.connect()
        t.sock.configure("nodelay", 1)
        for _ in range(4):
            t.write(b"0123456789")
        t.sock.configure("nodelay", 0)
        t.drain()
        t.write(b"held back by Nagle")
        for _ in range(3):
            t.inject("A", 1, 1)
        assert sizes(t) == [(1, 40)]
        t.inject("A", 1, 41)
        assert sizes(t) == [(41, 18)]


# -- ICMP


def quote(t: Script, seq: int, protocol: int = ipv4.TCP) -> bytes:
    """The head of a segment of ours, as an ICMP error quotes it."""
    number = t.iss + seq & 0xFFFFFFFF
    ports = struct.pack("!HHI", t.port, t.peer_port, number)
    return Ipv4(US, PEER, protocol, 20, 40).emit() + ports


def inject_icmp(t: Script, kind: int, code: int, payload: bytes, rest: int = 0) -> None:
    message = Icmp(kind, code, rest, payload).emit()
    t.wire.send_ip(Ipv4(PEER, US, ipv4.ICMP, 20, 20 + len(message)).emit() + message)


@pytest.mark.parametrize(
    ("code", "error"),
    [(0, ENETUNREACH), (1, EHOSTUNREACH), (3, ECONNREFUSED), (13, EHOSTUNREACH)],
)
def test_icmp_ends_a_connection_attempt(code: int, error: int) -> None:
    """RFC 5461, 4.2: as all the others do."""
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.port = t.expect("S").port
        inject_icmp(t, icmp.UNREACHABLE, code, quote(t, 0))
        assert t.app.error == error
        assert t.gone


def test_must56_soft_errors_do_not_end_a_connection_but_name_the_reason() -> None:
    for code in (0, 1, 5, 13):
        with script() as t:
            t.connect()
            t.write(b"x")
            t.drain()
            inject_icmp(t, icmp.UNREACHABLE, code, quote(t, 1))
            assert t.state == "ESTABLISHED"
            t.world.run_until(lambda: t.app.error is not None)
            assert t.app.error in (EHOSTUNREACH, ENETUNREACH)


def test_must47_a_soft_error_is_forgotten_when_data_gets_through() -> None:
    with script() as t:
        t.connect()
        t.write(b"x")
        t.run_ms(500)
        t.drain()
        inject_icmp(t, icmp.UNREACHABLE, icmp.HOST_UNREACHABLE, quote(t, 1))
        t.inject("A", 1, 2)
        t.write(b"y")
        t.world.run_until(lambda: t.app.error is not None)
        assert t.app.error == ETIMEDOUT


def test_must55_source_quench_and_time_exceeded_do_nothing() -> None:
    with script() as t:
        t.connect()
        t.write(b"x")
        t.drain()
        inject_icmp(t, icmp.SOURCE_QUENCH, 0, quote(t, 1))
        inject_icmp(t, icmp.TIME_EXCEEDED, 0, quote(t, 1))
        inject_icmp(t, icmp.PARAMETER_PROBLEM, 0, quote(t, 1))
        assert t.state == "ESTABLISHED"


def test_rfc5927_icmp_must_quote_what_is_in_flight() -> None:
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.port = t.expect("S").port
        inject_icmp(t, icmp.UNREACHABLE, 1, quote(t, 5000))
        inject_icmp(t, icmp.UNREACHABLE, 1, quote(t, -5000))
        inject_icmp(t, icmp.UNREACHABLE, 1, quote(t, 0, protocol=ipv4.UDP))
        inject_icmp(t, icmp.UNREACHABLE, 1, quote(t, 0)[:27])
        assert t.state == "SYN_SENT"


def test_rfc1191_path_mtu_discovery() -> None:
    with script() as t:
        t.connect()
        t.write(bytes(5 * MSS))
        before = t.drain()
        assert all(s.header.fragment == ipv4.DONT_FRAGMENT for s in before)
        inject_icmp(t, icmp.UNREACHABLE, icmp.FRAGMENTATION_NEEDED, quote(t, 1), rest=1200)
        again = sizes(t)
        assert again[0] == (1, 1160)
        assert max(length for _, length in again) == 1160
        assert sum(length for _, length in again) >= 4 * 1160


def test_rfc1191_nonsense_mtus() -> None:
    with script() as t:
        t.connect()
        t.write(bytes(5 * MSS))
        t.drain()
        for mtu in (1500, 9000):  # no smaller than what is in use
            inject_icmp(t, icmp.UNREACHABLE, 4, quote(t, 1), rest=mtu)
        t.expect_nothing()
        inject_icmp(t, icmp.UNREACHABLE, 4, quote(t, 90_000), rest=700)  # not ours
        t.expect_nothing()


@pytest.mark.parametrize("mtu", [0, 1, 20, 40, 67, 68, 551])
def test_below_the_least_mtu_packets_may_be_fragmented(mtu: int) -> None:
    """As Linux: 552 bytes, and no Don't Fragment, so that they arrive whatever is true."""
    with script() as t:
        t.connect()
        t.write(bytes(5 * MSS))
        t.drain()
        inject_icmp(t, icmp.UNREACHABLE, 4, quote(t, 1), rest=mtu)
        again = t.drain()
        assert max(len(s.data) for s in again) == 512
        assert not any(s.header.fragment for s in again)
        assert len({s.header.ident for s in again}) == len(again)


def test_a_smaller_mtu_still_counts_after_a_larger_one() -> None:
    with script() as t:
        t.connect()
        t.write(bytes(5 * MSS))
        t.drain()
        inject_icmp(t, icmp.UNREACHABLE, 4, quote(t, 1), rest=1000)
        t.drain()
        inject_icmp(t, icmp.UNREACHABLE, 4, quote(t, 1), rest=1300)
        t.expect_nothing()
        inject_icmp(t, icmp.UNREACHABLE, 4, quote(t, 1), rest=700)
        again = t.drain()
        assert max(len(s.data) for s in again) == 660
        assert all(s.header.fragment == ipv4.DONT_FRAGMENT for s in again)


def test_a_path_mtu_expires() -> None:
    """RFC 1191, 6.3: the way may have changed."""
    with script() as t:
        t.connect()
        t.write(bytes(2 * MSS))
        t.drain()
        inject_icmp(t, icmp.UNREACHABLE, 4, quote(t, 1), rest=1000)
        t.drain()
        t.inject("A", 1, 1 + 2 * MSS)
        t.run_ms(599_000)
        t.write(bytes(960))
        assert sizes(t) == [(1 + 2 * MSS, 960)]
        t.inject("A", 1, 961 + 2 * MSS)
        t.run_ms(2000)
        t.write(bytes(MSS))
        assert sizes(t) == [(961 + 2 * MSS, MSS)]
        assert len(t.net.callouts) == 1  # the retransmission timer's


def test_path_mtu_is_remembered_for_the_next_connection() -> None:
    with script() as t:
        t.connect()
        t.write(bytes(5 * MSS))
        t.drain()
        inject_icmp(t, icmp.UNREACHABLE, 4, quote(t, 1), rest=1000)
        t.sock.abort()
        t.drain()
        t.sock = type(t.sock)(t.net, t.app)
        t.connect()
        t.write(bytes(5000))
        assert sizes(t)[0] == (1, 960)


def test_path_mtu_in_the_handshake() -> None:
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.port = t.expect("S").port
        inject_icmp(t, icmp.UNREACHABLE, 4, quote(t, 0), rest=1000)
        t.inject("SA", 0, 1, options=t.options())
        t.drain()
        t.write(bytes(5000))
        assert sizes(t)[0] == (1, 960)


def test_path_mtu_with_offload_and_half_acknowledged_super_segments() -> None:
    with script(gso_max_bytes=65535) as t:
        t.connect()
        t.write(bytes(range(250)) * 60)
        t.drain()
        t.inject("A", 1, 1001)
        t.drain()
        inject_icmp(t, icmp.UNREACHABLE, 4, quote(t, 1001), rest=600)
        sent = t.drain()
        assert sent[0].seq == 1001
        assert {len(s.data) for s in sent} <= set(range(561))
        stream = bytes(range(250)) * 60
        for s in sent:
            assert s.data == stream[s.seq - 1 : s.seq - 1 + len(s.data)]


def test_a_dead_peer_of_a_closed_socket_is_given_up() -> None:
    with script(Config(retries=5)) as t:
        t.connect()
        t.write(b"x")
        t.close_socket()
        t.run_ms(3_600_000)
        assert t.gone
        assert len(t.net.callouts) == 0


# -- bursts


def established(t: Script, segments: int) -> None:
    """A connection with a congestion window of so many segments, all of them under way."""
    t.connect(scale=7)
    tcb = t.sock.tcb
    assert tcb is not None
    t.inject("A", 1, 1)
    tcb.cwnd = segments * MSS
    t.write(bytes(2 * segments * MSS))
    assert len(t.drain()) == segments


def test_after_a_timeout_one_acknowledgement_undoes_no_cut() -> None:
    """Slow start ends at ssthresh: the half of the 80 that were under way, and one, leave."""
    with script(Config(sndbuf_first_bytes=1 << 20)) as t:
        established(t, 80)
        t.world.run_until(lambda: bool(t.wire.frames))
        assert sizes(t) == [(1, MSS)]
        t.inject("A", 1, 1 + 80 * MSS)  # all of it had arrived: the acknowledgements were lost
        assert len(t.drain()) == 41
        assert t.sock.tcb is not None
        assert t.sock.tcb.cwnd <= 41 * MSS


def test_after_a_lost_syn_the_first_window_is_one_segment() -> None:
    with script() as t:
        t.peer_port, t.port = PORT, 0
        t.sock.connect((PEER, PORT))
        t.port = t.expect("S").port
        t.run_ms(1000)
        t.expect("S")
        t.inject("SA", 0, 1, options=t.options())
        t.write(bytes(10 * MSS))
        t.expect("A", length=0)
        assert sizes(t) == [(1, MSS)]
        t.inject("A", 1, 1 + MSS)
        assert len(t.drain()) == 2


def test_after_a_lost_syn_ack_too() -> None:
    with script() as t:
        listener = t.listen()
        t.inject("S", options=t.options())
        t.expect("SA")
        t.run_ms(1000)
        t.expect("SA")
        t.inject("A", 1, 1)
        t.sock = listener.accept(lambda _sock: t.app)
        t.write(bytes(10 * MSS))
        assert sizes(t) == [(1, MSS)]


def test_limited_transmit_sends_nothing_again_and_changes_no_window() -> None:
    """RFC 3042."""
    with script() as t:
        established(t, 10)
        tcb = t.sock.tcb
        assert tcb is not None
        cwnd = tcb.cwnd
        t.inject("A", 1, 1)
        assert sizes(t) == [(1 + 10 * MSS, MSS)]
        assert tcb.cwnd == cwnd
        t.inject("A", 1, 1 + MSS)  # it was reordering: an ordinary acknowledgement
        assert len(t.drain()) == 1  # cwnd grew by one, and one was ahead of it


def test_limited_transmit_heeds_the_peers_window() -> None:
    with script() as t:
        t.connect(win=10 * MSS)
        t.write(bytes(100_000))
        assert len(t.drain()) == 10
        t.inject("A", 1, 1, win=10 * MSS)
        t.inject("A", 1, 1, win=10 * MSS)
        t.expect_nothing()


# -- a peer that is gone


def test_an_orphan_with_data_under_way_ends_in_bounded_time() -> None:
    with script() as t:
        t.connect()
        t.write(b"never acknowledged")
        t.close_socket()
        t.run_ms(200_000)
        assert t.gone


def test_a_dead_peer_with_a_closed_window_ends_an_orphan() -> None:
    with script() as t:
        t.connect(win=100)
        t.write(bytes(1000))
        t.inject("A", 1, 101, win=0)
        t.close_socket()
        t.run_ms(150_000)
        assert t.gone


def test_a_dead_peer_with_a_closed_window_ends_a_connection() -> None:
    """As Linux, after 15 probes without an answer; one answer, and counting begins anew."""
    with script() as t:
        t.connect(win=100)
        t.write(bytes(1000))
        t.inject("A", 1, 101, win=0)
        t.run_ms(300_000)
        t.inject("A", 1, 101, win=0)
        t.run_ms(600_000)
        assert t.state == "ESTABLISHED"
        t.run_ms(500_000)
        assert t.app.error == ETIMEDOUT
