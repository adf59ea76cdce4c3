"""bare.memory against a model: no overlap, exact accounting, everything joined in the end."""

from __future__ import annotations

import gc

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hypercalls.bare.memory import RACK, BuddyMemory, rounded

START, END, BASE = 0x1300, 0x40000, 0x8000_0000


class Allocator(RuleBasedStateMachine):
    """Whatever is allocated and freed, live buffers are disjoint and the sum is right."""

    def __init__(self) -> None:
        super().__init__()
        self.memory = BuddyMemory(memoryview(bytearray(END)), BASE, START, END)
        self.live: list = []

    @rule(size=st.one_of(st.integers(1, 9000), st.sampled_from([1, 256, 4096, 65536, 1 << 20])))
    def alloc(self, size: int) -> None:
        buffer = self.memory.alloc(size)
        if buffer is None:
            assert rounded(size) > self.memory.free_bytes or self.live
            return
        assert len(buffer.view) == size
        buffer.view[:] = bytes([len(self.live) & 0xFF]) * size
        self.live.append((buffer, len(self.live) & 0xFF))

    @rule(which=st.integers(0, 1 << 30))
    def free(self, which: int) -> None:
        if self.live:
            del self.live[which % len(self.live)]

    @rule()
    def free_all_and_take_the_largest(self) -> None:
        self.live.clear()
        assert self.memory.free_bytes == self.memory.size_bytes
        assert self.memory.alloc(0x20000) is not None, "0x20000 to 0x40000 is one aligned block"

    @invariant()
    def live_buffers_are_disjoint_and_inside(self) -> None:
        spans = sorted((b.addr - BASE, rounded(len(b.view))) for b, _ in self.live)
        end = START
        for offset, size in spans:
            assert offset >= end
            end = offset + size
        assert end <= END
        used = sum(size for _, size in spans)
        assert self.memory.free_bytes == self.memory.size_bytes - used

    @invariant()
    def nobody_wrote_into_another(self) -> None:
        for buffer, mark in self.live:
            assert buffer.view[0] == buffer.view[-1] == mark

    def teardown(self) -> None:
        self.live.clear()
        assert self.memory.free_bytes == self.memory.size_bytes


Allocator.TestCase.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, derandomize=True
)
TestAllocator = Allocator.TestCase


def test_rounding_wastes_little() -> None:
    assert [rounded(n) for n in (1, 256, 257, 4096)] == [256, 256, 512, 4096]
    for size in range(4097, 200_000, 997):
        assert size <= rounded(size) <= size * 1.07
        assert rounded(rounded(size)) == rounded(size)


def test_a_rack_is_bounded() -> None:
    memory = BuddyMemory(memoryview(bytearray(1 << 20)), BASE, 0, 1 << 20)
    buffers = [memory.alloc(256) for _ in range(4000)]
    buffers.clear()
    assert len(memory._racks[256].offsets) == RACK
    assert memory.alloc(1 << 20) is not None


def test_buffers_in_garbage_cycles_are_freed() -> None:
    memory = BuddyMemory(memoryview(bytearray(1 << 20)), BASE, 0, 1 << 20)
    for _ in range(100):
        cycle: list = [memory.alloc(5000)]
        cycle.append(cycle)
    del cycle
    gc.collect()
    assert memory.free_bytes == 1 << 20
