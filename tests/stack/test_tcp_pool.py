"""Memory is one pool: what many hold, stalled or hostile, leaves enough for those who come."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from pair import Pair, pair, transfer
from script import App, read, script, write

from hypercalls.common.memory import HeapMemory
from stack.socket.stream import StreamSocket
from stack.tcp.buffers import ROOM_MAX_BYTES, ReceiveQueue, SendBuffer

MIB = 1 << 20
STALLED = 300
GSO = {"gso_max_bytes": 65535}


def listen(p: Pair, port: int, backlog: int) -> StreamSocket:
    listener = StreamSocket(p.nets[1], App())
    listener.bind((0, port))
    listener.listen(backlog)
    return listener


def connections(p: Pair, count: int, accept: bool) -> list[tuple[StreamSocket, StreamSocket]]:
    """From a to b, whose users take nothing from a frame."""
    listener = listen(p, 1000, count)
    from pair import B

    made = []
    for _ in range(count):
        near = StreamSocket(p.nets[0], App(0))
        near.connect((B, 1000))
        p.world.run_for(2)
        assert near.was_connected
        far = listener.accept(lambda _sock: App(0)) if accept else listener
        made.append((near, far))
    return made


def fill(p: Pair, sock: StreamSocket) -> None:
    """Write what can be written, and more when there is room again."""
    for _ in range(12):
        while write(p.nets[0], sock, bytes(65536)):
            pass
        p.world.run_for(3)


def held(p: Pair, which: int) -> int:
    return p.free_bytes[which] - p.nets[which].hyper.memory.free_bytes


@pytest.mark.slow
@pytest.mark.parametrize("accept", [True, False], ids=["readers", "backlog"])
def test_many_who_do_not_read(accept: bool) -> None:
    """A host of 8 MiB with 300 of them; b's readers, or connections nobody has accepted."""
    host = GSO | {"memory_bytes": 8 * MIB}
    with pair(a=GSO | {"memory_bytes": 64 * MIB}, b=host) as p:
        memory = p.nets[1].hyper.memory
        for near, _far in connections(p, STALLED, accept):
            fill(p, near)
        pool = p.nets[1].tcp.pool
        assert memory.free_bytes > pool.reserve_bytes // 2
        assert held(p, 1) > STALLED * pool.minimum_bytes // 2, "they do hold something"
        largest = max(tcb.rcv.charge for tcb in p.nets[1].tcp.connections.table.values())
        assert largest < memory.size_bytes // 16
        near, far = p.connect(None)
        took = transfer(p, near, far, bytes(range(256)) * 8000)
        assert took < 2000, "virtual milliseconds"


@pytest.mark.slow
def test_many_who_are_not_read() -> None:
    """Writers on a host of 8 MiB, whose peers' windows are closed."""
    with pair(a=GSO | {"memory_bytes": 8 * MIB}, b=GSO | {"memory_bytes": 256 * MIB}) as p:
        memory = p.nets[0].hyper.memory
        for near, _far in connections(p, STALLED, True):
            fill(p, near)
        assert memory.free_bytes > p.nets[0].tcp.pool.reserve_bytes // 2
        near, far = p.connect(None)
        assert transfer(p, near, far, bytes(range(256)) * 8000) < 2000
        near, far = p.connect(None)
        assert transfer(p, far, near, bytes(range(256)) * 8000) < 2000


@pytest.mark.slow
def test_what_was_stalled_goes_on() -> None:
    """Nothing is lost of what the stalled ones wrote, and all of it is given back."""
    with pair(a=GSO, b=GSO | {"memory_bytes": 4 * MIB}) as p:
        made = connections(p, 60, True)
        data = bytes(n % 251 for n in range(200_000))
        sent = [0] * len(made)
        got = [b""] * len(made)
        for reading in (False, True):
            for _ in range(60):
                for n, (near, far) in enumerate(made):
                    sent[n] += write(p.nets[0], near, data[sent[n] : sent[n] + 20_000])
                    if reading:
                        got[n] += read(far)
                p.world.run_for(20)
            if not reading:
                assert min(sent) < len(data)
        for _ in range(200):
            if all(one == data for one in got):
                break
            for n, (near, far) in enumerate(made):
                sent[n] += write(p.nets[0], near, data[sent[n] : sent[n] + 20_000])
                got[n] += read(far)
            p.world.run_for(500)
        assert [one == data for one in got] == [True] * len(made)


