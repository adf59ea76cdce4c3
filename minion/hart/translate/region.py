"""Which blocks become one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from minion.hart.blocks import Straight
from minion.hart.decode import BIN, Decoded
from minion.hart.encoding import Kind
from minion.hart.translate.semantics import definition

MOST_INSTRUCTIONS: Final = 256
"""In a function: what is executed between two looks at the budget, and the cost of compiling."""


class Part(NamedTuple):
    """A block, as the control flow sees it."""

    code: tuple[Decoded, ...]
    end: int
    targets: tuple[int, ...]
    """Where it may go on, as far as that is known now."""
    dynamic: bool
    """It may go elsewhere."""


class Region(NamedTuple):
    entry: int
    parts: dict[int, Part]
    successors: dict[int, tuple[int, ...]]
    """Those of each part's targets that are parts."""
    instructions: int


def part(straight: Straight) -> Part:
    last = straight.code[-1]
    if last.kind < Kind.BRANCH:
        return Part(straight.code, straight.end, (straight.end,), False)
    operands = dict(zip(definition(last.function).parameters[1:], last.operands, strict=True))
    target = operands.get("target")
    if target is None or operands.get("rd", BIN) != BIN:
        return Part(straight.code, straight.end, (), True)
    if last.kind is Kind.BRANCH:
        return Part(straight.code, straight.end, (target, straight.end), False)
    return Part(straight.code, straight.end, (target,), False)


def select(entry: int, first: Straight, find: Callable[[int], Straight | None]) -> Region:
    """From the entry on, breadth first; find says no to what is not worth it, or not possible."""
    parts = {entry: part(first)}
    total = len(first.code)
    queue = [entry]
    for pc in queue:
        for target in parts[pc].targets:
            if target in parts:
                continue
            straight = find(target)
            if straight is None or total + len(straight.code) > MOST_INSTRUCTIONS:
                continue
            parts[target] = part(straight)
            total += len(straight.code)
            queue.append(target)
    successors = {
        pc: tuple(dict.fromkeys([t for t in p.targets if t in parts])) for pc, p in parts.items()
    }
    return Region(entry, parts, successors, total)
