"""Data transfer: windows, Nagle, delayed ACKs, silly windows, reassembly (RFC 9293, 3.8)."""

from __future__ import annotations

from errno import ETIMEDOUT
from itertools import pairwise

import pytest
from script import App, Script, script

from stack.config import Config


def acks(t: Script) -> list[int]:
    return [s.ack for s in t.drain()]


# -- receiving


def test_in_order_data_reaches_the_reader() -> None:
    with script() as t:
        t.accept()
        t.inject("A", 1, 1, b"abc")
        t.inject("AP", 4, 1, b"def")
        assert t.app.got == b"abcdef"


def test_must40_shld18_ack_is_delayed_40_ms() -> None:
    with script() as t:
        t.accept()
        t.sock.set_quickack(0)
        t.inject("AP", 1, 1, b"x")
        t.run_ms(39)
        t.expect_nothing()
        t.run_ms(1)
        t.expect("A", seq=1, ack=2, at_ms=40)


def test_shld19_every_second_full_segment_is_acknowledged() -> None:
    with script() as t:
        t.accept()
        t.sock.set_quickack(0)
        t.inject("A", 1, 1, bytes(1460))
        t.expect_nothing()
        t.inject("A", 1461, 1, bytes(1460))
        t.expect("A", ack=2921)
        t.inject("A", 2921, 1, bytes(1460))
        t.expect_nothing()
        t.run_ms(40)
        t.expect("A", ack=4381)


def test_the_ack_rides_on_data() -> None:
    with script() as t:
        t.accept()
        t.sock.set_quickack(0)
        t.inject("AP", 1, 1, b"ask")
        t.write(b"answer")
        t.expect("AP", seq=1, ack=4, data=b"answer")
        t.run_ms(100)
        t.expect_nothing()


def test_must58_must59_one_ack_for_a_batch() -> None:
    with script() as t:
        t.accept()
        t.link.backward.delay_ns = 1000  # let them arrive together
        t.wire.world.work()
        for n in range(8):
            t.inject("A", 1 + n * 1460, 1, bytes(1460))
        t.run_ms(1)
        assert acks(t) == [1 + 8 * 1460]


def test_shld31_out_of_order_data_is_kept() -> None:
    with script() as t:
        t.accept()
        t.inject("A", 4, 1, b"def")
        t.expect("A", ack=1)  # RFC 5681: at once
        t.inject("A", 10, 1, b"jkl")
        t.expect("A", ack=1)
        t.inject("A", 7, 1, b"ghi")
        t.expect("A", ack=1)
        t.inject("A", 1, 1, b"abc")
        t.expect("A", ack=13)
        assert t.app.got + t.read() == b"abcdefghijkl"


def test_overlaps_are_trimmed() -> None:
    stream = bytes(range(100))
    pieces = [(10, 20), (40, 60), (15, 45), (5, 12), (59, 80), (30, 35), (20, 90), (0, 10)]
    with script() as t:
        t.accept()
        for start, end in pieces:
            t.inject("A", 1 + start, 1, stream[start:end])
        t.inject("A", 1, 1, stream)
        assert t.app.got + t.read() == stream
        t.run_ms(50)
        assert t.drain()[-1].ack == 101
        tcb = t.sock.tcb
        assert tcb is not None
        assert not tcb.ooo
        assert not tcb.ooo_bytes


def test_old_data_is_acknowledged_and_dropped() -> None:
    with script() as t:
        t.accept()
        t.inject("A", 1, 1, b"abc")
        t.inject("A", 1, 1, b"abc")
        t.expect("A", ack=4)
        t.inject("A", 2, 1, b"bcdef")  # partly new
        assert t.app.got == b"abcdef"


def test_the_right_edge_is_trimmed() -> None:
    with script(Config(rcvbuf_bytes=2000)) as t:
        t.app.room = 0
        t.accept()
        t.inject("A", 1, 1, bytes(1400))
        t.inject("A", 1401, 1, b"y" * 1000)
        assert t.sock.tcb is not None
        assert t.sock.tcb.rcv.length == 2000
        t.run_ms(100)
        assert t.drain()[-1].win == 0