def test_a_flood_of_single_bytes() -> None:
    """20,000 of them cost about 20,000 bytes: 256 and some Python each, it was."""
    with script() as t:
        t.app.room = 0
        t.accept()
        before = t.net.hyper.memory.free_bytes
        for n in range(20_000):
            t.inject("A", 1 + n, 1, bytes([n & 255]))
        tcb = t.sock.tcb
        assert tcb is not None
        assert tcb.rcv.length == 20_000
        assert before - t.net.hyper.memory.free_bytes <= 30_000
        assert len(tcb.rcv.slices()) < 40
        assert t.read() == bytes(n & 255 for n in range(20_000))
        assert t.net.hyper.memory.free_bytes == before


@pytest.mark.parametrize("step", [2, 3, 100])
def test_a_flood_of_single_bytes_with_holes(step: int) -> None:
    with script() as t:
        t.accept()
        before = t.net.hyper.memory.free_bytes
        stream = bytes(n * 7 & 255 for n in range(30_000))
        for n in range(1, 30_000, step):
            t.inject("A", 1 + n, 1, stream[n : n + 1])
        tcb = t.sock.tcb
        assert tcb is not None
        assert len(tcb.ooo) <= 256
        assert before - t.net.hyper.memory.free_bytes <= 20_000
        assert tcb.ooo_charge >= tcb.ooo_bytes
        for at in range(0, 30_000, 1000):
            t.inject("A", 1 + at, 1, stream[at : at + 1000])
        assert t.app.got + t.read() == stream
        assert not tcb.ooo_charge
        assert not tcb.ooo_bytes
        t.read()
        assert t.net.hyper.memory.free_bytes == before


def test_single_bytes_beyond_one_hole_are_one_run() -> None:
    with script() as t:
        t.accept()
        for n in range(1, 3000):
            t.inject("A", 1 + n, 1, bytes([n & 255]))
        tcb = t.sock.tcb
        assert tcb is not None
        assert len(tcb.ooo) <= 3
        t.inject("A", 1, 1, b"\0")
        assert t.app.got + t.read() == bytes(n & 255 for n in range(3000))


