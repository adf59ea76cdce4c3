"""The translating engine: blocks that are executed often become Python functions.

Theory of operation.  A map from pc to a callable serves each mode and context; a call takes the
budget of instructions and returns the next pc and what is left.  A block is executed as the plain
engine does it until it has been met often enough; then it, and the blocks around it that have been
met, are written as one function (plan.py).  Whatever has to be looked at (a trap, an interrupt, a
change of mode) makes `left` negative, which ends the loop.  A function that may need more than what
is left has its first block executed as a cold one instead, so that limits are exact.
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
from minion.hart.translate.piece import Measure, Piece
from minion.hart.translate.plan import Plan
from minion.hart.translate.semantics import definition
from minion.hart.translate.slow import Plain, Slow
from minion.hart.translate.unit import LEAVE, Leave, Unit, Writer
from minion.hart.translate.window import Call, Window
from minion.hart.trap import Trap

CHUNK: Final = 1 << 20
"""Instructions between looks at what nobody but another thread could have changed."""
REGISTERS: Final = {f"{file}{n}": (file, n) for file in "xf" for n in range(32)}


class Translator:
    """Raises NoSource if there is none to translate to."""

    def __init__(self, hart: Hart, config: Config = DEFAULT) -> None:
        self.hart = hart
        self._plain = Interpreter(hart)
        self._windows: dict[int, Window] = {}
        self._blocks = self._plain.blocks
        self._blocks.on_forget.append(self._forget)
        self._blocks.on_change.append(self._changed)
        hart.mmu.on_drop.append(self._windows.clear)
        hart.mmu.on_watch.append(self._watched)
        self._costs = hart.cost.table
        self._hot = config.hot
        writer = Writer(hart.isa.xlen, self._costs, hart.cost.taken)
        self._plan = Plan(writer, config, self._drop)
        self._synced = 0
        """What was left of the budget when the hart's counters were right."""
        self._trap: Trap | None = None
        """What the loop was left for; or an instruction that is the plain engine's."""
        self._alone = False
        self._remade = False
        """The unit that is being executed is out of date, though not wrong."""
        self._operations: Iterator[Operation] = iter(())
        """What is left of the cold block that is being executed."""
        self._cut = -1
        """So much of it is not to be executed; in a unit, not -1: code has changed."""
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
        return self._plan.units

    @property
    def scattered(self) -> int:
        """Groups of accesses that look up their page each time."""
        return len(self._plan.habits.scattered)

    def _execute(self, left: int) -> Trap | None:
        h = self.hart
        window = self._window()
        known = window.map(h.context)
        pc = h.pc
        self._synced = left = min(left, CHUNK)
        self._cut = -1
        try:
            while left > 0:
                try:
                    call = known[pc]
                except KeyError:
                    call = known[pc] = self._find(pc, window)
                pc, left = call(left)
        except Trap as trap:  # nothing can be fetched from pc
            self._sync(pc, left)
            return trap
        self._sync(pc, left % LEAVE)
        if self._alone:
            self._alone = False
            return self._plain.execute(1)
        found, self._trap = self._trap, None
        return found

    def _sync(self, pc: int, left: int) -> None:
        """Have the hart's pc and counters right."""
        h = self.hart
        count = self._synced - left
        h.pc = pc
        h.instret += count
        h.cycles += count
        self._synced = left

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

    def _drop(self, pc: int | None) -> None:
        for window in self._windows.values():
            if pc is None:
                window.forget()
            else:
                window.drop(pc)

    def _forget(self) -> None:
        """What code is where may have changed."""
        self._drop(None)

    def _changed(self) -> None:
        self._cut = length_hint(self._operations)
        for _ in self._operations:
            pass

    # -- blocks

    def _find(self, pc: int, window: Window) -> Call:
        """What executes the block at pc.  Raises Trap."""
        h = self.hart
        block = self._blocks.held(pc)
        if block is None:  # across pages, or not in RAM: never translated
            block = self._blocks.find(pc)
            return partial(self._system if block.system else self._step, block)
        if block.system:
            return partial(self._system, block)
        piece = block.extra
        if not isinstance(piece, Piece):
            piece = block.extra = Piece(block)
        window.pieces(h.context)[pc] = piece
        if piece.unit is None or not self._holds(piece.unit):
            return partial(self._cold, piece, window)
        turned, strayed = partial(self._turned, piece), partial(self._strayed, piece)
        slow = Slow(window, piece.unit.sites, h.isa.mask, self._after, turned, strayed)
        short = partial(self._step, block)
        engine = (h, slow.load, slow.store, self._after, self._recover, short)
        call = piece.unit.bind(window, engine)
        return call if piece.measured is None else partial(measure, call, piece.measured)

    def _holds(self, unit: Unit) -> bool:
        """Whether the blocks that it was made of are still what is there."""
        try:
            return all(self._blocks.held(block.straight.pc) is block for block in unit.blocks)
        except Trap:
            return False

    def _cold(self, piece: Piece, window: Window, left: int) -> tuple[int, int]:
        """Execute a block that may be translated now."""
        piece.met += 1
        if piece.met >= self._hot:
            pieces = window.pieces(self.hart.context)
            if self._plan.heated(piece, pieces):
                call = window.map(self.hart.context)[piece.pc] = self._find(piece.pc, window)
                return call(left)
        pc, left = self._step(piece.block, left)
        if piece.met <= self._hot:
            piece.targets[pc] = None
        return pc, left

    def _step(self, block: Block, left: int) -> tuple[int, int]:
        """Execute a block as the plain engine does."""
        if block.count > left:
            return self._part(block, left)
        h, operations = self.hart, block.operations
        self._operations = at = iter(operations)
        self._cut = -1
        try:
            for operation in at:
                operation()
        except Exception as error:
            done = len(operations) - length_hint(at) - 1
            if not isinstance(error, Trap):
                self._sync(*self._parted(block, done, left))
                raise
            self._trapped(error, block.straight.code[done].raw)
            return self._parted(block, done, left - LEAVE)
        if self._cut >= 0:
            cut, self._cut = self._cut, -1
            return self._parted(block, len(operations) - cut, left)
        target = block.last()
        h.cycles += block.cost - block.count
        if h.lines.mip & h.enabled or h.stopping is not None:
            left -= LEAVE
        if target is None:
            return block.end, left - block.count
        h.cycles += block.taken
        return target, left - block.count

    def _parted(self, block: Block, done: int, left: int) -> tuple[int, int]:
        """So many instructions of a block have been executed."""
        cost = sum([self._costs[d.kind] for d in block.straight.code[:done]])
        self.hart.cycles += cost - done
        return block.pc(done), left - done

    def _part(self, block: Block, left: int) -> tuple[int, int]:
        """Execute as many instructions of a block as are left."""
        self._sync(block.straight.pc, left)
        self._trap = self._plain.finish(block, left)
        self._synced = 0
        return self.hart.pc, -LEAVE

    def _system(self, block: Block, left: int) -> tuple[int, int]:
        """Execute a SYSTEM instruction."""
        h = self.hart
        context, reads = h.context, h.reads
        self._sync(block.straight.pc, left)
        try:
            target = block.last()
        except Trap as trap:
            self._trapped(trap, block.straight.code[0].raw)
            return h.pc, left - LEAVE
        h.cycles += block.cost - 1
        pending = (h.lines.mip | h.csr.soft_mip) & h.enabled
        if (
            h.context is not context
            or h.reads is not reads
            or pending
            or h.waiting
            or h.stopping is not None
        ):
            left -= LEAVE
        return block.end if target is None else target, left - 1

    def _trapped(self, trap: Trap, raw: int) -> None:
        """The semantics do not know the bits of an illegal instruction."""
        if trap.cause == Cause.ILLEGAL:
            trap.tval = raw
        self._trap = trap

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

    def _turned(self, piece: Piece, pc: int, left: int) -> None:
        """A group of accesses has turned to another page; the first of them is at pc."""
        if self._plan.turned(piece, pc, left % LEAVE):
            self._remade = True

    def _strayed(self, piece: Piece, pcs: set[int]) -> None:
        self._plan.strayed(piece, pcs)
        self._remade = True

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
            self._sync(place.pc, left % LEAVE)
            raise error
        if isinstance(error, Plain):
            self._alone = True
        else:
            self._trapped(error, place.raw)
        return place.pc, left - LEAVE


def measure(call: Call, into: Measure, left: int) -> tuple[int, int]:
    """Call a unit and count what it executes."""
    into.began = left
    pc, after = call(left)
    into.executed += left - after % LEAVE
    into.began = after % LEAVE
    return pc, after
