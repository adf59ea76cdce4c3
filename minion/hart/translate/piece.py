"""What the translator knows of a block."""

from __future__ import annotations

from minion.hart.interpreter import Block
from minion.hart.translate.region import Seen
from minion.hart.translate.unit import Unit


class Piece:
    __slots__ = ("block", "made", "met", "targets", "turned", "turns", "unit")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.met = 0
        """How often it has been executed; less often than it takes, it is said to be cold."""
        self.targets: dict[int, None] = {}
        """Where it has gone on, if it ends with a jump."""
        self.unit: Unit | None = None
        self.turns: dict[int, int] = {}
        """How often groups of accesses in it have turned, by pc; and when they last were many."""
        self.turned: dict[int, int] = {}
        self.made = 0
        """How often it has been given one."""

    @property
    def seen(self) -> Seen:
        return Seen(self.block.straight, self.targets)