@pytest.mark.parametrize("scale", [None, 7])
@pytest.mark.parametrize("sizes", [[1], [31, 1, 64, 7], [1459], [33]], ids=str)
def test_scaling_does_not_take_a_window_back(scale: int | None, sizes: list[int]) -> None:
    """SHLD-14: a window is told in units, and bytes that are less than one move its left edge."""
    with script() as t:
        t.app.room = 0
        t.accept(scale=scale)
        tcb = t.sock.tcb
        assert tcb is not None
        assert bool(t.scale) == (scale is not None)
        edge, sent, full = 0, 0, False
        for n in range(4000):
            left = edge - 1 - sent if edge else 65535
            size = 1460 if left > 4000 else min(sizes[n % len(sizes)], left)
            if size <= 0:
                break
            t.inject("A", 1 + sent, 1, bytes(size))
            sent += size
            t.run_ms(50)  # the acknowledgement may be delayed
            for segment in t.drain():
                told = segment.ack + (segment.win << t.scale)
                full = full or 8 * (edge - 1) >= 9 * tcb.rcv_limit
                assert told >= edge or full
                edge = max(edge, told)
        assert tcb.rcv.length == sent > 60_000
        assert edge - 1 <= tcb.rcv_limit * 9 // 8 + (1 << t.scale)  # single bytes do not open it


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["data", "early", "read", "hog", "free", "time"]),
            st.integers(1, 1460),
        ),
        min_size=5,
        max_size=60,
    )
)
def test_a_window_is_never_taken_back(steps: list[tuple[str, int]]) -> None:
    """SHLD-14, while others fill memory and empty it again; what is acknowledged is read."""
    with script(memory_bytes=2 * MIB) as t:
        t.app.room = 0
        t.accept()
        memory = t.net.hyper.memory
        hogs = []
        stream = bytes(n * n & 255 for n in range(100_000))
        sent, edge, got = 0, 0, b""
        for what, size in steps:
            if what == "data":
                t.inject("A", 1 + sent, 1, stream[sent : sent + size])
            elif what == "early":
                t.inject("A", 1 + sent + 100, 1, stream[sent + 100 : sent + 100 + size])
            elif what == "read":
                got += t.read(4 * size)
            elif what == "hog":
                while memory.free_bytes > 1000 * size // 2 and (one := memory.alloc(60_000)):
                    hogs.append(one)
            elif what == "free":
                del hogs[: size // 10]
            else:
                t.run_ms(50)
            for segment in t.drain():
                assert segment.ack + segment.win * (1 << t.scale) >= edge
                edge = segment.ack + segment.win * (1 << t.scale)
                sent = max(sent, segment.ack - 1)
        hogs.clear()
        tcb = t.sock.tcb
        assert tcb is not None
        assert (got + t.read()) == stream[: tcb.rcv_nxt - tcb.irs - 1]


def test_limits_start_small_and_grow_with_use() -> None:
    with pair(a=GSO, b=GSO) as p:
        near, far = p.connect(None)
        assert near.tcb is not None
        assert far.tcb is not None
        config = p.nets[0].config
        assert far.tcb.rcv_limit <= config.rcvbuf_first_bytes
        assert near.tcb.snd_limit <= config.sndbuf_first_bytes
        transfer(p, near, far, bytes(16 * MIB))
        assert far.tcb.rcv_limit == config.rcvbuf_bytes
        for _ in range(40):
            fill(p, near)
        assert near.tcb.snd_limit == config.sndbuf_bytes


def test_a_reader_who_stalls_at_once_stays_small() -> None:
    with pair(a=GSO, b=GSO) as p:
        near, far = p.connect(0)
        fill(p, near)
        assert far.tcb is not None
        assert far.tcb.rcv_limit <= p.nets[1].config.rcvbuf_first_bytes
        assert held(p, 1) <= 2 * p.nets[1].config.rcvbuf_first_bytes


def test_set_buffers_are_bounds() -> None:
    """SO_RCVBUF and SO_SNDBUF, also when they are set on a connection that has grown."""
    with pair(a=GSO, b=GSO) as p:
        near, far = p.connect(None)
        transfer(p, near, far, bytes(16 * MIB))
        p.world.run_for(100)
        near.configure("sndbuf_bytes", 8192)
        far.configure("rcvbuf_bytes", 8192)
        user = far.user
        assert isinstance(user, App)
        user.room = 0
        while write(p.nets[0], near, bytes(100_000)):
            pass
        assert near.tcb is not None
        assert near.tcb.snd.charge <= 2 * 8192


# -- the buffers


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 9000), st.integers(0, 9000)), max_size=40))
def test_receive_queue_copies(steps: list[tuple[bool, int, int]]) -> None:
    """Copied and kept pieces, against plain bytes; charged is what memory says."""
    memory = HeapMemory(1 << 20)
    queue, model = ReceiveQueue(), bytearray()
    for n, (copied, add, take) in enumerate(steps):
        data = bytes((n * 31 + i) & 255 for i in range(add))
        if copied:
            assert queue.append_copy(memory, memoryview(data)) == add
        else:
            room = memory.alloc(add)
            assert room is not None
            room.view[:] = data
            queue.append((room, 0, add))
            del room
        model += data
        while take and (item := queue.peek()) is not None:
            count = min(take, item[2])
            assert item[0].view[item[1] : item[1] + count] == model[:count]
            queue.consume(count)
            del model[:count], item
            take -= count
        assert queue.length == len(model)
        assert queue.charge == memory.size_bytes - memory.free_bytes
        assert b"".join(bytes(b.view[o : o + c]) for b, o, c in queue.slices()) == model
    queue.clear()
    assert memory.free_bytes == memory.size_bytes


def test_copies_take_what_there_is() -> None:
    """In small pieces, when there is no large one; and how much is told."""
    memory = HeapMemory(40_000)
    queue = ReceiveQueue()
    assert queue.append_copy(memory, memoryview(bytes(60_000))) == 2 * ROOM_MAX_BYTES
    assert queue.length == 2 * ROOM_MAX_BYTES


def test_the_send_buffer_is_charged_for_whole_buffers() -> None:
    memory = HeapMemory(1 << 20)
    send = SendBuffer(0)
    for _ in range(4):
        room = memory.alloc(1000)
        assert room is not None
        send.append(room, 0, 10)
        send.append(room, 10, 90)
        del room
    assert send.charge == 4000
    send.acknowledge(150)
    assert send.charge == 3000 == memory.size_bytes - memory.free_bytes
    send.acknowledge(400)
    assert send.charge == 0