def test_data_beyond_the_window_is_answered() -> None:
    with script(Config(rcvbuf_bytes=2000)) as t:
        t.accept()
        t.inject("A", 5001, 1, b"far")
        t.expect("A", ack=1)
        assert t.app.got == b""


def test_must1_window_is_unsigned() -> None:
    with script() as t:
        t.connect(win=65535)
        t.write(bytes(100_000))
        sent = sum(len(s.data) for s in t.drain())
        assert sent == 10 * 1460
        t.inject("A", 1, 14601, win=0xFFFF)
        assert sum(len(s.data) for s in t.drain()) == 20 * 1460


def test_a_zero_window_probe_with_a_byte_is_answered() -> None:
    """BSD probes with the next byte: it must be told the window (3.8.6.1)."""
    with script(Config(rcvbuf_bytes=3000)) as t:
        t.app.room = 0
        t.accept()
        t.inject("A", 1, 1, bytes(1460))
        t.inject("A", 1461, 1, bytes(1460))
        t.inject("A", 2921, 1, bytes(80))
        t.run_ms(50)
        assert t.drain()[-1].win == 0
        for _ in range(3):
            t.inject("A", 3001, 1, b"p")
            t.expect("A", ack=3001, win=0)
        t.inject("A", 3000, 1)  # and so does Linux, with the one before
        t.expect("A", ack=3001, win=0)
        t.run_ms(200)
        t.drain()
        assert len(t.read()) == 3000
        t.expect("A", ack=3001, win=3000)
        t.inject("A", 3001, 1, b"p")
        assert t.sock.tcb is not None
        assert t.sock.tcb.rcv_nxt - t.sock.tcb.irs == 3002


def test_keepalive_probes_are_answered() -> None:
    with script() as t:
        t.accept()
        t.inject("A", 1, 1, b"abc")
        t.run_ms(100)
        t.drain()
        t.inject("A", 3, 1)
        t.expect("A", seq=1, ack=4)
        t.run_ms(200)
        t.inject("A", 3, 1, b"\0")  # RFC 1122, 4.2.3.6: with a byte of garbage
        t.expect("A", seq=1, ack=4)


def test_two_ends_that_disagree_do_not_exchange_acks_for_ever() -> None:
    with script() as t:
        t.accept()
        for _ in range(100):
            t.inject("A", 500_000, 1)
        assert len(t.drain()) == 1


def test_must39_window_updates_wait_until_they_are_worth_it() -> None:
    with script(Config(rcvbuf_bytes=16384)) as t:
        t.app.room = 0
        t.accept()
        for n in range(11):
            t.inject("A", 1 + n * 1460, 1, bytes(1460))
        t.inject("A", 1 + 11 * 1460, 1, bytes(324))
        t.run_ms(50)
        assert t.drain()[-1].win == 0
        t.read(100)
        t.read(1000)
        t.expect_nothing()
        t.read(7000)  # buffers are freed whole
        update = t.expect("A")
        assert update.win >= 2 * 1460


def test_a_small_receive_buffer_still_sends_window_updates() -> None:
    """With a buffer below two segments, half of it is worth a segment."""
    with script(Config(rcvbuf_bytes=2000)) as t:
        t.app.room = 0
        t.accept()
        t.inject("A", 1, 1, bytes(1460))
        t.inject("A", 1461, 1, bytes(540))
        t.run_ms(50)
        assert t.drain()[-1].win == 0
        assert len(t.read()) == 2000
        t.expect("A", win=2000)


def test_small_receive_buffers_are_acknowledged_in_time() -> None:
    with script(Config(rcvbuf_bytes=2000)) as t:
        t.accept()
        t.inject("A", 1, 1, bytes(1000))
        t.inject("A", 1001, 1, bytes(1000))
        assert t.drain()[-1].ack == 2001


