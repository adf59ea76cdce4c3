"""The plain engine, counting: how often each instruction was executed, and what it cost.

Theory of operation.  A block counts how often it came to its end, and how often its last
instruction jumped.  What is executed of a block that does not come to its end (a trap, the budget)
is noted by how far it came.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from minion.hart.blocks import Straight
from minion.hart.encoding import Kind
from minion.hart.interpreter import Block, Interpreter
from minion.hart.state import Hart

Key = tuple[Straight, int]
"""A block and how many of its instructions."""


class Count(NamedTuple):
    """What was executed at one pc."""

    pc: int
    instructions: int
    cycles: int


class Profiler(Interpreter):
    """An engine like any other; `counts` is right between its runs."""

    def __init__(self, hart: Hart) -> None:
        super().__init__(hart, self._counted)
        self._executed: dict[Key, list[int]] = {}
        """How often, and how often it ended in a jump."""

    def _entry(self, straight: Straight, count: int) -> list[int]:
        return self._executed.setdefault((straight, count), [0, 0])

    def _counted(self, hart: Hart, straight: Straight) -> Block:
        block = Block(hart, straight)
        if straight.code[0].name == "breakpoint":  # not an instruction of the program
            return block
        plain = block.last
        entry = self._entry(straight, block.count)

        def last() -> int | None:
            target = plain()
            entry[0] += 1
            if target is not None:
                entry[1] += 1
            return target

        block.last = last
        return block

    def part(self, block: Block, count: int) -> None:
        super().part(block, count)
        self._entry(block.straight, count)[0] += 1

    def counts(self) -> Iterator[Count]:
        """Of every pc; one may come several times, if what stood there has changed."""
        costs = self.hart.cost.table
        taken = self.hart.cost.taken
        for (straight, count), (times, jumps) in self._executed.items():
            pc = straight.pc
            for decoded in straight.code[:count]:
                cycles = times * costs[decoded.kind]
                if decoded.kind is Kind.BRANCH:
                    cycles += jumps * taken
                yield Count(pc, times, cycles)
                pc += decoded.length
