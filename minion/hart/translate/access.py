"""The source of loads and stores.

Theory of operation.  The tables R1 to R8 and W1 to W8 (see window.py) have a memoryview for each
virtual page that may be accessed just so; T2 to T8 turn an offset in the page into an index, or
into None if it is misaligned.  Whatever is not in them raises, and goes the slow way, after which
`after()` says whether the block has to be left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from minion.hart.mmu import OFFSET, PAGE, SHIFT

Bind = Callable[[object], str]
MISSES: Final = (KeyError, TypeError)
INDICES: Final = {
    size: tuple([None if offset % size else offset // size for offset in range(PAGE)])
    for size in (2, 4, 8)
}


class Address(NamedTuple):
    source: str
    simple: bool
    """It may be written more than once."""
    lo: int
    hi: int


def load(addr: Address, size: int, target: str, mask: int) -> list[str]:
    element, again = place("R", addr, size)
    return [
        "try:",
        f" {target} = {element}",
        "except misses:",
        f" {target} = load({masked(addr, again, mask)}, {size}); left -= after()",
    ]


def store(addr: Address, size: int, value: str, mask: int) -> list[str]:
    element, again = place("W", addr, size)
    return [
        "try:",
        f" {element} = {value}",
        "except misses:",
        f" store({masked(addr, again, mask)}, {size}, {value}); left -= after()",
    ]


def place(table: str, addr: Address, size: int) -> tuple[str, str]:
    """The element of a page, and how to write the address once that has been evaluated."""
    first = again = addr.source
    if not addr.simple:
        first, again = f"(a := {addr.source})", "a"
    offset = f"{again} & {OFFSET}"
    index = offset if size == 1 else f"T{size}[{offset}]"
    return f"{table}{size}[{first} >> {SHIFT}][{index}]", again


def masked(addr: Address, source: str, mask: int) -> str:
    return source if addr.lo >= 0 and addr.hi <= mask else f"{source} & {mask}"
