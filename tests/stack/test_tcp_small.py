"""Small segments: when one may be sent (Nagle, Minshall, TCP_CORK, MSG_MORE, TCP_NODELAY), and when
it is acknowledged (quick and delayed acknowledgements).  As Linux does it."""

from __future__ import annotations

import struct

import pytest
from pair import pair, transfer
from script import Script, script, write

from stack.config import Config
from stack.socket import constants as c
from stack.socket.options import getsockopt, setsockopt
from stack.socket.stream import StreamSocket

MSS = 1460


def lengths(t: Script) -> list[int]:
    return [len(s.data) for s in t.drain()]


def option(t: Script, name: int, value: int) -> None:
    setsockopt(t.sock, c.IPPROTO_TCP, name, struct.pack("i", value))
    t.world.work()


def quickack(sock: StreamSocket) -> int:
    value: int = struct.unpack("i", getsockopt(sock, c.IPPROTO_TCP, c.TCP_QUICKACK, 4))[0]
    return value


def write_more(t: Script, data: bytes) -> None:
    """Data of which the program has shown that it is not all."""
    buffer = t.net.hyper.memory.alloc(len(data))
    assert buffer is not None
    buffer.view[:] = data
    t.sock.write(buffer, 0, len(data), more=True)
    t.world.work()


# -- sending


@pytest.mark.parametrize("size", [1, 1459, 1460, 1461, 2920, 3000, 9000, 14600])
def test_the_tail_of_one_write_waits_for_nothing(size: int) -> None:
    with script() as t:
        t.connect()
        t.write(bytes(size))
        whole, tail = divmod(size, MSS)
        assert lengths(t) == [MSS] * whole + [tail] * bool(tail)


def test_full_segments_under_way_do_not_hold_a_small_one() -> None:
    """Minshall's variant; the classic algorithm waits for their acknowledgement."""
    with script() as t:
        t.connect()
        t.write(bytes(2 * MSS))
        assert lengths(t) == [MSS, MSS]
        t.write(b"tail")
        assert lengths(t) == [4]
        t.write(b"next")
        assert lengths(t) == []  # now there is a small one
        t.inject("A", 1, 1 + 2 * MSS)
        assert lengths(t) == []
        t.inject("A", 1, 1 + 2 * MSS + 4)
        assert lengths(t) == [4]


def test_a_small_segment_before_full_ones_holds_the_next_tail() -> None:
    with script() as t:
        t.connect()
        t.write(b"head")
        t.write(bytes(MSS + 10))
        assert lengths(t) == [4, MSS]
        t.inject("A", 1, 5)
        assert lengths(t) == [10]


def test_what_is_sent_again_is_not_held() -> None:
    with script() as t:
        t.connect()
        t.write(b"head")
        t.write(bytes(MSS))
        assert lengths(t) == [4, MSS]
        t.world.run_until(lambda: bool(t.wire.frames))
        again = t.expect("A", seq=1)
        assert len(again.data) == MSS


def test_more_to_come_holds_the_tail_and_nothing_else() -> None:
    with script() as t:
        t.connect()
        write_more(t, bytes(2048))
        assert lengths(t) == [MSS]
        write_more(t, bytes(2048))
        assert lengths(t) == [MSS]
        t.write(bytes(10))
        assert lengths(t) == [2 * 2048 + 10 - 2 * MSS]


def test_more_to_come_holds_with_nodelay_too() -> None:
    with script() as t:
        t.connect()
        option(t, c.TCP_NODELAY, 1)
        write_more(t, b"part")
        assert lengths(t) == []
        t.sock.push_within(0)
        t.world.work()
        assert lengths(t) == [4]


def test_more_that_does_not_come_goes_after_200_ms() -> None:
    with script() as t:
        t.connect()
        write_more(t, b"part")
        t.run_ms(199)
        t.expect_nothing()
        t.run_ms(1)
        t.expect("AP", data=b"part", at_ms=200)
        t.inject("A", 1, 5)
        t.write(b"other")  # and what is written after that is not held
        t.expect("AP", data=b"other")