def test_shld14_the_window_never_shrinks() -> None:
    with script(Config(rcvbuf_bytes=60_000)) as t:
        t.app.room = 0
        t.accept()
        edge, seq = 1 + 60_000, 1
        for n in range(40):
            t.inject("A", seq, 1, bytes(1000 + n))
            seq += 1000 + n
            t.inject("A", seq + 500, 1, bytes(100))
            for s in t.drain():
                assert s.ack + s.win >= edge
                edge = s.ack + s.win


def test_a_reader_that_takes_a_part() -> None:
    """received() takes some, the rest is queued, and the window says so."""
    with script(Config(rcvbuf_bytes=10_000)) as t:
        t.app.room = 500
        t.accept()
        t.inject("AP", 1, 1, bytes(range(250)) * 4)
        t.run_ms(50)
        t.expect("A", ack=1001, win=9500)
        assert len(t.app.got) == 500
        t.app.room = 10_000
        t.inject("AP", 1001, 1, b"more")  # behind what is queued: not offered before it
        assert len(t.app.got) == 500
        assert bytes(t.app.got) + t.read() == bytes(range(250)) * 4 + b"more"
        t.run_ms(50)
        t.inject("AP", 1005, 1, b"direct")
        assert t.app.got.endswith(b"direct")


def test_must30_must31_urgent_data_does_no_harm() -> None:
    with script() as t:
        t.accept()
        t.inject("AU", 1, 1, b"normal!", urgent=7)
        t.inject("AU", 8, 1, b"more", urgent=0xFFFF)
        t.inject("AU", 12, 1, b"", urgent=100)
        assert t.app.got == b"normal!more"
        assert t.state == "ESTABLISHED"


def test_must3_a_bad_checksum_is_dropped() -> None:
    with script() as t:
        t.accept()
        t.inject("AP", 1, 1, b"spoilt", spoil=True)
        t.expect_nothing()
        assert t.app.got == b""


def test_segments_without_ack_are_dropped() -> None:
    with script() as t:
        t.accept()
        t.inject("P", 1, data=b"no ack")
        t.inject("F", 1)
        t.expect_nothing()
        assert t.app.got == b""
        assert t.state == "ESTABLISHED"


def test_acks_of_what_was_not_sent_are_answered() -> None:
    """3.10.7.4, fifth."""
    with script() as t:
        t.accept()
        t.inject("A", 1, 500, b"data")
        t.expect("A", seq=1, ack=1)
        assert t.app.got == b""


# -- sending


def test_must61_push_marks_the_end_of_the_buffer() -> None:
    with script() as t:
        t.connect()
        t.write(bytes(4000))
        flags = [(len(s.data), "P" in s.flags) for s in t.drain()]
        assert flags == [(1460, False), (1460, False), (1080, True)]


def test_shld7_nagle_holds_small_segments_while_something_is_under_way() -> None:
    with script() as t:
        t.connect()
        t.write(b"a")
        t.expect("AP", seq=1, data=b"a")
        t.write(b"b")
        t.write(b"c")
        t.expect_nothing()
        t.inject("A", 1, 2)
        t.expect("AP", seq=2, data=b"bc")
        t.write(bytes(1460))  # a full segment may always go
        t.expect("A", seq=4, length=1460)


def test_must17_nodelay_sends_at_once() -> None:
    with script() as t:
        t.connect()
        t.sock.configure("nodelay", 1)
        for n, char in enumerate((b"a", b"b", b"c")):
            t.write(char)
            t.expect("AP", seq=1 + n, data=char)


def test_cork_holds_partial_segments_for_200_ms() -> None:
    with script() as t:
        t.connect()
        t.sock.configure("cork", 1)
        t.write(b"header")
        t.expect_nothing()
        t.write(bytes(1500))
        t.expect("A", seq=1, length=1460)
        t.inject("A", 1, 1461)
        t.expect_nothing()
        t.run_ms(200)
        t.expect("AP", seq=1461, length=46)
        t.inject("A", 1, 1507)
        t.write(b"again")
        t.run_ms(199)
        t.expect_nothing()
        t.sock.configure("cork", 0)
        t.sock.push()
        t.expect("AP", data=b"again")


