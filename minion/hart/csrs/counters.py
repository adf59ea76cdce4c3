"""Counters and time (unprivileged 7.1, privileged 3.1.10 to 3.1.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from minion.hart.csr import MCOUNTINHIBIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from minion.hart.csr import CsrFile
    from minion.hart.state import Hart

MASK: Final = (1 << 64) - 1
LOW: Final = (1 << 32) - 1
CY: Final = 1
IR: Final = 4


class Counter:
    """A writable, stoppable view of a count that only grows."""

    def __init__(self, source: Callable[[], int]) -> None:
        self._source = source
        self._offset = 0
        self._stopped: int | None = None

    def read(self) -> int:
        if self._stopped is not None:
            return self._stopped
        return self._source() + self._offset & MASK

    def write(self, value: int, writer: int) -> None:
        """The instruction that writes adds `writer` after this, which the value does not show."""
        if self._stopped is not None:
            self._stopped = value & MASK
        else:
            self._offset = value - self._source() - writer

    def inhibit(self, stop: bool, writer: int) -> None:
        if stop and self._stopped is None:
            self._stopped = self.read()
        elif not stop and self._stopped is not None:
            value, self._stopped = self._stopped, None
            self.write(value, writer)


def install(file: CsrFile, h: Hart) -> None:
    cycle = Counter(lambda: h.cycles)
    instret = Counter(lambda: h.instret)
    system = h.cost.system
    define(file, h, 0, "cycle", cycle, system)
    define(file, h, 2, "instret", instret, 1)
    for number in range(3, 32):
        for name, addr in ((f"mhpmcounter{number}", 0xB00), (f"hpmcounter{number}", 0xC00)):
            read_only(file, h, name, addr + number, lambda: 0)
        file.plain(f"mhpmevent{number}", 0x320 + number)
    read_only(file, h, "time", 0xC01, h.time)

    def inhibit(value: int) -> None:
        file.value[MCOUNTINHIBIT] = value & (CY | IR)
        cycle.inhibit(value & CY != 0, system)
        instret.inhibit(value & IR != 0, 1)

    def start() -> None:
        inhibit(0)
        cycle.write(0, 0)
        instret.write(0, 0)

    file.plain("mcountinhibit", MCOUNTINHIBIT, CY | IR)
    file.writer(MCOUNTINHIBIT, inhibit)
    file.on_reset.append(start)


def define(file: CsrFile, h: Hart, number: int, name: str, counter: Counter, cost: int) -> None:
    """mNAME, read and written, and NAME, read; on RV32 each in two halves."""
    read_only(file, h, name, 0xC00 + number, counter.read)
    if h.isa.xlen == 64:
        file.special(f"m{name}", 0xB00 + number, counter.read, lambda v: counter.write(v, cost))
        return

    def low(value: int) -> None:
        counter.write(counter.read() & ~LOW | value, cost)

    def high(value: int) -> None:  # the count of the instruction that writes is lost in both halves
        counter.write(counter.read() & LOW | value << 32, cost)

    file.special(f"m{name}", 0xB00 + number, lambda: counter.read() & LOW, low)
    file.special(f"m{name}h", 0xB80 + number, lambda: counter.read() >> 32, high)


def read_only(file: CsrFile, h: Hart, name: str, addr: int, reader: Callable[[], int]) -> None:
    if h.isa.xlen == 64:
        file.special(name, addr, reader)
        return
    file.special(name, addr, lambda: reader() & LOW)
    file.special(f"{name}h", addr + 0x80, lambda: reader() >> 32 & LOW)
