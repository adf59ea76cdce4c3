"""The bus: physical addresses to devices, by 4 KiB page, and to RAM."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from minion.ram import Ram

PAGE_SHIFT: Final = 12


class BusError(Exception):
    """Nothing answers at an address, or not to an access of that size (an access fault)."""


class Device(Protocol):
    """Registers.  Offsets count from the device's first address; values are unsigned."""

    def read(self, offset: int, size: int, /) -> int: ...

    def write(self, offset: int, size: int, value: int, /) -> None: ...


class Bus:
    def __init__(self, ram: Ram) -> None:
        self._ram = ram
        self._pages: dict[int, tuple[Device, int]] = {}

    def attach(self, base: int, length: int, device: Device) -> None:
        """Map a device.  Two devices never share a page."""
        for page in range(base >> PAGE_SHIFT, (base + length - 1 >> PAGE_SHIFT) + 1):
            if page in self._pages:
                raise ValueError(f"bus: page {page << PAGE_SHIFT:#x} is taken")
            self._pages[page] = (device, base)

    def read(self, addr: int, size: int) -> int:
        try:
            device, base = self._pages[addr >> PAGE_SHIFT]
        except KeyError:
            return int.from_bytes(self._span(addr, size), "little")
        return device.read(addr - base, size)

    def write(self, addr: int, size: int, value: int) -> None:
        try:
            device, base = self._pages[addr >> PAGE_SHIFT]
        except KeyError:
            self._span(addr, size)[:] = value.to_bytes(size, "little")
            return
        device.write(addr - base, size, value)

    def loader(self, addr: int, size: int) -> Callable[[], int]:
        """read, with the device looked up once."""
        device, base = self._pages[addr >> PAGE_SHIFT]
        return partial(device.read, addr - base, size)

    def storer(self, addr: int, size: int) -> Callable[[int], None]:
        """write, with the device looked up once."""
        device, base = self._pages[addr >> PAGE_SHIFT]
        return partial(device.write, addr - base, size)

    def _span(self, addr: int, size: int) -> memoryview:
        span = self._ram.span(addr, size)
        if span is None:
            raise BusError(f"no device at {addr:#x}")
        return span