def test_cork_ends_with_the_fin() -> None:
    with script() as t:
        t.connect()
        t.sock.configure("cork", 1)
        t.write(b"tail")
        t.expect_nothing()
        t.finish_writing()
        t.expect("FPA", data=b"tail")


def test_must38_no_silly_segments_into_a_small_window() -> None:
    with script() as t:
        t.connect(win=10_000)
        t.sock.configure("nodelay", 1)
        t.write(bytes(10_000))
        sent = sum(len(s.data) for s in t.drain())
        assert sent == 10_000  # the end of the window is the end of the data
        t.write(bytes(5000))
        t.inject("A", 1, 10_001, win=100)  # a silly window
        t.expect_nothing()
        t.world.run_until(lambda: bool(t.wire.frames))  # (4): the override timer
        t.expect("A", seq=10_001, length=100)
        t.inject("A", 1, 10_101, win=5000)
        assert sum(len(s.data) for s in t.drain()) == 4900


def test_half_the_largest_window_is_worth_sending() -> None:
    """(3) of 3.8.6.2.1: for peers with tiny buffers."""
    with script() as t:
        t.connect(win=1000)
        t.write(bytes(3000))
        t.expect("A", seq=1, length=1000)
        t.inject("A", 1, 1001, win=500)
        t.expect("A", seq=1001, length=500)
        t.inject("A", 1, 1501, win=499)
        t.expect_nothing()


def test_must35_must36_zero_window_is_probed_with_backoff() -> None:
    with script() as t:
        t.connect(win=100)
        t.write(bytes(300))
        t.expect("A", seq=1, length=100)
        t.inject("A", 1, 101, win=0)
        times = []
        for _ in range(12):
            t.world.run_until(lambda: bool(t.wire.frames))
            probe = t.expect("A", seq=100, length=0)
            times.append(probe.time_ms)
            t.inject("A", 1, 101, win=0)
        gaps = [b - a for a, b in pairwise(times)]
        assert all(b >= a for a, b in pairwise(gaps))
        assert gaps[-1] == 60_000
        assert 200 <= times[0] <= 3000


def test_must37_a_window_may_stay_closed_for_ever() -> None:
    with script() as t:
        t.connect(win=0)
        t.write(b"patience")
        for _ in range(100):
            t.world.run_until(lambda: bool(t.wire.frames))
            t.drain()
            t.inject("A", 1, 1, win=0)
        assert t.now_ms > 3_600_000
        assert t.state == "ESTABLISHED"
        t.inject("A", 1, 1, win=100)
        t.expect("AP", seq=1, data=b"patience")


def test_the_window_opens_by_a_lost_update() -> None:
    """The update is lost; the next probe finds the window open."""
    with script() as t:
        t.connect(win=0)
        t.write(b"data")
        t.world.run_until(lambda: bool(t.wire.frames))
        t.expect("A", seq=0)
        t.inject("A", 1, 1, win=500)
        t.expect("AP", seq=1, data=b"data")


def test_persist_backoff_starts_anew() -> None:
    with script() as t:
        t.connect(win=0)
        t.write(bytes(1000))
        for _ in range(8):
            t.world.run_until(lambda: bool(t.wire.frames))
            t.drain()
            t.inject("A", 1, 1, win=0)
        t.inject("A", 1, 1, win=500)
        t.expect("A", seq=1, length=500)
        t.inject("A", 1, 501, win=0)
        start = t.now_ms
        t.world.run_until(lambda: bool(t.wire.frames))
        t.expect("A", seq=500)
        t.world.run_until(lambda: bool(t.wire.frames))
        assert t.expect("A", seq=500).time_ms - start < 5000


