"""api.Memory: ownership by reference, exact accounting, None when there is no room."""

from __future__ import annotations

import pytest
from boxes import Box


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1514, 4096, 65536, 65561])
def test_a_buffer_is_writable_and_as_long_as_asked(box: Box, size: int) -> None:
    buffer = box.hc.memory.alloc(size)
    assert buffer is not None
    assert len(buffer.view) == size
    assert buffer.view.format == "B"
    buffer.view[:] = b"\xa5" * size
    assert bytes(buffer.view) == b"\xa5" * size


def test_buffers_do_not_overlap(box: Box) -> None:
    buffers = [box.hc.memory.alloc(1 + 37 * n) for n in range(100)]
    for n, buffer in enumerate(buffers):
        buffer.view[:] = bytes([n]) * len(buffer.view)
    for n, buffer in enumerate(buffers):
        assert set(buffer.view) == {n}


def test_no_room_is_none_and_room_comes_back(box: Box) -> None:
    memory = box.hc.memory
    before = memory.free_bytes
    held = []
    while (buffer := memory.alloc(10_000)) is not None:
        held.append(buffer)
    assert 10_000 * len(held) <= memory.size_bytes
    assert memory.alloc(memory.size_bytes) is None
    held.pop()
    again = memory.alloc(10_000)
    assert again is not None
    del again, buffer
    held.clear()
    assert memory.free_bytes == before


def test_small_pieces_become_a_large_one_again(box: Box) -> None:
    memory = box.hc.memory
    large = memory.alloc(1 << 20)
    assert large is not None
    del large
    pieces = []
    while (piece := memory.alloc(200)) is not None:
        pieces.append(piece)
    assert memory.alloc(1 << 20) is None
    pieces.clear()
    assert memory.alloc(1 << 20) is not None


def test_more_than_there_is(box: Box) -> None:
    assert box.hc.memory.alloc(1 << 40) is None


def test_nothing_is_not_an_allocation(box: Box) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        box.hc.memory.alloc(0)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 1514, 4096, 65536, 65561])
def test_a_buffer_costs_what_it_takes(box: Box, size: int) -> None:
    before = box.hc.memory.free_bytes
    buffer = box.hc.memory.alloc(size)
    assert buffer.cost_bytes == before - box.hc.memory.free_bytes
    assert size <= buffer.cost_bytes <= max(256, 2 * size)


def test_who_waits_for_memory_is_told_once(box: Box) -> None:
    memory = box.hc.memory
    held = [memory.alloc(5000), memory.alloc(5000), memory.alloc(5000)]
    told = []
    memory.when_freed(lambda: told.append(memory.free_bytes))
    memory.when_freed(lambda: told.append(memory.free_bytes))
    box.run()
    assert not told
    before = memory.free_bytes
    held.pop()
    box.run()
    assert len(told) == 2, "both, and only once what was freed counts as free"
    assert min(told) > before
    held.pop()
    box.run()
    assert len(told) == 2


def test_who_waits_may_ask_again(box: Box) -> None:
    memory = box.hc.memory
    held = [memory.alloc(5000), memory.alloc(5000)]
    told = []

    def again() -> None:
        told.append(1)
        memory.when_freed(again)

    memory.when_freed(again)
    while held:
        held.pop()
        box.run()
    assert len(told) == 2
