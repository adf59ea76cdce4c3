"""The engine in C, seen from Python: it decodes, and does what C leaves to it.

Theory of operation.  core.c executes blocks that are in its table and returns with a reason.  A
block that is missing is found as for the other engines, and put there (code.py).  An instruction
that C cannot do (a device, a fault, a CSR, a trap) is executed by the plain engine's function for
it, on the hart's registers; then C goes on behind it.  What C reads and writes of RAM, and where it
fetches, it finds in the page tables itself (memory.py).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

from minion.hart.interpreter import Block, Interpreter, supervise
from minion.hart.native._core import ffi, lib
from minion.hart.native.code import Code
from minion.hart.native.memory import Memory
from minion.hart.state import Hart, Stop
from minion.hart.trap import Trap

SLICE: Final = 1 << 16
"""Instructions between looks at what another thread may have changed."""


def words(registers: Sequence[int]) -> memoryview:
    """An array of C, for Python to work on."""
    return memoryview(ffi.buffer(registers)).cast("B").cast("Q")


class Native:
    def __init__(self, hart: Hart) -> None:
        self.hart = hart
        self._plain = Interpreter(hart)
        self._blocks = self._plain.blocks
        self._blocks.on_change.append(self._changed)
        self._run = lib.run64 if hart.isa.xlen == 64 else lib.run32
        s = self._state = ffi.new("struct hart *")
        s.floats = lib.sound()
        self._x, self._f = words(s.x), words(s.f)
        self._memory = Memory(hart, s, self._blocks)
        self._code = Code(hart, s, self._blocks)
        self._budget = 0
        """What `left` was when the counters were right."""
        self._cut = False
        """Code has changed, perhaps that of the current block."""
        self._trap: Trap | None = None
        """What a SYSTEM instruction ended with."""

    def run(self, limit: int) -> Stop:
        """Execute `limit` instructions, or fewer: see Stop."""
        h = self.hart
        if h.load != h.mmu.load or h.store != h.mmu.store:  # a debugger stands in
            return self._plain.run(limit)
        x, f = h.x, h.f
        self._x[:], self._f[:] = array("Q", x), array("Q", f)
        h.x, h.f = self._x, self._f
        try:
            return supervise(h, limit, self._execute)
        finally:
            x[:], f[:] = self._x, self._f
            h.x, h.f = x, f

    def _execute(self, left: int) -> Trap | None:
        """Up to so many instructions, until something has to be looked at.  Returns the trap."""
        s = self._state
        self._budget = s.left = min(left, SLICE)
        s.cycles, s.pc, s.block = 0, self.hart.pc, ffi.NULL
        self._memory.enter()
        self._give()
        missed = -1, 0  # what was put into the table last: if C misses it even so, it is not for C
        while True:
            why = self._run(s)
            if why == lib.PLAIN:
                block = self._code.block(s.block.number)
                if not block.system:
                    trap = self._one(block, s.index)
                    if trap is not None or self._cut:
                        return trap
                    s.index += 1
                    self._give()
                    continue
            elif s.left <= 0:
                self._take(s.pc)
                return None
            elif why == lib.SHORT:
                block = self._code.block(s.block.number)
            else:
                self._memory.fenced()
                try:
                    held = self._blocks.settle(s.pc)
                except Trap as trap:  # nothing can be fetched from there
                    self._take(s.pc)
                    return trap
                block = held.block
                if missed != (s.pc, s.left):
                    missed = s.pc, s.left
                    self._code.put(held)
                    s.block = ffi.NULL
                    continue
            if self._ends(block):
                return self._trap

    def _ends(self, block: Block) -> bool:
        """Execute a SYSTEM instruction, or what the budget allows.  Whether that ends the run."""
        h, s = self.hart, self._state
        context, reads = h.context, h.reads
        self._take(block.straight.pc)
        self._trap = self._plain.finish(block, s.left)
        if (
            self._trap is not None
            or not block.system
            or h.context is not context
            or h.reads is not reads
            or (h.lines.mip | h.csr.soft_mip) & h.enabled
            or h.waiting
            or h.stopping is not None
        ):
            return True
        self._budget = s.left = s.left - 1
        s.cycles, s.pc, s.block = 0, h.pc, ffi.NULL
        self._give()
        return False

    def _one(self, block: Block, index: int) -> Trap | None:
        """Execute an instruction as the plain engine does.  Returns the trap.

        After a trap, or if code has changed, the hart is as it has to be when a run ends.
        """
        h, s = self.hart, self._state
        self._take_state()
        self._cut = False
        done = 0
        try:
            block.operations[index]()
            done = 1
        except Trap as trap:
            found = trap
        finally:
            if self._cut or not done:
                self._count(block.straight.pc)
                self._plain.part(block, index + done)
        if not done:
            self._plain.explain(found, block)
            return found
        if h.lines.mip & h.enabled or h.stopping is not None:  # to be looked at after this block
            self._budget -= s.left - block.count
            s.left = block.count
        return None

    # -- what C has of the hart's state; x and f it shares

    def _give(self) -> None:
        """To C."""
        h, s = self.hart, self._state
        s.frm, s.fflags, s.mstatus = h.frm, h.fflags, 0
        s.reserved_addr, s.reserved_size, s.reserved_value = h.reservation or (0, 0, 0)

    def _take(self, pc: int) -> None:
        """From C; and have the hart's pc and counters right."""
        self._take_state()
        self._count(pc)

    def _take_state(self) -> None:
        h, s = self.hart, self._state
        self._memory.fenced()
        h.fflags, h.frm = s.fflags, s.frm
        h.mstatus |= s.mstatus
        size = s.reserved_size
        h.reservation = (s.reserved_addr, size, s.reserved_value) if size else None

    def _count(self, pc: int) -> None:
        h, s = self.hart, self._state
        h.pc = pc
        h.instret += self._budget - s.left
        h.cycles += s.cycles

    def _changed(self) -> None:
        self._cut = True