def test_must34_shld15_a_shrunken_window() -> None:
    """What is in flight beyond the new edge is sent again once the window is back."""
    with script() as t:
        t.connect(win=5000)
        t.sock.configure("nodelay", 1)
        t.write(bytes(5000))
        t.drain()
        t.inject("A", 1, 1461, win=0)  # took one segment, and closed over the others
        t.run_ms(10_000)
        assert not any(s.data for s in t.drain())
        assert t.state == "ESTABLISHED"
        t.inject("A", 1, 1461, win=5000)
        t.run_ms(1)
        sent = t.drain()
        assert sent
        assert sent[0].seq == 1461
        t.inject("A", 1, 5001, win=5000)
        t.run_ms(1000)
        t.drain()
        assert t.sock.tcb is not None
        assert t.sock.tcb.all_sent


def test_a_shrunken_window_with_probes_never_gives_up() -> None:
    with script() as t:
        t.connect(win=5000)
        t.write(bytes(5000))
        t.drain()
        t.inject("A", 1, 1, win=0)
        for _ in range(60):
            t.world.run_until(lambda: bool(t.wire.frames))
            t.drain()
            t.inject("A", 1, 1, win=0)
        assert t.state == "ESTABLISHED"


def test_acks_can_be_accepted_when_the_peers_window_has_shrunk() -> None:
    """A bare ACK's number lies within the peer's window, or it would be dropped."""
    with script() as t:
        t.connect(win=5000)
        t.write(bytes(4000))
        t.drain()
        t.inject("A", 1, 1001, win=0)
        t.inject("AP", 1, 1001, b"hello", win=0)
        t.run_ms(40)
        t.expect("A", seq=1001, ack=6)


def test_acks_after_a_timeout_use_the_newest_number() -> None:
    """The peer may have received what we think lost: older numbers would be out of its window."""
    with script() as t:
        t.connect(win=65535)
        t.write(bytes(14_600))
        t.drain()
        t.run_ms(300)
        t.drain()  # go-back-N from 1
        t.inject("AP", 1, 1, b"hello")
        t.run_ms(40)
        assert [s.seq for s in t.drain() if not s.data] == [14_601]


def test_old_segments_do_not_change_the_window() -> None:
    """snd_wl1, snd_wl2."""
    with script() as t:
        t.connect(win=10_000)
        t.inject("AP", 1, 1, b"abcd", win=9000)
        t.inject("A", 5, 1, win=8000)
        t.inject("AP", 3, 1, b"cdef", win=100)  # late: older than what was seen
        assert t.sock.tcb is not None
        assert t.sock.tcb.snd_wnd in (8000, 100)
        t.inject("A", 7, 1, win=7000)
        t.inject("A", 6, 1, win=50)
        assert t.sock.tcb.snd_wnd == 7000


def test_send_buffer_is_bounded_and_tells_when_there_is_room() -> None:
    with script(Config(sndbuf_bytes=10_000)) as t:
        t.connect()
        assert t.write(bytes(20_000)) == 10_000
        assert t.sock.send_space == 0
        t.drain()
        assert "writable" not in t.app.events
        t.inject("A", 1, 2921)
        assert "writable" in t.app.events
        assert t.sock.send_space == 2500, "the one buffer that was acknowledged whole"


@pytest.mark.parametrize("sizes", [[1] * 60, [3, 200, 1, 1, 1, 1, 1, 1, 1, 1, 700] * 5])
def test_many_small_writes_with_loss_and_fin(sizes: list[int]) -> None:
    """More pieces than one frame takes; the FIN must not run ahead of the data."""
    with script() as t:
        t.connect(win=65535)
        t.write(b"!")  # holds the rest back
        t.drain()
        data = b"".join(bytes([n % 256]) * size for n, size in enumerate(sizes))
        at = 0
        for size in sizes:
            t.write(data[at : at + size])
            at += size
        t.finish_writing()
        t.drain()
        for _ in range(3):
            t.inject("A", 1, 1)  # duplicates: the first segment is lost
        stream: dict[int, int] = {}
        fin = None
        for _ in range(200):
            for s in t.drain():
                for n, byte in enumerate(s.data):
                    assert stream.setdefault(s.seq + n, byte) == byte
                if "F" in s.flags:
                    fin = s.seq + len(s.data)
            upto = 1
            while upto in stream:
                upto += 1
            if fin == upto:
                break
            t.inject("A", 1, upto)
            t.run_ms(100)
        assert bytes(stream[n] for n in range(1, upto)) == b"!" + data
        assert fin == len(data) + 2


