"""Random records of what a kernel does with translations: address spaces that take turns, pages
that are mapped anew, code that is stored into by another of its addresses.

Two spaces for each record, with RAM mapped to itself in both, and pages at TEST_VA that lead to
frames of code and data.  After each change of a table comes an sfence.vma that covers it, so what
is right does not depend on what a TLB holds.
"""

from __future__ import annotations

from random import Random
from typing import Final

from hart_assembler import Assembler, table, word
from hart_generator import registers
from hart_machine import BASE
from hart_privileged import SUM, S, open_pmp
from hart_protection import PAGE, TEST_VA, A, D, G, R, V, W, X
from hart_records import Record, data_address, extra_offset

from minion.hart.config import Isa

SPACES: Final = 2
LEVELS_ROOM: Final = 3
FRAMES: Final = 2
"""Of code; those of data are the record's."""
PAGES: Final = SPACES * LEVELS_ROOM + FRAMES
LEAVES: Final = 6
FULL: Final = V | R | W | X | A | D
STUBS: Final = range(1, 8)
ROOM: Final = 420
"""Of CODE_ROOM: the last step has to fit behind it."""


def frame(rng: Random, isa: Isa) -> bytes:
    """Stubs that count in x10, every 16 bytes; over the end of the page, one that counts in x11 by
    what the next page says."""
    code = bytearray(PAGE)
    addi = table(isa)["addi"]
    code[0:4] = (rng.randrange(1, 2048) << 4 | 5).to_bytes(2, "little") + RETURN
    for number in STUBS:
        at = 16 * number
        code[at : at + 4] = word(addi, 10, 10, rng.randrange(1, 2048)).to_bytes(4, "little")
        code[at + 4 : at + 6] = RETURN
    code[PAGE - 2 :] = word(addi, 11, 11, 0).to_bytes(4, "little")[:2]
    return bytes(code)


RETURN: Final = (0x8082).to_bytes(2, "little")