def test_msg_more_covers_the_announced_bytes() -> None:
    with script() as t:
        t.connect()
        t.sock.more(10)
        t.write(b"12345")
        t.write(b"67890")
        t.expect_nothing()
        t.write(b"!")
        t.expect("AP", data=b"1234567890!")


def test_nodelay_pushes_a_corked_socket() -> None:
    with script() as t:
        t.connect()
        option(t, c.TCP_CORK, 1)
        t.write(b"corked")
        t.expect_nothing()
        option(t, c.TCP_NODELAY, 1)
        t.expect("AP", data=b"corked")
        t.write(b"still corked")
        t.expect_nothing()
        option(t, c.TCP_CORK, 0)
        t.expect("AP", data=b"still corked")


def test_nodelay_pushes_what_nagle_holds() -> None:
    with script() as t:
        t.connect()
        t.write(b"one")
        t.write(b"two")
        assert lengths(t) == [3]
        option(t, c.TCP_NODELAY, 1)
        t.expect("AP", data=b"two")
        option(t, c.TCP_NODELAY, 0)
        t.write(b"three")
        t.expect_nothing()


def test_no_round_trip_waits_for_a_timer() -> None:
    """One write asks, one byte answers: every size, over a link of 100 us."""
    with pair(link={"delay_ns": 50_000}) as p:
        near, far = p.connect()
        for size in [*range(1, 200), 1400, 1404, 1459, 1460, 1461, 2921, 5000, 14601, 70_000]:
            assert transfer(p, near, far, bytes(size)) < 5, size
            assert transfer(p, far, near, b"k") < 5, size


# -- acknowledging


def ack_times(t: Script, count: int, gap_ms: float) -> list[float]:
    """How late each of count small one-way segments is acknowledged."""
    tcb = t.sock.tcb
    assert tcb is not None
    late = []
    for _ in range(count):
        seq = tcb.rcv_nxt - tcb.irs
        start = t.now_ms
        t.inject("AP", seq, 1, b"x")
        t.world.run_until(lambda: bool(t.wire.frames), 1000)
        segment = t.expect("A", ack=seq + 1)
        late.append(segment.time_ms - start)
        t.run_ms(gap_ms)
    return late


def test_small_one_way_segments_are_acknowledged_at_once() -> None:
    with script() as t:
        t.accept()
        assert ack_times(t, 40, 2) == [0.0] * 40


def test_in_a_conversation_acknowledgements_ride_on_answers() -> None:
    with script() as t:
        t.accept()
        t.inject("AP", 1, 1, b"ask")
        t.expect("A", ack=4)  # the first is acknowledged at once
        t.write(b"ok")
        t.expect("AP", ack=4)
        for n in range(1, 10):
            t.inject("AP", 1 + 3 * n, 1 + 2 * n, b"ask")
            t.expect_nothing()
            t.run_ms(30)
            t.write(b"ok")
            t.expect("AP", ack=4 + 3 * n)
        assert quickack(t.sock) == 0


def test_a_conversation_that_ends_is_noticed() -> None:
    """The delay runs out once; then acknowledgements are quick again."""
    with script() as t:
        t.accept()
        t.inject("AP", 1, 1, b"ask")
        t.write(b"ok")
        t.drain()
        t.inject("A", 4, 3)
        assert ack_times(t, 3, 2) == [40.0, 0.0, 0.0]


def test_the_second_small_segment_of_a_question_is_acknowledged() -> None:
    with script() as t:
        t.accept()
        t.sock.set_quickack(0)
        t.inject("AP", 1, 1, b"head")
        t.expect_nothing()
        t.inject("AP", 5, 1, b"body")
        t.expect("A", ack=9)


def test_more_than_one_full_segment_is_acknowledged() -> None:
    with script() as t:
        t.accept()
        t.sock.set_quickack(0)
        t.inject("A", 1, 1, bytes(MSS))
        t.expect_nothing()
        t.inject("AP", 1 + MSS, 1, bytes(40))
        t.expect("A", ack=1 + MSS + 40)


