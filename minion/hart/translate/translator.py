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

from minion.hart.blocks import Straight
from minion.hart.fields import Cause
from minion.hart.interpreter import Block, Interpreter, Operation, supervise
from minion.hart.isa import rv_i
from minion.hart.mmu import MODES, PAGE
from minion.hart.state import Hart, Stop
from minion.hart.translate.code import Place
from minion.hart.translate.region import MOST_INSTRUCTIONS, select
from minion.hart.translate.semantics import Opaque, definition
from minion.hart.translate.unit import LEAVE, Leave, Unit, Writer
from minion.hart.translate.window import Call, Window
from minion.hart.trap import Trap

HOT: Final = 16
"""A block is translated when it has been met that often."""
WARM: Final = 2
"""It is translated together with one that is hot."""
NEVER: Final = 1 << 60
CHUNK: Final = 1 << 20
"""Instructions between looks at what nobody but another thread could have changed."""
MOST_UNITS: Final = 4096
"""Functions kept: some 100 MB at most."""
REGISTERS: Final = {f"{file}{n}": (file, n) for file in "xf" for n in range(32)}


class Translator:
    """Raises NoSource if there is none to translate to."""

    def __init__(self, hart: Hart) -> None:
        self.hart = hart
        self._plain = Interpreter(hart)
        self._windows: dict[int, Window] = {}
        self._blocks = self._plain.blocks
        self._blocks.on_forget.append(self._forget)
        self._blocks.on_change.append(self._changed)
        hart.mmu.on_flush.append(self._windows.clear)
        hart.mmu.on_watch.append(self._watched)
        self._writer = Writer(hart.isa.xlen, hart.cost.table(), hart.cost.taken)
        self._translated: list[Block] = []
        self._costs = hart.cost.table()
        self._block: Block | None = None
        """What the loop was left for: a SYSTEM instruction."""
        self._trap: Trap | None = None
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
            window.unwatched(page)

    def _forget(self) -> None:
        """What code is where may have changed."""
        for window in self._windows.values():
            for known in window.maps.values():
                known.clear()

    def _changed(self) -> None:
        self._cut = length_hint(self._operations)
        for _ in self._operations:
            pass

    # -- blocks

    def _find(self, pc: int, window: Window) -> Call:
        """What executes the block at pc.  Raises Trap."""
        block = self._blocks.held(pc)
        if block is None:  # across pages, or not in RAM: never translated
            block = self._blocks.find(pc)
            block.met = NEVER
        if block.system:
            return partial(self._system, block)
        unit = block.translated
        if isinstance(unit, Unit) and self._holds(unit):
            return unit.bind(window, self._engine(window))
        return partial(self._cold, block, window)

    def _holds(self, unit: Unit) -> bool:
        """Whether the blocks that it was made of are still what is there."""
        return all(self._blocks.held(block.straight.pc) is block for block in unit.blocks)

    def _system(self, block: Block, left: int) -> tuple[int, int]:
        self._block = block
        return block.straight.pc, left - LEAVE

    def _cold(self, block: Block, window: Window, left: int) -> tuple[int, int]:
        """Execute a block as the plain engine does."""
        h = self.hart
        block.met += 1
        if block.met == HOT and self._translate(block):
            call = window.map(h.context)[block.straight.pc] = self._find(block.straight.pc, window)
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
            return self._part(block, len(operations) - self._cut, left)
        target = block.last()
        h.cycles += block.cost - block.count
        if h.lines.mip & h.enabled or h.stopping is not None:
            left -= LEAVE
        if target is None:
            return block.end, left - block.count
        h.cycles += block.taken
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

    def _translate(self, block: Block) -> bool:
        """Whether a block now has a unit."""
        entry = block.straight.pc
        blocks = {entry: block}

        def find(pc: int) -> Straight | None:
            if pc // PAGE != entry // PAGE:
                return None
            other = self._blocks.held(pc)
            if other is None or other.system or other.met < WARM:
                return None
            blocks[pc] = other
            return other.straight

        region = select(entry, block.straight, find)
        alone = select(entry, block.straight, lambda _: None)
        for choice in (region, alone):
            try:
                used = tuple([blocks[pc] for pc in choice.parts])
                block.translated = self._writer.compiled(choice, used)
            except Opaque:
                continue
            self._keep(block)
            return True
        return False

    def _keep(self, block: Block) -> None:
        """Remember what to forget when there is too much."""
        if len(self._translated) == MOST_UNITS:
            for other in self._translated:
                other.translated, other.met = None, 0
            self._translated.clear()
            self._forget()
        self._translated.append(block)

    def _engine(self, window: Window) -> tuple[object, ...]:
        """What unit.ENGINE names."""
        return self.hart, window.load, window.store, self._after, self._recover

    # -- called by translated code

    def _after(self) -> int:
        """After an access that went the slow way: what to take off the budget.  Raises Leave."""
        if self._cut >= 0:
            self._cut = -1
            raise Leave
        h = self.hart
        return LEAVE if h.lines.mip & h.enabled or h.stopping is not None else 0

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
        if not isinstance(error, Trap):
            self._sync(place.pc, self._budget - left % LEAVE)
            raise error
        self._trapped(error, place.raw)
        return place.pc, left - LEAVE
