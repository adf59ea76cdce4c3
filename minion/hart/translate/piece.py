"""What the translator knows of a block."""

from __future__ import annotations

from typing import Final

from minion.hart.interpreter import Block
from minion.hart.translate.region import Seen
from minion.hart.translate.unit import Unit

PATIENCE: Final = 64
"""Turns of a group of accesses before they are measured."""


class Measure:
    """Instructions that a unit has executed; and what was left when it was called."""

    __slots__ = ("began", "executed")

    def __init__(self) -> None:
        self.executed = 0
        self.began = 0


class Piece:
    __slots__ = ("block", "made", "measured", "met", "patience", "targets", "turns", "unit")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.met = 0
        """How often it has been executed; less often than it takes, it is said to be cold."""
        self.targets: dict[int, None] = {}
        """Where it has gone on, if it ends with a jump."""
        self.unit: Unit | None = None
        self.turns: dict[int, int] = {}
        """How often groups of accesses in it have turned, by pc."""
        self.patience = PATIENCE
        self.measured: Measure | None = None
        self.made = 0
        """How often it has been given one."""

    @property
    def pc(self) -> int:
        return self.block.straight.pc

    @property
    def seen(self) -> Seen:
        return Seen(self.block.straight, self.targets)
