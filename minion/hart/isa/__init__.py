"""The semantics: one function per instruction, one file per extension.

A function takes the hart and the operands in the order of the assembler's text, returns None or
the next pc, and raises Trap before it changes anything.  The block translator inlines the bodies,
so they are straight code.  For an illegal instruction they raise `Trap(Cause.ILLEGAL, 0)`: the
engine puts the raw bits into tval.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Semantics: TypeAlias = Callable[..., int | None]


def table(*functions: Semantics) -> dict[str, Semantics]:
    """By mnemonic: and_ is "and", amoadd_w is "amoadd.w"."""
    return {f.__name__.rstrip("_").replace("_", "."): f for f in functions}
