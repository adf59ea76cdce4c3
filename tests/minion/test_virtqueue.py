"""The device's side of a virtqueue against drivers that lie."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minion.devices.virtqueue import RingError, Virtqueue
from minion.ram import Ram

BASE = 0x8000_0000
SIZE = 8
DESC, AVAIL, USED, DATA = 0x0, 0x100, 0x200, 0x400
NEXT, WRITE, INDIRECT = 1, 2, 4


def queue(size: int = SIZE) -> Virtqueue:
    made = Virtqueue(Ram(0x1000, BASE), 64)
    made.size = size
    made.desc_addr, made.driver_addr, made.device_addr = BASE + DESC, BASE + AVAIL, BASE + USED
    return made


def started() -> tuple[Virtqueue, Ram]:
    ram = Ram(0x1000, BASE)
    made = Virtqueue(ram, 64)
    made.size = SIZE
    made.desc_addr, made.driver_addr, made.device_addr = BASE + DESC, BASE + AVAIL, BASE + USED
    made.start()
    return made, ram


def describe(ram: Ram, index: int, addr: int, length: int, flags: int = 0, follow: int = 0) -> None:
    ram.u64[(DESC >> 3) + 2 * index] = addr
    ram.u64[(DESC >> 3) + 2 * index + 1] = length | flags << 32 | follow << 48


def offer(ram: Ram, *heads: int) -> None:
    avail = AVAIL >> 1
    for head in heads:
        ram.u16[avail + 2 + ram.u16[avail + 1] % SIZE] = head
        ram.u16[avail + 1] = ram.u16[avail + 1] + 1 & 0xFFFF


def test_a_chain_goes_round() -> None:
    vq, ram = started()
    assert vq.take() == -1
    ram.view[DATA : DATA + 5] = b"hello"
    describe(ram, 2, BASE + DATA, 3, NEXT, 5)
    describe(ram, 5, BASE + DATA + 3, 2)
    offer(ram, 2)
    assert vq.take() == 2
    assert [bytes(view) for view in vq.readable(2)] == [b"hel", b"lo"]
    assert vq.take() == -1
    vq.give(2, 77)
    assert ram.u16[(USED >> 1) + 1] == 1
    assert list(ram.u32[(USED >> 2) + 1 : (USED >> 2) + 3]) == [2, 77]


def test_indices_wrap() -> None:
    vq, ram = started()
    describe(ram, 1, BASE + DATA, 4, WRITE)
    for n in range(70_000):
        offer(ram, 1)
        assert vq.take() == 1
        vq.give(1, n & 0xFF)
    assert ram.u16[(USED >> 1) + 1] == 70_000 & 0xFFFF


@pytest.mark.parametrize(
    ("size", "desc", "driver", "device"),
    [
        (0, DESC, AVAIL, USED),
        (6, DESC, AVAIL, USED),
        (128, DESC, AVAIL, USED),
        (8, DESC + 8, AVAIL, USED),
        (8, DESC, AVAIL + 1, USED),
        (8, DESC, AVAIL, USED + 2),
        (8, 0xFF8, AVAIL, USED),
        (8, DESC, 0xFFE, USED),
        (8, DESC, AVAIL, 0xFFC),
        (8, -16, AVAIL, USED),
        (8, DESC, AVAIL, 1 << 63),
    ],
)
def test_impossible_queues_do_not_start(size: int, desc: int, driver: int, device: int) -> None:
    vq = queue(size)
    vq.desc_addr, vq.driver_addr, vq.device_addr = BASE + desc, BASE + driver, BASE + device
    with pytest.raises(RingError):
        vq.start()
    assert not vq.ready


def test_an_available_index_that_jumps() -> None:
    vq, ram = started()
    ram.u16[(AVAIL >> 1) + 1] = SIZE + 1
    with pytest.raises(RingError):
        vq.take()


def test_a_head_that_does_not_exist() -> None:
    vq, ram = started()
    offer(ram, SIZE)
    with pytest.raises(RingError):
        vq.take()


@pytest.mark.parametrize(
    ("addr", "length", "flags", "follow"),
    [
        (BASE - 1, 4, 0, 0),
        (BASE + 0xFFD, 4, 0, 0),
        (0, 4, 0, 0),
        ((1 << 64) - 1, 4, 0, 0),
        (BASE, 0xFFFF_FFFF, 0, 0),
        (BASE + DATA, 4, NEXT, 0),
        (BASE + DATA, 4, NEXT, SIZE),
        (BASE + DATA, 4, NEXT, 0xFFFF),
        (BASE + DATA, 4, INDIRECT, 0),
        (BASE + DATA, 4, WRITE, 0),
    ],
)
def test_impossible_descriptors(addr: int, length: int, flags: int, follow: int) -> None:
    vq, ram = started()
    describe(ram, SIZE, BASE + DATA, 1)
    describe(ram, 0, addr, length, flags, follow)
    with pytest.raises(RingError):
        vq.readable(0)


def test_directions_are_kept_apart() -> None:
    vq, ram = started()
    describe(ram, 0, BASE + DATA, 1, NEXT, 1)
    describe(ram, 1, BASE + DATA + 1, 2, NEXT | WRITE, 2)
    describe(ram, 2, BASE + DATA + 3, 3, WRITE)
    readable, writable = vq.split(0)
    assert [len(view) for view in readable] == [1]
    assert [len(view) for view in writable] == [2, 3]
    with pytest.raises(RingError):
        vq.writable(0)
    describe(ram, 2, BASE + DATA + 3, 3)
    with pytest.raises(RingError):
        vq.split(0)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(noise=st.binary(min_size=0x300, max_size=0x300), rounds=st.integers(1, 20))
def test_noise_raises_nothing_but_ring_errors(noise: bytes, rounds: int) -> None:
    vq, ram = started()
    ram.view[: len(noise)] = noise
    for _ in range(rounds):
        for walk in (vq.readable, vq.writable, vq.split):
            try:
                head = vq.take()
                if head < 0:
                    break
                walk(head)
                vq.give(head, 0)
            except RingError:
                break
