"""C: 16-bit instructions, expanded to the 32-bit ones they stand for (chapter 26)."""

from __future__ import annotations

from minion.hart.config import Isa

ILLEGAL = 0
"""Not an instruction in the 32-bit table either."""


def expand(_half: int, _isa: Isa) -> int:
    return ILLEGAL
