"""The cycle model: what an instruction of each class costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from minion.hart.encoding import Kind


@dataclass(frozen=True)
class Cost:
    """Cycles per instruction, by class, and the clock they are cycles of."""

    name: str
    clock_hz: int
    alu: int = 1
    load: int = 1
    store: int = 1
    mul: int = 1
    div: int = 1
    amo: int = 1
    fmove: int = 1
    fadd: int = 1
    fmul: int = 1
    fdiv: int = 1
    fsqrt: int = 1
    branch: int = 1
    jump: int = 1
    system: int = 1
    taken: int = 0
    """What a taken branch costs more."""

    def table(self) -> tuple[int, ...]:
        """Indexed by Kind."""
        costs = vars(self)
        return tuple([int(costs[kind.name.lower()]) for kind in Kind])


DEFAULT: Final = Cost("default", clock_hz=100_000_000)
"""One instruction, one cycle."""
