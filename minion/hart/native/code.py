"""Decoded instructions as C has them, and who owns them."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from minion.hart.blocks import NOWHERE, Blocks, Held
from minion.hart.csr import NUMBERS
from minion.hart.decode import Decoded
from minion.hart.interpreter import Block
from minion.hart.native._core import ffi, lib
from minion.hart.native.memory import address
from minion.hart.state import Hart

if TYPE_CHECKING:
    from minion.hart.native._core import Address, State

FIRST_ENTRIES: Final = 1 << 12
MOST_ENTRIES: Final = 1 << 20
HEAD: Final = Struct("=4Q4q2Q24x64x")
OP: Final = Struct("=Q4B4x2Q")
"""struct block without its operations, and struct op of core.h."""
MASK: Final = (1 << 64) - 1
FCSR: Final = (1, 2, 3)
"""fflags, frm and both (unprivileged architecture, 20.2)."""


class Writer:
    """Makes a struct block of a block."""

    def __init__(self, xlen: int, csrs: frozenset[int]) -> None:
        """csrs: the registers whose instructions are C's."""
        self._csrs = csrs
        table = lib.table64() if xlen == 64 else lib.table32()
        rows = [row.split(":") for row in ffi.string(table).decode().split()]
        self._slots = {mnemonic: (n + lib.FIRST, slots) for n, (mnemonic, slots) in enumerate(rows)}

    def block(
        self, block: Block, where: int, second: int, number: int, data: bytes, fp: bool
    ) -> Address:
        """It owns its memory."""
        pc, code, end = block.straight
        costs = block.count, block.cost, block.taken
        parts = [HEAD.pack(pc, where, second, end, *costs, number, len(data), block.system)]
        parts += [self._operation(d, fp) for d in code]
        parts += [OP.pack(lib.END, 0, 0, 0, 0, 0, 0), data]
        return ffi.new("unsigned char[]", b"".join(parts))

    def _operation(self, decoded: Decoded, fp: bool) -> bytes:
        mnemonic, operands = decoded.name, decoded.operands
        ours = mnemonic in self._slots
        if mnemonic.startswith("csrr"):
            ours = operands[1] in self._csrs or (fp and operands[1] in FCSR)
        if not ours:
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


class Code:
    """The blocks that C knows, by number and by pc and place."""

    def __init__(self, hart: Hart, state: State, blocks: Blocks[Block]) -> None:
        self._hart = hart
        self._state = state
        bare = hart.csr.bare()
        self._writer = Writer(hart.isa.xlen, frozenset(bare))
        self._masks = memoryview(bytearray(8 * NUMBERS)).cast("Q")
        for csr, mask in bare.items():
            self._masks[csr] = mask
        state.csrs = ffi.cast("uint64_t *", address(hart.csr.value))
        state.csr_masks = ffi.cast("uint64_t *", address(self._masks))
        self._breakpoints = hart.breakpoints
        self._known: dict[int, tuple[Block, Address]] = {}
        self._numbers: dict[tuple[int, int], int] = {}
        self._next = 0
        self._entries = ffi.new("struct entry[]", FIRST_ENTRIES)
        lib.grow(state, self._entries, FIRST_ENTRIES - 1)
        blocks.on_drop.append(self._dropped)
        blocks.on_doubt.append(lambda: lib.doubt(state))
        hart.mmu.on_flush.append(self._flushed)

    def block(self, number: int) -> Block:
        return self._known[number][0]

    def put(self, held: Held[Block]) -> None:
        """What has been found at a pc, in the mode that C is in."""
        s, fp, block = self._state, self._hart.fp, held.block
        where = lib.loose(s) if held.paddr == NOWHERE else self._pointer(held.paddr)
        place = block.straight.pc, where + fp
        number = self._numbers.get(place)
        if number is not None and self._known[number][0] is not block:
            self._remove(place)  # another one, to which links may lead
            lib.doubt(s)
            number = None
        if number is None:
            number = self._numbers[place] = self._next
            self._next += 1
            second = 0 if held.second == NOWHERE else self._pointer(held.second)
            code = self._writer.block(block, place[1], second, number, held.data, fp)
            self._known[number] = block, code
        made = ffi.cast("struct block *", self._known[number][1])
        if not lib.put(s, made) and not (self._grow() and lib.put(s, made)):
            self._empty()  # code that is made for it could fill a few places of any table

    def _pointer(self, paddr: int) -> int:
        return self._state.ram + paddr - self._state.ram_base

    def _grow(self) -> bool:
        entries = len(self._entries)
        while entries < MOST_ENTRIES:
            entries *= 4
            made = ffi.new("struct entry[]", entries)
            if lib.grow(self._state, made, entries - 1):
                self._entries = made
                return True
        return False

    def _dropped(self, blocks: list[Held[Block]] | None) -> None:
        """They are not to be executed again."""
        if blocks is None:
            self._empty()
            return
        for held in blocks:
            for fp in (0, 1):
                place = held.block.straight.pc, self._pointer(held.paddr) + fp
                number = self._numbers.get(place)
                if number is not None and self._known[number][0] is held.block:
                    self._remove(place)
        lib.doubt(self._state)

    def _remove(self, place: tuple[int, int]) -> None:
        _, code = self._known.pop(self._numbers.pop(place))
        lib.withdraw(self._state, ffi.cast("struct block *", code))

    def _empty(self) -> None:
        self._known.clear()
        self._numbers.clear()
        lib.empty(self._state)

    def _flushed(self) -> None:
        """Also when breakpoints have changed, which are part of the code."""
        if self._hart.breakpoints is not self._breakpoints:
            self._breakpoints = self._hart.breakpoints
            self._empty()
