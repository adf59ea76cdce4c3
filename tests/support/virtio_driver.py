"""A guest's virtio driver, for tests of devices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from minion.ram import Ram

SLOT = 0x1000_1000
RAM = 0x8000_0000
ACKNOWLEDGE, DRIVER, DRIVER_OK, FEATURES_OK, NEEDS_RESET = 1, 2, 4, 8, 0x40
VERSION_1 = 1 << 32


class Board(Protocol):
    @property
    def ram(self) -> Ram: ...


class Machine(Protocol):
    """A board and its bus."""

    @property
    def board(self) -> Board: ...

    @property
    def read(self) -> Callable[[int, int], int]: ...

    @property
    def write(self) -> Callable[[int, int, int], None]: ...


class Driver:
    """A guest's virtio driver, register by register."""

    def __init__(self, bench: Machine, slot: int = 0) -> None:
        self.bench = bench
        self.base = SLOT + 0x1000 * slot
        self.ram = bench.board.ram

    def get(self, register: int) -> int:
        return self.bench.read(self.base + register, 4)

    def set(self, register: int, value: int) -> None:
        self.bench.write(self.base + register, 4, value)

    def offered(self) -> int:
        low_high = []
        for half in (0, 1):
            self.set(0x014, half)
            low_high.append(self.get(0x010))
        return low_high[0] | low_high[1] << 32

    def negotiate(self, features: int) -> bool:
        self.set(0x070, 0)
        self.set(0x070, ACKNOWLEDGE)
        self.set(0x070, ACKNOWLEDGE | DRIVER)
        for half in (0, 1):
            self.set(0x024, half)
            self.set(0x020, features >> 32 * half & 0xFFFF_FFFF)
        self.set(0x070, ACKNOWLEDGE | DRIVER | FEATURES_OK)
        return bool(self.get(0x070) & FEATURES_OK)

    def queue(self, index: int, at: int, size: int = 8) -> None:
        self.set(0x030, index)
        self.set(0x038, size)
        for register, addr in ((0x080, at), (0x090, at + 0x400), (0x0A0, at + 0x800)):
            self.set(register, RAM + addr & 0xFFFF_FFFF)
            self.set(register + 4, 0)
        self.set(0x044, 1)

    def start(self) -> None:
        self.set(0x070, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)

    def describe(self, at: int, index: int, addr: int, length: int, rest: int = 0) -> None:
        self.ram.u64[(at >> 3) + 2 * index] = addr
        self.ram.u64[(at >> 3) + 2 * index + 1] = length | rest << 32

    def offer(self, at: int, head: int, size: int = 8) -> None:
        avail = at + 0x400 >> 1
        self.ram.u16[avail + 2 + self.ram.u16[avail + 1] % size] = head
        self.ram.u16[avail + 1] += 1

    def used(self, at: int) -> int:
        return self.ram.u16[(at + 0x800 >> 1) + 1]
