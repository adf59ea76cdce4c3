"""The cycle model: what an instruction of each class costs.

A flat sum, without pipelines and caches: good for comparing programs, not for predicting silicon.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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

    @cached_property
    def table(self) -> tuple[int, ...]:
        """Indexed by Kind."""
        costs = vars(self)
        return tuple([int(costs[kind.name.lower()]) for kind in Kind])


DEFAULT: Final = Cost("default", clock_hz=100_000_000)
"""One instruction, one cycle."""
LOWRISC: Final = Cost(
    "lowrisc", clock_hz=50_000_000, load=2, store=2, mul=3, div=37, amo=4, jump=2, taken=2
)
"""lowRISC's Ibex, its fast multiplier, memory that answers at once (its pipeline's table)."""
ROCKET: Final = Cost(
    "rocket", clock_hz=50_000_000, load=2, mul=4, div=33, amo=4, fadd=4, fmul=4, fdiv=20, fsqrt=25,
    jump=2, system=5, taken=3,
)  # fmt: skip
"""lowRISC's application core, Rocket, if each instruction waited for the one before it."""

COSTS: Final = {cost.name: cost for cost in (DEFAULT, LOWRISC, ROCKET)}
