"""The translating engine: blocks that are executed often become Python functions.

Theory of operation.  A map from pc to a callable serves each mode and context; a call takes the
budget of instructions and returns the next pc and what is left.  A block is executed as the plain
engine does it until it has been met often enough; then it, and the blocks around it that have been
met, are written as one function.  Whatever has to be looked at (a trap, a SYSTEM instruction, an
interrupt raised by a device that code has accessed) makes `left` negative, which ends the loop.
The last instructions before the limit are the plain engine's, so that limits are exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import length_hint
from typing import Final

from minion.hart.fields import Cause
from minion.hart.interpreter import Block, Interpreter, Operation, supervise
from minion.hart.isa import rv_i
from minion.hart.mmu import MODES
from minion.hart.state import Hart, Stop
from minion.hart.translate.code import Place
from minion.hart.translate.config import DEFAULT, Config
from minion.hart.translate.piece import Piece
from minion.hart.translate.region import MOST_INSTRUCTIONS, Region, Seen
from minion.hart.translate.semantics import Opaque, definition
from minion.hart.translate.slow import Plain, Slow
from minion.hart.translate.unit import LEAVE, Leave, Unit, Writer
from minion.hart.translate.window import Call, Window
from minion.hart.trap import Trap

CHUNK: Final = 1 << 20
"""Instructions between looks at what nobody but another thread could have changed."""
TURNS: Final = 64
"""Of a group of accesses, before it is looked at how long they took."""
REGISTERS: Final = {f"{file}{n}": (file, n) for file in "xf" for n in range(32)}


class Translator:
    """Raises NoSource if there is none to translate to."""

    def __init__(self, hart: Hart, config: Config = DEFAULT) -> None:
        self.hart = hart
        self._config = config
        self._plain = Interpreter(hart)
        self._windows: dict[int, Window] = {}
        self._blocks = self._plain.blocks
        self._blocks.on_forget.append(self._forget)
        self._blocks.on_change.append(self._changed)
        hart.mmu.on_flush.append(self._windows.clear)
        hart.mmu.on_watch.append(self._watched)
        self._writer = Writer(hart.isa.xlen, hart.cost.table(), hart.cost.taken)
        self._made: list[Piece] = []
        """Those with a unit."""
        self._exits: dict[int, set[Piece]] = {}
        """Where units are left for code that they could include."""
        self._costs = hart.cost.table()
        self._scattered: set[int] = set()
        """Where groups of accesses begin that turn often."""
        self._block: Block | None = None
        """What the loop was left for: a SYSTEM instruction."""
        self._trap: Trap | None = None
        self._alone = False
        """It was left for an instruction that is the plain engine's."""
        self._remade = False
        """The unit that is being executed is out of date, though not wrong."""
        self._operations: Iterator[Operation] = iter(())
        """What is left of the cold block that is being executed."""
        self._cut = -1
        """So much of it is not to be executed; in a unit, not -1: code has changed."""
        self._budget = 0
        definition(rv_i.base(hart.isa.xlen)["add"])

    def run(self, limit: int) -> Stop:
        """Execute `limit` instructions, or fewer: see Stop."""
        h = self.hart
        if h.load != h.mmu.load or h.store != h.mmu.store:  # a debugger stands in
            return self._plain.run(limit)
        return supervise(h, limit, self._execute)

    @property
    def units(self) -> int:
        """Functions that there are."""
        return sum(piece.unit is not None for piece in self._made)

    def _execute(self, left: int) -> Trap | None:
        if left <= MOST_INSTRUCTIONS:
            return self._plain.execute(left)
        h = self.hart
        window = self._window()
        known = window.map(h.context)
        pc = h.pc
        self._budget = left = budget = min(left, CHUNK)
        self._cut = -1
        try:
            while left > MOST_INSTRUCTIONS:
                try:
                    call = known[pc]
                except KeyError:
                    call = known[pc] = self._find(pc, window)
                pc, left = call(left)
        except Trap as trap:  # nothing can be fetched from pc
            self._sync(pc, budget - left)
            return trap
        self._sync(pc, budget - left % LEAVE)
        if left >= 0:
            return None
        if self._alone:
            self._alone = False
            return self._plain.execute(1)
        trapped, self._trap = self._trap, None
        block, self._block = self._block, None
        return trapped if block is None else self._plain.finish(block, 1)

    def _sync(self, pc: int, count: int) -> None:
        h = self.hart
        h.pc = pc
        h.instret += count
        h.cycles += count

    # -- windows

    def _window(self) -> Window:
        """That of the present mode."""
        h = self.hart
        found = self._windows.get(id(h.reads))
        if found is None:
            if len(self._windows) >= MODES:
                self._windows.clear()
            found = self._windows[id(h.reads)] = Window(h)
        return found

    def _watched(self, page: int) -> None:
        for window in self._windows.values():
            window.watched(page)

    def _forget(self) -> None:
        """What code is where may have changed."""
        for window in self._windows.values():
            window.forget()

    def _changed(self) -> None:
        self._cut = length_hint(self._operations)
        for _ in self._operations:
            pass

    # -- blocks

    def _find(self, pc: int, window: Window) -> Call:
        """What executes the block at pc.  Raises Trap."""
        block = self._blocks.held(pc)
        if block is None:  # across pages, or not in RAM: never translated
            return partial(self._cold, Piece(self._blocks.find(pc)), window)
        if block.system:
            return partial(self._system, block)
        piece = block.extra
        if not isinstance(piece, Piece):
            piece = block.extra = Piece(block)
        window.pieces(self.hart.context)[pc] = piece
        if piece.unit is not None and self._holds(piece.unit):
            return self._bound(piece, piece.unit, window)
        return partial(self._cold, piece, window)

    def _holds(self, unit: Unit) -> bool:
        """Whether the blocks that it was made of are still what is there."""
        try:
            return all(self._blocks.held(block.straight.pc) is block for block in unit.blocks)
        except Trap:
            return False

    def _system(self, block: Block, left: int) -> tuple[int, int]:
        self._block = block
        return block.straight.pc, left - LEAVE

    def _cold(self, piece: Piece, window: Window, left: int) -> tuple[int, int]:
        """Execute a block as the plain engine does."""
        h, block = self.hart, piece.block
        piece.met += 1
        if piece.met >= self._config.hot and block.extra is piece:
            call = self._heated(piece, window)
            if call is not None:
                return call(left)
        operations = block.operations
        self._operations = at = iter(operations)
        self._cut = -1
        try:
            for operation in at:
                operation()
        except Trap as trap:
            done = len(operations) - length_hint(at) - 1
            self._trapped(trap, block.straight.code[done].raw)
            return self._part(block, done, left - LEAVE)
        if self._cut >= 0:
            cut, self._cut = self._cut, -1
            return self._part(block, len(operations) - cut, left)
        target = block.last()
        h.cycles += block.cost - block.count
        if h.lines.mip & h.enabled or h.stopping is not None:
            left -= LEAVE
        if target is None:
            return block.end, left - block.count
        h.cycles += block.taken
        piece.targets[target] = None
        return target, left - block.count

    def _part(self, block: Block, done: int, left: int) -> tuple[int, int]:
        """So many instructions of a block have been executed."""
        cost = sum([self._costs[d.kind] for d in block.straight.code[:done]])
        self.hart.cycles += cost - done
        return block.pc(done), left - done

    def _trapped(self, trap: Trap, raw: int) -> None:
        """The semantics do not know the bits of an illegal instruction."""
        if trap.cause == Cause.ILLEGAL:
            trap.tval = raw
        self._trap = trap

    def _heated(self, piece: Piece, window: Window) -> Call | None:
        """What to call for a piece that has been executed often; None: go on as before."""
        pc, met, hot = piece.block.straight.pc, piece.met, self._config.hot
        known = window.map(self.hart.context)
        if not piece.made:
            if self._join(piece, known) or met not in (hot, hot * self._config.patience):
                return None
            if met == hot and pc in self._exits:
                return None
        if not self._translate(piece, window):
            return None
        call = known[pc] = self._find(pc, window)
        return call

    def _join(self, piece: Piece, known: dict[int, Call]) -> bool:
        """Have the units that are left for a piece made again, with it in them.

        Each time for one that has been met twice as often, so that this comes to an end.
        """
        pc, hot = piece.block.straight.pc, self._config.hot
        roots = self._exits.get(pc, set())
        joined = [root for root in roots if piece.met == hot << root.made - 1]
        for root in joined:
            roots.discard(root)
            self._again(root, known)
        return bool(joined)

    def _again(self, root: Piece, known: dict[int, Call]) -> None:
        """Have a unit made anew."""
        root.unit, root.met = None, self._config.hot - 1
        known.pop(root.block.straight.pc, None)

    def _translate(self, piece: Piece, window: Window) -> bool:
        """Whether a piece now has a unit."""
        config, pieces = self._config, window.pieces(self.hart.context)

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
                unit = self._writer.compiled(region, tuple(dict.fromkeys(blocks)), self._scattered)
            except Opaque:
                continue
            self._keep(piece, unit)
            for pc in region.exits():
                self._exits.setdefault(pc, set()).add(piece)
            return True
        return False

    def _keep(self, piece: Piece, unit: Unit) -> None:
        """Forget all when there is too much."""
        if len(self._made) >= self._config.most_units:
            for other in self._made:
                other.unit, other.met, other.made = None, 0, 0
            self._made.clear()
            self._scattered.clear()
            self._exits.clear()
            self._forget()
        piece.unit, piece.made = unit, piece.made + 1
        self._made.append(piece)

    def _bound(self, piece: Piece, unit: Unit, window: Window) -> Call:
        turned = partial(self._turned, piece, window)
        slow = Slow(window, unit.sites, self.hart.isa.mask, self._after, turned)
        return unit.bind(window, (self.hart, slow.load, slow.store, self._after, self._recover))

    # -- called by translated code

    def _after(self) -> int:
        """After an access that went the slow way: what to take off the budget.  Raises Leave."""
        if self._cut >= 0:
            self._cut = -1
            raise Leave
        h = self.hart
        if self._remade or h.lines.mip & h.enabled or h.stopping is not None:
            self._remade = False
            return LEAVE
        return 0

    def _turned(self, piece: Piece, window: Window, pc: int, left: int) -> None:
        """A group of accesses, the first of which is at pc, has turned to another page."""
        turns = piece.turns[pc] = piece.turns.get(pc, 0) + 1
        if turns % TURNS == 0:
            now = self.hart.instret + self._budget - left % LEAVE
            if now - piece.turned.get(pc, -1 << 60) < TURNS * self._config.steady:
                self._scattered.add(pc)
                self._again(piece, window.map(self.hart.context))
                self._remade = True
            piece.turned[pc] = now

    def _recover(
        self, error: BaseException, places: list[Place], values: dict[str, object]
    ) -> tuple[int, int]:
        """The hart as it is at the line where a unit ended; what the unit returns then."""
        h = self.hart
        assert error.__traceback__ is not None
        place = places[error.__traceback__.tb_lineno]
        for register, (file, number) in REGISTERS.items():
            value = values.get(register)
            if isinstance(value, int):
                (h.x if file == "x" else h.f)[number] = value
        left, more = values["left"], values.get("more", 0)
        assert isinstance(left, int)
        assert isinstance(more, int)
        left -= place.before
        h.cycles += more + place.extra
        if isinstance(error, Leave):
            h.cycles += place.cost
            return place.following, left - 1
        if not isinstance(error, Trap | Plain):
            self._sync(place.pc, self._budget - left % LEAVE)
            raise error
        if isinstance(error, Plain):
            self._alone = True
        else:
            self._trapped(error, place.raw)
        return place.pc, left - LEAVE
