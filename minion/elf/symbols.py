"""Symbols: which function an address lies in, and where a name is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from minion.elf.structs import (
    SHN_ABS,
    SHN_UNDEF,
    STB_LOCAL,
    STT_FUNC,
    STT_GNU_IFUNC,
    STT_NOTYPE,
    STT_OBJECT,
    Symbol,
)

RANK = {STT_FUNC: 0, STT_GNU_IFUNC: 0, STT_OBJECT: 1, STT_NOTYPE: 2}
"""Which of two symbols at one address gives it its name; other types name no address."""


class Symbols:
    """Each address belongs to one symbol at most.

    A symbol without a size, as assembly leaves it, reaches to the next one, or to the end of its
    segment; inside a function with a size it is a label of that function.
    """

    def __init__(
        self, symbols: Iterable[tuple[str, Symbol]], segments: Sequence[tuple[int, int]] = ()
    ) -> None:
        """segments: (start, end) of the memory they may lie in."""
        self._values: dict[str, int] = {}
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._names: list[str] = []
        local: dict[str, int] = {}
        placed: list[tuple[int, int, int, str]] = []
        for name, symbol in symbols:
            rank = RANK.get(symbol.info & 15)
            if rank is None or symbol.shndx == SHN_UNDEF or not name:
                continue
            if name.startswith(("$", ".L")):  # what is code and what is data; the compiler's own
                continue
            (local if symbol.info >> 4 == STB_LOCAL else self._values)[name] = symbol.value
            if symbol.shndx != SHN_ABS:
                placed.append((symbol.value, rank, -symbol.size, name))
        self._values = local | self._values
        self._arrange(sorted(placed), sorted(segments))

    def _arrange(
        self, placed: list[tuple[int, int, int, str]], segments: list[tuple[int, int]]
    ) -> None:
        covered = 0
        last = -1
        for start, _rank, negative_size, name in placed:
            size = -negative_size
            if start == last or (not size and start < covered):
                continue
            if self._ends and self._ends[-1] > start:
                self._ends[-1] = start
            self._starts.append(start)
            self._ends.append(start + size if size else end_of(segments, start))
            self._names.append(name)
            covered = max(covered, start + size)
            last = start

    def __len__(self) -> int:
        return len(self._starts)

    def lookup(self, addr: int) -> tuple[str, int] | None:
        """The symbol an address belongs to and the offset in it; None if there is none."""
        index = bisect_right(self._starts, addr) - 1
        if index < 0 or addr >= self._ends[index]:
            return None
        return self._names[index], addr - self._starts[index]

    def address(self, name: str) -> int | None:
        """The value of a symbol; a global one comes before a local one of the same name."""
        return self._values.get(name)

    def describe(self, addr: int) -> str:
        """name+0x12, or the bare address."""
        found = self.lookup(addr)
        if found is None:
            return f"{addr:#x}"
        name, offset = found
        return f"{name}+{offset:#x}" if offset else name


def end_of(segments: list[tuple[int, int]], addr: int) -> int:
    """Where the segment an address lies in ends."""
    for start, end in segments:
        if start <= addr < end:
            return end
    return addr + 1