def test_data_that_is_not_read_is_acknowledged_late_and_when_it_is_read() -> None:
    with script(Config(rcvbuf_bytes=60_000)) as t:
        t.app.room = 0
        t.accept()
        tcb = t.sock.tcb
        assert tcb is not None
        for n in range(16):  # the quick ones
            t.inject("AP", 1 + n, 1, b"x")
            t.expect("A", ack=2 + n)
        t.inject("AP", 17, 1, b"x")
        t.expect_nothing()
        t.run_ms(40)
        t.expect("A", ack=18)
        t.inject("AP", 18, 1, b"x")
        t.expect_nothing()
        assert t.read() == b"x" * 18
        t.expect("A", ack=19)


def test_quickack_is_what_it_says() -> None:
    with script() as t:
        t.accept()
        assert quickack(t.sock) == 1
        option(t, c.TCP_QUICKACK, 0)
        assert quickack(t.sock) == 0
        t.inject("AP", 1, 1, b"x")
        t.expect_nothing()
        option(t, c.TCP_QUICKACK, 1)  # what waits goes at once
        t.expect("A", ack=2)
        assert quickack(t.sock) == 1
        option(t, c.TCP_QUICKACK, 0)
        t.inject("AP", 2, 1, b"x")
        option(t, c.TCP_QUICKACK, 2)  # even: only what waits
        t.expect("A", ack=3)
        assert quickack(t.sock) == 0


def test_quickack_off_before_connecting_leaves_the_handshake_to_the_data() -> None:
    with script() as t:
        t.peer_port, t.port = 80, 0
        t.sock.set_quickack(0)
        t.sock.connect((0x0A000002, 80))
        t.port = t.expect("S").port
        t.inject("SA", 0, 1, options=t.options())
        t.expect_nothing()
        write(t.net, t.sock, b"GET")
        t.world.work()
        t.expect("AP", seq=1, ack=1, data=b"GET")
        t.run_ms(250)
        assert all(s.data for s in t.drain())  # retransmissions, but no bare acknowledgement


def test_without_data_the_handshake_ends_after_200_ms() -> None:
    with script() as t:
        t.peer_port, t.port = 80, 0
        t.sock.set_quickack(0)
        t.sock.connect((0x0A000002, 80))
        t.port = t.expect("S").port
        t.inject("SA", 0, 1, options=t.options())
        t.run_ms(200)
        t.expect("A", seq=1, ack=1, at_ms=200)


# -- many small buffers


@pytest.mark.parametrize("piece", [1, 100, 400, 3000])
def test_many_buffers_make_no_short_segments(piece: int) -> None:
    """A device takes so many slices of a frame; what is written in more of them is one stream."""
    with script() as t:
        t.connect()
        option(t, c.TCP_CORK, 1)
        total = 0
        while total < 10 * MSS:
            t.net.hyper.memory.alloc(1)
            total += t.write(bytes(piece))
        sent = [n for n in lengths(t) if n % MSS]
        assert sent == []


# -- out of order, in one batch


def batch(t: Script, *seqs: int) -> list[int]:
    """Segments of 1000 bytes that arrive together; what is acknowledged."""
    t.link.backward.delay_ns = 1000
    t.world.work()
    for seq in seqs:
        t.inject("A", seq, 1, bytes(1000))
    t.run_ms(1)
    return [s.ack for s in t.drain()]


def test_a_span_out_of_order_in_one_batch_is_acknowledged_as_one() -> None:
    with script() as t:
        t.accept()
        assert batch(t, 1001, 2001, 3001, 4001) == [1]
        assert batch(t, 5001, 6001) == [1]
        assert batch(t, 1) == [7001]


def test_two_spans_are_two() -> None:
    with script() as t:
        t.accept()
        assert batch(t, 1001, 2001, 5001, 6001) == [1, 1]


def test_a_gap_that_closes_within_the_batch_is_none() -> None:
    with script() as t:
        t.accept()
        assert batch(t, 1001, 2001, 1) == [3001]
