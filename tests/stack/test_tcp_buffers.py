"""The send buffer and the receive queue against a model of plain bytes; unwrapping."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hypercalls.common.memory import HeapMemory
from stack.tcp.buffers import ReceiveQueue, SendBuffer
from stack.tcp.tcb import unwrap


class SendBufferModel(RuleBasedStateMachine):
    """What may be gathered is what was appended and not acknowledged; memory follows."""

    @initialize(seq=st.integers(0, 2**32))
    def start(self, seq: int) -> None:
        self.memory = HeapMemory(1 << 30)
        self.base = seq
        self.buffer = SendBuffer(seq)
        self.stream = bytearray()
        self.acked = 0
        self.n = 0
        self.open: tuple[object, int] | None = None

    @rule(
        length=st.integers(1, 300),
        spare=st.sampled_from([0, 0, 1000]),
        repeat=st.sampled_from([1, 1, 40, 100]),
    )
    def append(self, length: int, spare: int, repeat: int) -> None:
        """A buffer of its own, maybe with room for more."""
        for _ in range(repeat):
            room = self.memory.alloc(length + spare)
            assert room is not None
            self.n += 1
            room.view[:length] = bytes(self.n * 7 + i & 255 for i in range(length))
            self.buffer.append(room, 0, length)
            self.stream += room.view[:length]
            self.open = (room, length) if spare else None
            del room

    @precondition(lambda self: self.open is not None)
    @rule(length=st.integers(1, 300))
    def append_to_the_same(self, length: int) -> None:
        assert self.open is not None
        room, fill = self.open
        view = room.view  # type: ignore[attr-defined]
        length = min(length, len(view) - fill)
        if length:
            view[fill : fill + length] = b"s" * length
            self.buffer.append(room, fill, length)  # type: ignore[arg-type]
            self.stream += b"s" * length
            self.open = (room, fill + length)

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        count = data.draw(st.integers(0, len(self.stream) - self.acked))
        self.acked += count
        self.buffer.acknowledge(self.base + self.acked)

    @rule()
    def acknowledge_everything(self) -> None:
        self.acked = len(self.stream)
        self.buffer.acknowledge(self.base + self.acked + 1)  # and a FIN
        self.open = None

    @rule(data=st.data(), slices=st.integers(1, 8))
    def gather(self, data: st.DataObject, slices: int) -> None:
        if self.acked == len(self.stream):
            return
        start = data.draw(st.integers(self.acked, len(self.stream) - 1))
        length = data.draw(st.integers(1, len(self.stream) - start))
        got = self.buffer.gather(self.base + start, length, slices)
        assert 1 <= len(got) <= slices
        data_got = b"".join(bytes(b.view[o : o + n]) for b, o, n in got)
        assert all(n > 0 for _, _, n in got)
        assert data_got == self.stream[start : start + len(data_got)]
        assert len(data_got) == length or len(got) == slices

    @invariant()
    def bounds(self) -> None:
        if hasattr(self, "buffer"):
            assert self.buffer.end == self.base + len(self.stream)
            assert self.buffer.start == self.base + self.acked
            assert len(self.buffer) == len(self.stream) - self.acked
            if self.acked == len(self.stream) and self.open is None:
                assert self.memory.free_bytes == self.memory.size_bytes


TestSendBuffer = pytest.mark.slow(SendBufferModel.TestCase)
TestSendBuffer.settings = settings(max_examples=100, deadline=None, derandomize=True)


def test_acknowledged_memory_is_let_go_at_once() -> None:
    memory = HeapMemory(1 << 20)
    send = SendBuffer(0)
    for n in range(100):
        room = memory.alloc(1000)
        assert room is not None
        send.append(room, 0, 1000)
        del room
        assert memory.free_bytes == memory.size_bytes - (n + 1) * 1000
    for n in range(100):
        send.acknowledge(1000 * n + 500)
        assert memory.free_bytes == memory.size_bytes - (100 - n) * 1000
    send.acknowledge(100_000)
    assert memory.free_bytes == memory.size_bytes


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 150)), max_size=30))
def test_receive_queue(steps: list[tuple[int, int]]) -> None:
    memory = HeapMemory(1 << 20)
    queue, model = ReceiveQueue(), bytearray()
    for n, (add, take) in enumerate(steps):
        room = memory.alloc(add + 2)
        assert room is not None
        room.view[1 : 1 + add] = bytes([n % 256]) * add
        queue.append((room, 1, add))
        model += room.view[1 : 1 + add]
        del room
        assert queue.length == len(model)
        while take and (item := queue.peek()) is not None:
            buffer, offset, length = item
            count = min(take, length)
            assert buffer.view[offset : offset + count] == model[:count]
            queue.consume(count)
            del model[:count], item, buffer
            take -= count
    queue.clear()
    assert not queue.length
    assert queue.peek() is None
    assert memory.free_bytes == memory.size_bytes


@given(st.integers(0, 2**40), st.integers(-(2**31), 2**31 - 1))
def test_unwrap(near: int, distance: int) -> None:
    true = near + distance
    assert unwrap(near, true & 0xFFFFFFFF) == true
