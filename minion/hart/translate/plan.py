"""What is translated, and when.

Theory of operation.  A block that has been executed often enough becomes the root of a unit, which
takes in the blocks around it that have been executed too, if not as often.  If a unit is left for a
block that it could include, again and again, it is made anew with that block in it.  Only if that
is of no avail does such a block become a root itself.  Units of some size are not included in
others: one leads to the next.  If groups of accesses in a unit turn from page to page, it is
measured how often; those that do so all the time are scattered ones in a new unit.
"""

from __future__ import annotations

from collections.abc import Callable

from minion.hart.translate.access import Habits
from minion.hart.translate.config import Config
from minion.hart.translate.piece import Measure, Piece
from minion.hart.translate.region import Region, Seen
from minion.hart.translate.semantics import Opaque
from minion.hart.translate.unit import Writer


class Plan:
    def __init__(self, writer: Writer, config: Config, drop: Callable[[int | None], None]) -> None:
        """drop: no unit at a pc is to be called any more; at none at all."""
        self._writer = writer
        self._config = config
        self._drop = drop
        self._made: list[Piece] = []
        """Those with a unit, or that had one."""
        self._exits: dict[int, set[Piece]] = {}
        """Where units are left for code that they could include."""
        self.habits = Habits()

    @property
    def units(self) -> int:
        return sum(piece.unit is not None for piece in self._made)

    def heated(self, piece: Piece, pieces: dict[int, Piece]) -> bool:
        """A piece has been executed often.  Whether it has a unit now.

        pieces: those known in the same context, by pc.
        """
        hot = self._config.hot
        if not piece.made:
            if self._join(piece) or piece.met not in (hot, hot * self._config.patience):
                return False
            if piece.met == hot and piece.pc in self._exits:
                return False
        return self._translate(piece, pieces)

    def _join(self, piece: Piece) -> bool:
        """Have the units that are left for a piece made again, with it in them.

        Each time for one that has been met twice as often, so that this comes to an end.
        """
        roots = self._exits.get(piece.pc, set())
        joined = [root for root in roots if piece.met == self._config.hot << root.made - 1]
        for root in joined:
            roots.discard(root)
            self._again(root)
        return bool(joined)

    def _again(self, root: Piece) -> None:
        """Have a unit made anew."""
        root.unit, root.met = None, self._config.hot - 1
        self._drop(root.pc)

    def _translate(self, piece: Piece, pieces: dict[int, Piece]) -> bool:
        config = self._config

        def find(pc: int) -> Seen | None:
            other = pieces.get(pc)
            if other is None or other.met < config.warm:
                return None
            if other.unit is not None and other.unit.instructions > config.small:
                return None
            return other.seen

        for choose in (find, lambda _: None):
            region = Region(piece.seen, choose)
            blocks = [piece.block, *[pieces[node.pc].block for node in region.nodes[1:]]]
            try:
                unit = self._writer.compiled(region, tuple(dict.fromkeys(blocks)), self.habits)
            except Opaque:
                continue
            if len(self._made) >= config.most_units:
                self._forget()
            piece.unit = unit
            if not piece.made:
                self._made.append(piece)
            piece.made += 1
            for pc in region.exits():
                self._exits.setdefault(pc, set()).add(piece)
            return True
        return False

    def _forget(self) -> None:
        """There is too much."""
        for piece in self._made:
            piece.unit, piece.met, piece.made = None, 0, 0
        self._made.clear()
        self._exits.clear()
        self.habits.clear()
        self._drop(None)

    def turned(self, piece: Piece, pc: int, left: int) -> bool:
        """A group of accesses, the first of which is at pc, has turned to another page.

        Whether the unit is to be left, and looked for again: it is to be measured, or made anew.
        """
        turns = piece.turns[pc] = piece.turns.get(pc, 0) + 1
        if turns < piece.patience:
            return False
        piece.turns.clear()
        measured = piece.measured
        if measured is None:
            piece.measured = Measure()
        else:
            piece.measured = None
            piece.patience *= 2
            if measured.executed + measured.began - left < turns * self._config.steady:
                self.habits.scattered.add(pc)
                self._again(piece)
        self._drop(piece.pc)
        return True

    def strayed(self, piece: Piece, pcs: set[int]) -> None:
        """Accesses are often in the page after that of their base."""
        self.habits.lone |= pcs
        self._again(piece)
