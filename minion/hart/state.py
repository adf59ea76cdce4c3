"""The state of a hart.  The engines, the semantics and the debugger work on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final, TypeAlias

from minion.bus import Bus
from minion.devices.lines import Lines
from minion.hart import csrs, privilege
from minion.hart.config import RV64, Isa
from minion.hart.cost import DEFAULT, Cost
from minion.hart.csr import CsrFile
from minion.hart.fields import FS, M
from minion.hart.mmu import Mmu
from minion.hart.pmp import Pmp
from minion.hart.trap import Trap
from minion.ram import Ram

WORDS: Final = 33
"""x0 to x31, and the bin that decode gives to instructions that write x0."""

Registers: TypeAlias = "list[int] | memoryview[int]"
"""While an engine runs they may be somewhere else than between runs."""


class Stop(IntEnum):
    """Why an engine's run returned."""

    LIMIT = 0
    WFI = 1
    """Waiting, and nothing is pending: call again when something may be."""
    MONITOR = 2
    """h.trap is for the caller; h.pc is where it happened, h.priv unchanged."""
    HALT = 3
    """The program is done: see who called h.stop()."""
    BREAK = 4
    """At a breakpoint, or a debugger called h.stop()."""


class Hart:
    """Values of registers are unsigned.  `instret` and `cycles` are right between runs of an
    engine, in CSR instructions and in traps; `pc` also, but not inside loads and stores."""

    __slots__ = (
        "breakpoints",
        "context",
        "cost",
        "csr",
        "cycles",
        "enabled",
        "f",
        "fflags",
        "frm",
        "instret",
        "isa",
        "lines",
        "load",
        "mmu",
        "monitor",
        "mstatus",
        "pc",
        "pmp",
        "priv",
        "reads",
        "reservation",
        "stopping",
        "store",
        "time",
        "trap",
        "waiting",
        "writes",
        "x",
    )  # fmt: skip

    def __init__(
        self,
        bus: Bus,
        ram: Ram,
        lines: Lines,
        isa: Isa = RV64,
        *,
        time: Callable[[], int] = lambda: 0,
        cost: Cost = DEFAULT,
        hartid: int = 0,
    ) -> None:
        """time: the `time` CSR, the CLINT's mtime."""
        self.isa = isa
        self.lines = lines
        self.time = time
        self.cost = cost
        self.monitor = False
        """True: what would trap into M mode ends `run`, and the caller is M mode."""
        self.trap = Trap(0, 0)
        """The last one, taken or given to the monitor."""
        self.breakpoints: frozenset[int] = frozenset()
        self.instret = 0
        """Instructions retired and cycles since power-on: minstret and mcycle count from here."""
        self.cycles = 0
        self.context: object = None
        """Equal contexts fetch the same code at the same virtual address."""
        self.reads: dict[int, int] = {}
        """Virtual page -> what to add to an address to have its offset in RAM."""
        self.writes: dict[int, int] = {}
        self.pmp = Pmp(54 if isa.xlen == 64 else 32)
        self.csr = CsrFile(self, hartid)
        csrs.install(self.csr, self)
        self.mmu = Mmu(self, bus, ram)
        self.load = self.mmu.load
        """load(addr, size) and store(addr, size, value), virtual; a debugger may stand in."""
        self.store = self.mmu.store
        self.reset(ram.base)

    def reset(self, pc: int) -> None:
        """Power on: M mode at pc, registers zero."""
        self.x: Registers = [0] * WORDS
        self.f: Registers = [0] * 32
        self.fflags = self.frm = 0
        self.pc = pc
        self.priv = M
        self.mstatus = 0
        self.reservation: tuple[int, int, int] | None = None
        """What LR reserved: address, size, and the value it saw."""
        self.waiting = False
        """In WFI."""
        self.stopping: Stop | None = None
        self.enabled = 0
        """The bits of mip that interrupt the hart in its present state."""
        self.csr.reset()
        self.pmp.reset()
        self.mmu.flush()
        self.mmu.code_changed()
        self.context_changed()

    def context_changed(self) -> None:
        """After each change of priv, mstatus, satp, mie or mideleg."""
        self.enabled = privilege.enabled(self)
        self.mmu.switch()

    def set_breakpoints(self, addresses: Iterable[int]) -> None:
        """Virtual addresses at which engines stop (Stop.BREAK), before the instruction there."""
        self.breakpoints = frozenset(addresses)
        self.mmu.flush()

    def stop(self, reason: Stop) -> None:
        """Make the engine's run return soon: for devices and debuggers."""
        self.stopping = reason

    @property
    def fp(self) -> bool:
        """Whether mstatus.FS lets floating-point instructions be."""
        return self.mstatus & FS != 0
