"""The engine in C, seen from Python: it decodes, keeps the tables, and does what C leaves to it.

Theory of operation.  core.c executes blocks that are in its table and returns with a reason.  A
block that is missing is found as for the other engines, and put there.  An instruction that C
cannot do (a device, a page not met yet, a CSR, a trap) is executed by the plain engine's function
for it, on the hart's registers; then C goes on behind it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final

from minion.hart.encoding import Kind
from minion.hart.interpreter import Block, Interpreter, supervise
from minion.hart.mmu import MODES, SHIFT
from minion.hart.native._core import ffi, lib
from minion.hart.state import Hart, Stop
from minion.hart.trap import Trap

if TYPE_CHECKING:
    from minion.hart.native._core import Address, Besides, Pages, State, Table

SLICE: Final = 1 << 16
"""Instructions between looks at what another thread may have changed."""
FIRST_ENTRIES: Final = 1 << 12
HEAD: Final = Struct("=QQqqq56x")
OP: Final = Struct("=Q4B4x2Q")
"""struct block without its operations, and struct op of core.h."""
MASK: Final = (1 << 64) - 1
FCSR: Final = (1, 2, 3)
"""fflags, frm and both (unprivileged architecture, 20.2)."""


def address(view: memoryview) -> int:
    """Where the bytes are.  The view is not held: it must live as long as its address is used.

    (Held, and garbage with it in a cycle, a memoryview is a crash of CPython 3.11.)
    """
    held = ffi.from_buffer(view)
    found = int(ffi.cast("uintptr_t", held))
    ffi.release(held)
    return found


def words(registers: Sequence[int]) -> memoryview:
    """An array of C, for Python to work on."""
    return memoryview(ffi.buffer(registers)).cast("B").cast("Q")


class Code:
    """Decoded instructions as C has them."""

    def __init__(self, xlen: int) -> None:
        table = lib.table64() if xlen == 64 else lib.table32()
        rows = [row.split(":") for row in ffi.string(table).decode().split()]
        self._slots = {mnemonic: (n + lib.FIRST, slots) for n, (mnemonic, slots) in enumerate(rows)}

    def block(self, block: Block) -> Address:
        """A struct block, owned by what is returned."""
        pc, code, end = block.straight
        parts = [HEAD.pack(pc, end, block.count, block.cost, block.taken)]
        parts += [self._operation(d.name, d.operands) for d in code]
        parts.append(OP.pack(lib.END, 0, 0, 0, 0, 0, 0))
        return ffi.new("unsigned char[]", b"".join(parts))

    def _operation(self, mnemonic: str, operands: tuple[int, ...]) -> bytes:
        if mnemonic not in self._slots:
            return OP.pack(lib.PLAIN_OP, 0, 0, 0, 0, 0, 0)
        number, slots = self._slots[mnemonic]
        registers, others = [0, 0, 0, 0], [0, 0]
        r = i = 0
        for slot, operand in zip(slots, operands, strict=True):
            if slot == "r":
                registers[r] = operand
                r += 1
            else:
                others[i] = operand & MASK
                i += 1
        return OP.pack(number, *registers, *others)


class Context:
    """The blocks that C knows in one context of the hart."""

    def __init__(self) -> None:
        self.blocks: dict[int, tuple[Block, Address]] = {}
        """By pc."""
        self.table: Table = ffi.new("struct table *")
        self._make(FIRST_ENTRIES)

    def _make(self, entries: int) -> None:
        self._entries = ffi.new("struct entry[]", entries)
        self.table.entries = self._entries
        self.table.mask = entries - 1
        lib.forget(self.table)

    def put(self, block: Block, code: Address) -> None:
        self.blocks[block.straight.pc] = block, code
        waiting = [code]
        while not all(lib.put(self.table, ffi.cast("struct block *", c)) for c in waiting):
            self._make(4 * len(self._entries))
            waiting = [c for _, c in self.blocks.values()]

    def forget(self) -> None:
        self.blocks.clear()
        lib.forget(self.table)


class Window:
    """The pages of RAM that C knows in one mode of the hart: of one pair h.reads, h.writes."""

    def __init__(self, reads: dict[int, int], writes: dict[int, int]) -> None:
        self._tables = reads, writes
        self.reads: Pages = ffi.new("struct page[]", lib.PAGES)
        self.writes: Pages = ffi.new("struct page[]", lib.PAGES)
        lib.drop_all(self.reads)
        lib.drop_all(self.writes)
        self.besides: Besides = ffi.new("struct beside[]", lib.BESIDES)
        self.forget_besides()

    def learn(self, number: int, ram: int) -> None:
        """What the plain engine knows of a page; ram: where that is in memory."""
        for pages, known in zip((self.reads, self.writes), self._tables, strict=True):
            delta = known.get(number)
            if delta is not None:
                page = pages[number % lib.PAGES]
                page.number, page.ram = number, ram + delta & MASK

    def learn_beside(self, number: int, ram: int, code: int) -> None:
        """A page that can be stored to but where there is code; ram: what delta is above."""
        page = self.besides[number % lib.BESIDES]
        page.number, page.ram = number, ram & MASK
        page.code = [code >> 64 * n & MASK for n in range(4)]

    def forget_besides(self) -> None:
        lib.drop_besides(self.besides)


class Native:
    def __init__(self, hart: Hart) -> None:
        self.hart = hart
        self._plain = Interpreter(hart)
        self._blocks = self._plain.blocks
        self._blocks.on_forget.append(self._forget)
        self._blocks.on_change.append(self._changed)
        self._blocks.on_mark.append(self._forget_besides)
        hart.mmu.on_watcher.append(self._forget_besides)
        hart.mmu.on_flush.append(self._windows_changed)
        hart.mmu.on_watch.append(self._watched)
        self._code = Code(hart.isa.xlen)
        self._run = lib.run64 if hart.isa.xlen == 64 else lib.run32
        self._state: State = ffi.new("struct hart *")
        self._state.floats = lib.sound()
        self._x = words(self._state.x)
        self._f = words(self._state.f)
        self._ram = address(hart.mmu.ram.view)
        self._contexts: dict[object, Context] = {}
        self._windows: dict[int, Window] = {}
        self._budget = 0
        """What `left` was when the counters were right."""
        self._cut = False
        """Code has changed, perhaps that of the current block."""
        self._trap: Trap | None = None
        """What a SYSTEM instruction ended with."""

    def run(self, limit: int) -> Stop:
        """Execute `limit` instructions, or fewer: see Stop."""
        h = self.hart
        if h.load != h.mmu.load or h.store != h.mmu.store:  # a debugger stands in
            return self._plain.run(limit)
        x, f = h.x, h.f
        self._x[:], self._f[:] = array("Q", x), array("Q", f)
        h.x, h.f = self._x, self._f
        try:
            return supervise(h, limit, self._execute)
        finally:
            x[:], f[:] = self._x, self._f
            h.x, h.f = x, f

    def _execute(self, left: int) -> Trap | None:
        """Up to so many instructions, until something has to be looked at.  Returns the trap."""
        s = self._state
        self._budget = s.left = min(left, SLICE)
        s.cycles, s.pc, s.block = 0, self.hart.pc, ffi.NULL
        context, window = self._context(), self._window()
        s.table, s.reads = context.table, window.reads
        s.writes, s.besides = window.writes, window.besides
        self._give()
        while True:
            if self._run(s) == lib.PLAIN:
                known = context.blocks.get(s.block.pc)
                if known is not None:  # else code was forgotten, and it is still the last one
                    block, _ = known
                trap = self._one(block, s.index)
                if trap is not None or self._cut:
                    return trap
                self._learn(window, s.addr, block.straight.code[s.index].kind)
                s.index += 1
                self._give()
                continue
            if s.left <= 0:
                self._take(s.pc)
                return None
            try:
                block = self._blocks.map().get(s.pc) or self._blocks.find(s.pc)
            except Trap as trap:  # nothing can be fetched from there
                self._take(s.pc)
                return trap
            if (block.system and not self._native_system(block)) or block.count > s.left:
                if self._ends(block):
                    return self._trap
                continue
            context.put(block, self._native(block))
            s.block = ffi.NULL

    def _native_system(self, block: Block) -> bool:
        """Whether C has it: an access to fcsr, or a part of it."""
        d = block.straight.code[0]
        return d.name.startswith("csrr") and d.operands[1] in FCSR and self.hart.fp

    def _ends(self, block: Block) -> bool:
        """Execute a SYSTEM instruction, or what the budget allows.  Whether that ends the run."""
        h, s = self.hart, self._state
        context, reads = h.context, h.reads
        self._take(s.pc)
        self._trap = self._plain.finish(block, s.left)
        if (
            self._trap is not None
            or not block.system
            or h.context is not context
            or h.reads is not reads
            or (h.lines.mip | h.csr.soft_mip) & h.enabled
            or h.waiting
            or h.stopping is not None
        ):
            return True
        self._budget = s.left = s.left - 1
        s.cycles, s.pc, s.block = 0, h.pc, ffi.NULL
        self._give()
        return False

    def _one(self, block: Block, index: int) -> Trap | None:
        """Execute an instruction as the plain engine does.  Returns the trap.

        After a trap, or if code has changed, the hart is as it has to be when a run ends.
        """
        h, s = self.hart, self._state
        self._take_state()
        self._cut = False
        done = 0
        try:
            block.operations[index]()
            done = 1
        except Trap as trap:
            found = trap
        finally:
            if self._cut or not done:
                self._count(block.straight.pc)
                self._plain.part(block, index + done)
        if not done:
            self._plain.explain(found, block)
            return found
        if h.lines.mip & h.enabled or h.stopping is not None:  # to be looked at after this block
            self._budget -= s.left - block.count
            s.left = block.count
        return None

    def _native(self, block: Block) -> Address:
        """What C executes for a block; it is kept with the block."""
        if block.extra is None:
            block.extra = self._code.block(block)
        code: Address = block.extra  # type: ignore[assignment]  # nobody else's
        return code

    # -- what C has of the hart's state; x and f it shares

    def _give(self) -> None:
        """To C."""
        h, s = self.hart, self._state
        s.frm, s.fflags, s.mstatus = h.frm, h.fflags, 0
        s.reserved_addr, s.reserved_size, s.reserved_value = h.reservation or (0, 0, 0)

    def _take(self, pc: int) -> None:
        """From C; and have the hart's pc and counters right."""
        self._take_state()
        self._count(pc)

    def _take_state(self) -> None:
        h, s = self.hart, self._state
        h.fflags, h.frm = s.fflags, s.frm
        h.mstatus |= s.mstatus
        size = s.reserved_size
        h.reservation = (s.reserved_addr, size, s.reserved_value) if size else None

    def _count(self, pc: int) -> None:
        h, s = self.hart, self._state
        h.pc = pc
        h.instret += self._budget - s.left
        h.cycles += s.cycles

    # -- tables

    def _learn(self, window: Window, addr: int, kind: Kind) -> None:
        """What the plain engine has found out about a page."""
        h, page = self.hart, addr >> SHIFT
        window.learn(page, self._ram)
        if kind in (Kind.STORE, Kind.AMO) and page not in h.writes:
            found = self._blocks.beside(addr)
            if found is not None:
                delta, code = found
                window.learn_beside(page, self._ram + delta, code)

    def _context(self) -> Context:
        context = self.hart.context
        found = self._contexts.get(context)
        if found is None:
            if len(self._contexts) == MODES:
                self._contexts.clear()
            found = self._contexts[context] = Context()
        return found

    def _window(self) -> Window:
        h = self.hart
        found = self._windows.get(id(h.reads))
        if found is None:
            found = self._windows[id(h.reads)] = Window(h.reads, h.writes)
        return found

    def _forget(self) -> None:
        for context in self._contexts.values():
            context.forget()

    def _changed(self) -> None:
        self._cut = True

    def _windows_changed(self) -> None:
        self._windows.clear()

    def _forget_besides(self) -> None:
        for window in self._windows.values():
            window.forget_besides()

    def _watched(self, page: int) -> None:
        for window in self._windows.values():
            lib.drop(window.writes, page)
