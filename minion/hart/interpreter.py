"""The plain engine: a block is a list of instructions with their operands bound.

Theory of operation.  Inside a block nothing is counted or looked at: its instructions cannot
change the hart's mode, its length and cost are known.  After each block the interrupt lines are
looked at.  A trap in the middle of a block is found again by how far the iterator over it has come;
so is a fault of ours, which is the caller's: the hart is then as before the instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from operator import length_hint
from types import FunctionType

from minion.hart import privilege
from minion.hart.blocks import Blocks, Straight
from minion.hart.csr import MIE
from minion.hart.encoding import Kind
from minion.hart.fields import Cause
from minion.hart.isa import Semantics
from minion.hart.state import Hart, Stop
from minion.hart.trap import Trap

Operation = Callable[[], int | None]


def nothing() -> None:
    """The end of a block that ends without a branch."""


def bind(function: Semantics, *operands: object) -> Operation:
    """A function without parameters.

    With operands for defaults the call stays within the interpreter's loop, where functools.partial
    goes through C: 7% on a checksum loop.
    """
    if isinstance(function, FunctionType):
        code, closure = function.__code__, function.__closure__
        return FunctionType(code, function.__globals__, function.__name__, operands, closure)
    return partial(function, *operands)


class Block:
    __slots__ = (
        "cost",
        "count",
        "end",
        "extra",
        "last",
        "operations",
        "straight",
        "system",
        "taken",
    )

    def __init__(self, h: Hart, straight: Straight) -> None:
        costs = h.cost.table
        bound = [bind(d.function, h, *d.operands) for d in straight.code]
        kind = straight.code[-1].kind
        self.straight = straight
        self.end = straight.end
        self.count = len(bound)
        self.cost = sum([costs[d.kind] for d in straight.code])
        self.taken = h.cost.taken if kind is Kind.BRANCH else 0
        self.system = kind is Kind.SYSTEM
        self.last = bound.pop() if kind >= Kind.BRANCH else nothing
        self.operations = bound
        self.extra: object = None
        """The translator's."""

    def pc(self, index: int) -> int:
        """Of the instruction with that number, or of the end."""
        code = self.straight.code[:index]
        if index == self.count:
            return self.end
        return self.straight.pc + sum([d.length for d in code])


def supervise(h: Hart, limit: int, execute: Callable[[int], Trap | None]) -> Stop:
    """The run of an engine, whose execute(left) returns when something has to be looked at."""
    goal = h.instret + limit
    while True:
        if h.stopping is not None:
            reason, h.stopping = h.stopping, None
            return reason
        trap = None
        if (h.lines.mip | h.csr.soft_mip) & h.enabled:
            trap = privilege.interrupt(h)
        if h.waiting:
            if not (h.lines.mip | h.csr.soft_mip) & h.csr.value[MIE]:
                return Stop.WFI
            h.waiting = False
        if trap is None:
            if h.instret >= goal:
                return Stop.LIMIT
            trap = execute(goal - h.instret)
        if trap is None:
            continue
        if not privilege.enter(h, trap):
            return Stop.MONITOR
        goal -= 1  # a handler that traps itself retires nothing: run ends all the same


class Interpreter:
    def __init__(self, hart: Hart, build: Callable[[Hart, Straight], Block] = Block) -> None:
        self.hart = hart
        self._costs = hart.cost.table
        self.blocks: Blocks[Block] = Blocks(hart, partial(build, hart))
        self.blocks.on_change.append(self._changed)
        self._operations: Iterator[Operation] = iter(())
        """What is left of the block that is being executed."""
        self._cut = -1
        """So much of it is not to be executed, because code has changed."""

    def run(self, limit: int) -> Stop:
        """Execute `limit` instructions, or fewer: see Stop."""
        return supervise(self.hart, limit, self.execute)

    def execute(self, left: int) -> Trap | None:
        """Up to so many instructions, until something has to be looked at.  Returns the trap."""
        h = self.hart
        lines, enabled = h.lines, h.enabled
        known, find = self.blocks.map(), self.blocks.find
        pc, budget, cycles = h.pc, left, 0
        block = None
        at: Iterator[Operation] = iter(())
        self._cut = -1
        try:
            while left > 0 and not lines.mip & enabled and h.stopping is None:
                block = known.get(pc)
                if block is None:
                    block = find(pc)
                if block.system or block.count > left:
                    break
                self._operations = at = iter(block.operations)
                for operation in at:
                    operation()
                if self._cut >= 0:
                    break
                target = block.last()
                left -= block.count
                cycles += block.cost
                if target is None:
                    pc = block.end
                else:
                    pc = target
                    cycles += block.taken
                block = None
        except Exception as error:
            self._sync(pc, budget - left, cycles)
            if block is not None:
                self.part(block, len(block.operations) - length_hint(at) - 1)
            return self._trap(error, block)
        self._sync(pc, budget - left, cycles)
        if block is None:
            return None
        if self._cut >= 0:
            self.part(block, len(block.operations) - self._cut)
            return None
        return self.finish(block, left)

    def finish(self, block: Block, left: int) -> Trap | None:
        """A SYSTEM instruction, or so much of a block as the budget allows."""
        if block.system:
            return self._system(block)
        self._operations = at = iter(block.operations[:left])
        given = length_hint(at)
        self._cut = -1
        try:
            for operation in at:
                operation()
        except Exception as error:
            self.part(block, given - length_hint(at) - 1)
            return self._trap(error, block)
        self.part(block, given - max(self._cut, 0))
        return None

    def _trap(self, error: Exception, block: Block | None) -> Trap:
        """Raises what is none."""
        if not isinstance(error, Trap):
            raise error
        if block is not None:
            self.explain(error, block)
        return error

    def _system(self, block: Block) -> Trap | None:
        h = self.hart
        try:
            target = block.last()
        except Trap as trap:
            self.explain(trap, block)
            return trap
        h.pc = block.end if target is None else target
        h.instret += 1
        h.cycles += block.cost
        return None

    def _changed(self) -> None:
        """Code has been stored to: what follows in this block may not be what was decoded."""
        self._cut = length_hint(self._operations)
        for _ in self._operations:
            pass

    def _sync(self, pc: int, count: int, cycles: int) -> None:
        h = self.hart
        h.pc = pc
        h.instret += count
        h.cycles += cycles

    def part(self, block: Block, count: int) -> None:
        """So many instructions of a block have been executed."""
        costs = self._costs
        self._sync(
            block.pc(count), count, sum([costs[d.kind] for d in block.straight.code[:count]])
        )

    def explain(self, trap: Trap, block: Block) -> None:
        """The semantics do not know the bits of an illegal instruction."""
        if trap.cause == Cause.ILLEGAL:
            pc = block.straight.pc
            for decoded in block.straight.code:
                if pc == self.hart.pc:
                    trap.tval = decoded.raw
                pc += decoded.length
