"""The cable between the user netdev's gateway and the NIC: what waits for buffers is not lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from machines import Bench

from hypercalls.common.memory import HeapMemory
from minion.netdev.user.link import (
    FRAME_BYTES,
    QUEUE_FRAMES,
    WAITING_BYTES,
    WAITING_FRAMES,
    LinkNet,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def memory() -> HeapMemory:
    return HeapMemory(2 * QUEUE_FRAMES * FRAME_BYTES)


@pytest.fixture
def interrupts() -> list[Callable[[], None]]:
    return []


@pytest.fixture
def link(bench: Bench, memory: HeapMemory, interrupts: list[Callable[[], None]]) -> LinkNet:
    """A gateway's end, plugged into the board."""
    link = LinkNet(memory, bytes(6), 1500, interrupts.append)
    link.attach(bench.cable.port)
    return link


def frame(number: int) -> bytes:
    return bytes(14) + number.to_bytes(4, "big") + bytes(46)


def received(bench: Bench) -> list[int]:
    net = bench.board.hypercalls.nets[0]
    numbers = []
    while (found := net.recv()) is not None:
        numbers.append(int.from_bytes(found.view[14:18], "big"))
    return numbers


def test_a_burst_waits_for_buffers(bench: Bench, link: LinkNet) -> None:
    for number in range(QUEUE_FRAMES):
        link.send(frame(number))
    link.flush()
    assert bench.board.nic.counters["rx_starved"]
    assert received(bench) == list(range(QUEUE_FRAMES))
    assert link.counters["dropped"] == 0
    assert link.counters["to_minion"] == QUEUE_FRAMES


def test_a_burst_that_is_larger_than_the_ring_waits(
    bench: Bench, link: LinkNet, interrupts: list[Callable[[], None]]
) -> None:
    """The gateway's stack is told that its interface is full, and when that has ended."""
    told: list[bool] = []
    link.on_full(told.append)
    for number in range(10_000):
        link.send(frame(number))
    assert told == [True]
    assert received(bench) == list(range(10_000))
    bench.board.run()
    for handler in interrupts:
        handler()
    assert told == [True, False]
    assert link.counters["dropped"] == 0


def test_the_queue_has_an_end(bench: Bench, link: LinkNet) -> None:
    """In frames, and in bytes."""
    ring = QUEUE_FRAMES
    for number in range(2 * (ring + WAITING_FRAMES)):
        link.send(frame(number))
    numbers = received(bench)
    assert numbers == list(range(len(numbers)))
    assert WAITING_FRAMES <= len(numbers) <= ring + WAITING_FRAMES
    assert len(numbers) + link.counters["dropped"] == 2 * (ring + WAITING_FRAMES)
    link.send(frame(7))
    assert received(bench) == [7]
    before = link.counters["dropped"]
    large = bytes(60_000)
    for _ in range(ring + 2 * WAITING_BYTES // len(large)):
        link.send(large)
    assert link.counters["dropped"] - before >= WAITING_BYTES // len(large)


def test_a_dropped_frame_costs_no_memory(link: LinkNet, memory: HeapMemory) -> None:
    """From the minion: too many, then too long."""
    sent = [memoryview(bytes(12) + frame(0))]
    while link.counters["dropped"] == 0:
        link.transmit(sent)
    assert link.counters["from_minion"] == QUEUE_FRAMES
    free = memory.free_bytes
    link.transmit(sent)
    link.transmit([memoryview(bytes(12 + FRAME_BYTES + 1))])
    assert link.counters["dropped"] == 3
    assert memory.free_bytes == free


def test_a_burst_from_the_minion_waits_for_the_gateway(bench: Bench) -> None:
    """More than the queue holds: the rest waits in the NIC's ring, and before that."""
    handlers: list[Callable[[], None]] = []
    link = LinkNet(HeapMemory(2 * QUEUE_FRAMES * FRAME_BYTES), bytes(6), 1500, handlers.append)
    link.on_receive(lambda: None)
    bench.cable.transmit = link.transmit  # type: ignore[method-assign]  # the cable ends there
    link.attach(bench.cable.port)
    net = bench.board.hypercalls.nets[0]
    for number in range(3 * QUEUE_FRAMES):
        net.send(frame(number))
    net.flush()
    numbers = []
    for _ in range(10):
        while (found := link.recv()) is not None:
            numbers.append(int.from_bytes(found.view[14:18], "big"))
        bench.board.run()
    assert numbers == list(range(3 * QUEUE_FRAMES))
    assert link.counters["dropped"] == 0