# -- keep-alive and user time-out


def test_must24_to_must29_keepalive() -> None:
    with script() as t:
        t.connect()
        t.run_ms(8_000_000)
        t.expect_nothing()  # MUST-25: off by default
        t.sock.configure("keepalive", 1)
        t.sock.restart_keepalive()
        start = t.now_ms
        t.run_ms(7_199_999)
        t.expect_nothing()  # MUST-28
        t.run_ms(1)
        t.expect("A", seq=0, ack=1, at_ms=start + 7_200_000)
        t.inject("A", 1, 1)
        start = t.now_ms
        t.run_ms(7_200_000)
        for n in range(9):
            assert t.expect("A", seq=0).time_ms == start + 7_200_000 + n * 75_000
            t.run_ms(75_000)
        assert t.app.error == ETIMEDOUT
        t.expect("RA")


def test_must29_one_lost_answer_is_not_death() -> None:
    with script() as t:
        t.connect()
        t.sock.configure("keep_idle_ns", 10 * 10**9)
        t.sock.configure("keep_interval_ns", 1 * 10**9)
        t.sock.configure("keepalive", 1)
        t.sock.restart_keepalive()
        t.run_ms(15_000)
        assert len(t.drain()) == 6
        t.inject("A", 1, 1)
        t.run_ms(9_999)
        t.expect_nothing()
        assert t.state == "ESTABLISHED"


def test_must26_keepalive_only_when_idle() -> None:
    with script() as t:
        t.connect()
        t.sock.configure("keep_idle_ns", 10 * 10**9)
        t.sock.configure("keepalive", 1)
        t.sock.restart_keepalive()
        for n in range(5):
            t.run_ms(8_000)
            t.inject("AP", 1 + n, 1, b"x")
        assert all(s.seq == 1 for s in t.drain())


def test_must21_user_timeout() -> None:
    with script() as t:
        t.connect()
        t.sock.configure("user_timeout_ns", 5 * 10**9)
        t.write(b"x")
        t.world.run_until(lambda: t.app.error is not None)
        assert t.app.error == ETIMEDOUT
        assert 4_000 <= t.now_ms <= 15_000


# -- super-segments and offload


def test_super_segments_are_cut_like_ordinary_ones() -> None:
    sent = []
    for gso in (0, 65535):
        with script(gso_max_bytes=gso) as t:
            t.connect()
            t.write(bytes(range(256)) * 100)
            t.inject("A", 1, 14601)
            sent.append([(s.seq, s.data) for s in t.drain()])
    assert sent[0] == sent[1]


def test_a_received_super_segment_is_acknowledged_once() -> None:
    with script(gso_max_bytes=65535, csum_offload=True) as t:
        t.accept()
        for n in range(10):
            t.inject("A", 1 + n * 1460, 1, bytes(1460))
        assert t.drain()[-1].ack == 14601
        assert len(t.app.got) == 14600


def test_two_apps_do_not_mix() -> None:
    with script() as t:
        first, second = App(), App()
        t.app = first
        one = t.accept()
        iss = t.iss
        t.peer_port += 1
        t.app = second
        two = t.accept()
        t.inject("AP", 1, 1, b"second")
        t.peer_port, t.iss = t.peer_port - 1, iss
        t.inject("AP", 1, 1, b"first")
        assert (bytes(first.got), bytes(second.got)) == (b"first", b"second")
        assert one.tcb is not two.tcb