class Spaces:
    def __init__(self, rng: Random, isa: Isa, index: int, records: int) -> None:
        self.rng, self.isa, self.index = rng, isa, index
        self.width = isa.xlen // 8
        self.bits = 9 if isa.xlen == 64 else 10
        self.where = BASE + extra_offset(records) + index * PAGES * PAGE
        self.memory = bytearray(PAGES * PAGE)
        data = data_address(index)
        code = self.where + SPACES * LEVELS_ROOM * PAGE
        self.frames = [code, code + PAGE, data, data + PAGE]
        self.large = 21 if isa.xlen == 64 else 22
        self.targets = [data & -(1 << self.large), (data & -(1 << self.large)) + (1 << self.large)]
        self.large_va = TEST_VA + (1 << self.large)
        self.inside = data & (1 << self.large) - 1
        self.shared = rng.randrange(2) == 0
        """One identifier for both spaces: what is fenced is all of it."""
        self.asids = [rng.randrange(1, 511)] * SPACES
        if not self.shared:
            self.asids[1] ^= rng.randrange(1, 2) << rng.randrange(8)
        self.current = 0
        for number in range(FRAMES):
            at = (SPACES * LEVELS_ROOM + number) * PAGE
            self.memory[at : at + PAGE] = frame(rng, isa)
        self.of_all = rng.choice(self.frames)
        """Where the last page leads to, in every space: a global one."""
        for space in range(SPACES):
            self._map(space)

    def _table(self, space: int, level: int) -> int:
        return self.where + (space * LEVELS_ROOM + level) * PAGE

    def _put(self, place: int, pte: int) -> None:
        at = place - self.where
        self.memory[at : at + self.width] = pte.to_bytes(self.width, "little")

    def _map(self, space: int) -> None:
        root = self._table(space, 2 if self.isa.xlen == 64 else 1)
        if self.isa.xlen == 64:
            self._put(root + 2 * 8, BASE >> 2 | FULL)
            self._put(root + 8, self._table(space, 1) >> 2 | V)
            self._put(self._table(space, 1), self._table(space, 0) >> 2 | V)
        else:
            for n in range(16):
                self._put(root + (512 + n) * 4, (BASE >> 12) + (n << 10) << 10 | FULL)
            self._put(root + 256 * 4, self._table(space, 0) >> 2 | V)
        for leaf in range(LEAVES):
            self._put(self._leaf(space, leaf), self.rng.choice(self.frames) >> 2 | FULL)
        self._put(self._leaf(space, LEAVES), self.of_all >> 2 | FULL | G)
        self._put(self._superpage(space), self.rng.choice(self.targets) >> 2 | FULL)

    def _leaf(self, space: int, leaf: int) -> int:
        return self._table(space, 0) + leaf * self.width

    def _superpage(self, space: int) -> int:
        """Its entry, one level up."""
        return self._table(space, 1) + (8 if self.isa.xlen == 64 else 257 * 4)

    def satp(self, space: int) -> int:
        if self.isa.xlen == 32:
            return 1 << 31 | self.asids[space] << 22 | self._table(space, 1) >> 12
        return 8 << 60 | self.asids[space] << 44 | self._table(space, 2) >> 12

    # -- steps

    def step(self, asm: Assembler) -> None:
        steps = (self.call, self.call, self.access, self.large_access, self.patch, self.switch,
                 self.switch, self.remap, self.remap, self.remap_large)  # fmt: skip
        self.rng.choice(steps)(asm)

    def page(self) -> int:
        return TEST_VA + self.rng.randrange(LEAVES + 1) * PAGE

    def call(self, asm: Assembler) -> None:
        """A stub; if it has been a frame of data that is there, whatever that holds traps."""
        offset = 16 * self.rng.choice(STUBS)
        page = self.page()
        if self.rng.randrange(3) == 0 and page < TEST_VA + LEAVES * PAGE:
            offset = PAGE - 2
        asm.li(7, page + offset)
        asm.put("jalr", 1, 7, 0)
        if self.rng.randrange(2):
            asm.put("jalr", 1, 7, 0)

    def access(self, asm: Assembler) -> None:
        asm.li(8, self.page() + self.rng.randrange(1024, 2040) // 8 * 8)
        name = self.rng.choice(("lw", "lw", "sw", "amoadd.w", "lr.w"))
        register = self.rng.randrange(12, 16)
        if name == "amoadd.w":
            asm.put(name, register, 10, 8)
        elif name == "lr.w":
            asm.put(name, register, 8)
            asm.put("sc.w", register, 10, 8)
        else:
            asm.put(name, register, 8, 0)

    def large_access(self, asm: Assembler) -> None:
        asm.li(8, self.large_va + self.inside + self.rng.randrange(0, 2 * PAGE, 64))
        asm.put("lw", self.rng.randrange(12, 16), 8, 0)

    def patch(self, asm: Assembler) -> None:
        """Another number in a stub, by any of its addresses; fence.i or not."""
        asm.li(8, self.rng.choice((self.page(), self.page(), self.rng.choice(self.frames[:2]))))
        new = word(table(self.isa)["addi"], 10, 10, self.rng.randrange(1, 2048))
        asm.li(6, new)
        asm.put("sw", 6, 8, 16 * self.rng.choice(STUBS))
        if self.rng.randrange(2):
            asm.put("fence.i")

    def switch(self, asm: Assembler) -> None:
        self.current ^= 1
        asm.li(6, self.satp(self.current))
        asm.put("csrrw", 0, 0x180, 6)
        if self.shared:
            self.fence(asm, 0, self.current)

    def remap(self, asm: Assembler) -> None:
        space, leaf = self.rng.randrange(SPACES), self.rng.randrange(LEAVES)
        asm.li(5, self._leaf(space, leaf))
        asm.li(6, self.rng.choice(self.frames) >> 2 | FULL)
        asm.put("sd" if self.width == 8 else "sw", 6, 5, 0)
        self.fence(asm, TEST_VA + leaf * PAGE, space)

    def remap_large(self, asm: Assembler) -> None:
        """The fence may be of any address in it."""
        space = self.rng.randrange(SPACES)
        asm.li(5, self._superpage(space))
        asm.li(6, self.rng.choice(self.targets) >> 2 | FULL)
        asm.put("sd" if self.width == 8 else "sw", 6, 5, 0)
        self.fence(asm, self.large_va + self.rng.randrange(0, 1 << self.large, PAGE), space)
        self.large_access(asm)

    def fence(self, asm: Assembler, addr: int, space: int) -> None:
        """Of an address (0: of all), by itself or in its space."""
        rs1 = rs2 = 0
        if addr and self.rng.randrange(3):
            rs1 = 5
            asm.li(5, addr + self.rng.randrange(PAGE))
        if self.rng.randrange(2):
            rs2 = 6
            asm.li(6, self.asids[space])
        asm.put("sfence.vma", rs1, rs2)


def spaces(rng: Random, isa: Isa, index: int, records: int) -> tuple[Record, bytes]:
    """A record, and its tables and frames for the extra room of the image."""
    setup, asm = Assembler(isa), Assembler(isa)
    open_pmp(setup, isa)
    made = Spaces(rng, isa, index, records)
    setup.li(6, made.satp(0))
    setup.put("csrrw", 0, 0x180, 6)
    setup.put("sfence.vma", 0, 0)
    while len(asm.code) < ROOM:
        made.step(asm)
    record = Record(bytes(asm.code), registers(rng, isa, index), setup=bytes(setup.code))
    record.data = frame(rng, isa) + frame(rng, isa)
    record.status = S << 11 | SUM
    return record, bytes(made.memory)
