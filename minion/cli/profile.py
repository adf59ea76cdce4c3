"""`--profile`: where the instructions went, by function."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from minion.elf.symbols import Symbols
from minion.hart.profile import Count

SHOWN: Final = 40
NAMELESS: Final = "(no symbol)"


def by_function(counts: Iterable[Count], tables: Sequence[Symbols]) -> list[tuple[str, int, int]]:
    """Name, instructions and cycles of each function, most instructions first."""
    instructions: Counter[str] = Counter()
    cycles: Counter[str] = Counter()
    for count in counts:
        name = function(count.pc, tables)
        instructions[name] += count.instructions
        cycles[name] += count.cycles
    rows = [(name, total, cycles[name]) for name, total in instructions.items() if total]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def function(pc: int, tables: Sequence[Symbols]) -> str:
    for symbols in tables:
        found = symbols.lookup(pc)
        if found is not None:
            return found[0]
    return NAMELESS


def report(rows: Sequence[tuple[str, int, int]]) -> Iterator[str]:
    """Lines of the flat profile."""
    instructions = sum(row[1] for row in rows)
    cycles = sum(row[2] for row in rows)
    if not instructions:
        return
    yield f"{'instructions':>14} {'%':>6} {'cycles':>14}  function"
    for name, count, cost in rows[:SHOWN]:
        yield f"{count:14,} {100 * count / instructions:6.2f} {cost:14,}  {name}"
    if rest := rows[SHOWN:]:
        count, cost = sum(row[1] for row in rest), sum(row[2] for row in rest)
        share = 100 * count / instructions
        yield f"{count:14,} {share:6.2f} {cost:14,}  ({len(rest)} more functions)"
    yield f"{instructions:14,} {100:6.2f} {cycles:14,}  in all"
