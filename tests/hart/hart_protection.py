"""Random records of protected and translated memory: PMP regions, page tables."""

from __future__ import annotations

from random import Random
from typing import Final

from hart_assembler import Assembler
from hart_generator import corner, registers
from hart_machine import BASE
from hart_privileged import MPRV, MXR, SUM, M, S, U, open_pmp
from hart_records import DATA, MIDDLE, Record, data_address, extra_offset

from minion.hart.config import Isa

LOADS: Final = ("lb", "lh", "lw", "lbu", "lhu")
STORES: Final = ("sb", "sh", "sw")
WIDE_LOADS: Final = ("ld", "lwu")
SIZES: Final = {"b": 1, "h": 2, "w": 4, "d": 8}


def access(
    rng: Random, isa: Isa, asm: Assembler, base: int, amo: bool = False, wide: bool = True
) -> None:
    """A load, store or atomic operation at the address in a register; wide: of 8 bytes too."""
    wide &= isa.xlen == 64
    match rng.randrange(5):
        case 0 | 1:
            names = LOADS + (WIDE_LOADS if wide else ())
            asm.put(rng.choice(names), rng.randrange(10, 16), base, 0)
        case 2 | 3:
            names = STORES + (("sd",) if wide else ())
            asm.put(rng.choice(names), rng.randrange(10, 16), base, 0)
        case 4 if amo:
            suffix = rng.choice("wd") if wide else "w"
            asm.put("andi", base, base, -8)
            asm.put(f"amoadd.{suffix}", rng.randrange(10, 16), rng.randrange(10, 16), base)
        case 4:
            asm.put("lb", rng.randrange(10, 16), base, 0)


def enter(rng: Random) -> int:
    """mstatus for S, for U, or for M that accesses as U.

    Not as S: MPP is U after the first trap, and QEMU keeps what it has translated for S.
    """
    mode = rng.choice((S, S, U, U, M))
    return mode << 11 | rng.getrandbits(20) & (SUM | MXR) | (MPRV if mode == M else 0)


def pmp(rng: Random, isa: Isa, index: int) -> Record:
    """Small regions in the record's data, with everything or nothing behind them."""
    setup, asm = Assembler(isa), Assembler(isa)
    open_pmp(setup, isa)
    middle = data_address(index) - DATA + MIDDLE
    status = enter(rng)
    cfgs = []
    for entry in range(6):
        around = middle + rng.randrange(-256, 256)
        if rng.randrange(4) == 0:
            around = middle + rng.choice((-4096, -2048, 0, 2048, 4096))
        size = rng.choice((0, 1, 3, 7, 15, 0x1FF))
        value = around >> 2 | size if rng.randrange(2) else around >> 2
        setup.li(6, value & ~(size + 1) if rng.randrange(2) else value)
        setup.put("csrrw", 0, 0x3B0 + entry, 6)
        cfgs.append(rng.choice((0, 1, 3, 4, 5, 7)) | rng.randrange(4) << 3)
    for first in range(0, 6, isa.xlen // 8):
        part = cfgs[first : first + isa.xlen // 8]
        setup.li(6, int.from_bytes(bytes(part), "little"))
        setup.put("csrrw", 0, 0x3A0 + first // 4, 6)
    setup.put("sfence.vma", 0, 0)
    for _ in range(rng.randrange(6, 14)):
        offset = rng.randrange(-264, 264)
        addr = middle + (offset if rng.randrange(4) == 0 else offset & -8)
        if addr & 4095 > 4088:
            addr &= -8  # QEMU checks what crosses a page as if it lay in the first
        asm.li(8, addr)
        access(rng, isa, asm, 8, wide=addr & 7 == 0)  # and sees no 4-byte region inside of 8 bytes
    record = Record(bytes(asm.code), registers(rng, isa, index), setup=bytes(setup.code))
    record.status = status
    return record


PAGE: Final = 4096
TABLES: Final = 6
"""Pages of extra room for each record: five levels, and a page of returns."""
STUB: Final = 5
V, R, W, X, UU, G, A, D = (1 << n for n in range(8))
TEST_VA: Final = 0x4000_0000
LEAVES: Final = 12
SCHEMES: Final = {64: {8: 3, 9: 4, 10: 5}, 32: {1: 2}}


def stub() -> bytes:
    """c.jr ra everywhere; at the end, a jalr whose second half is the start of the next page."""
    halves = [0] + [0x8082] * (PAGE // 2 - 2) + [0x8067]
    return b"".join(half.to_bytes(2, "little") for half in halves)


class Tables:
    """Page tables of one record: RAM mapped to itself, random pages from TEST_VA on."""

    def __init__(self, rng: Random, isa: Isa, index: int, records: int, user: bool) -> None:
        self.rng, self.isa = rng, isa
        self.where = BASE + extra_offset(records) + index * TABLES * PAGE
        self.memory = bytearray(TABLES * PAGE)
        self.memory[STUB * PAGE :] = stub()
        self.data = data_address(index)
        self.mode, self.levels = rng.choice(list(SCHEMES[isa.xlen].items()))
        self.width = isa.xlen // 8
        self.flags: dict[int, int] = {}
        """Of the pages and superpages at a virtual address."""
        self.holes: set[int] = set()
        """Virtual pages with nothing behind them: QEMU reports misaligned accesses there aligned,
        and dies of instructions that end in one."""
        self.code: list[int] = []
        """Virtual addresses of what is safe to jump to."""
        full = V | R | W | X | A | D | (UU if user else 0)
        self._identity(full)
        for leaf in range(LEAVES):
            self._leaf(leaf)
        for number in range(1, 5):
            self._superpage(number)

    def satp(self) -> int:
        root = self.where + (self.levels - 1) * PAGE >> 12
        if self.isa.xlen == 32:
            return 1 << 31 | self.rng.getrandbits(9) << 22 | root
        return self.mode << 60 | self.rng.getrandbits(16) << 44 | root

    def put(self, level: int, index: int, pte: int) -> None:
        at = level * PAGE + index * self.width
        self.memory[at : at + self.width] = pte.to_bytes(self.width, "little")

    def pointer(self, level: int) -> int:
        return self.where + level * PAGE >> 2 | V

    def _identity(self, flags: int) -> None:
        if self.isa.xlen == 32:
            for n in range(16):
                self.put(1, 512 + n, (BASE >> 12) + (n << 10) << 10 | flags)
            self.put(1, 256, self.pointer(0))
            return
        self.put(2, 2, BASE >> 2 | flags)
        self.put(2, 1, self.pointer(1))
        self.put(1, 0, self.pointer(0))
        for level in range(3, self.levels):
            self.put(level, 0, self.pointer(level - 1))

    def random_flags(self) -> int:
        rng = self.rng
        flags = rng.getrandbits(8) | rng.choice((0, V | A, V | R | A | D, V | R | W | X | A | D))
        if flags & W:
            flags |= rng.choice((0, R, R, R))
        return flags | rng.getrandbits(2) << 8

    def pte(self, paddr: int, flags: int) -> int:
        pte = paddr >> 2 & ~0x3FF | flags
        if self.isa.xlen == 64 and self.rng.randrange(24) == 0:
            pte |= 1 << self.rng.randrange(54, 64)
        return pte

    def _leaf(self, number: int) -> None:
        rng = self.rng
        flags = self.random_flags()
        if flags & (R | W | X) == 0:
            flags |= R | V  # a pointer to data would be a table of noise
        paddr = self.data + PAGE * rng.randrange(2)
        va = TEST_VA + number * PAGE
        if rng.randrange(3) == 0:
            paddr = self.where + STUB * PAGE
            self.code.append(va)
        elif rng.randrange(8) == 0:
            paddr = 0x20_0000_0000 if self.isa.xlen == 64 else 0x2_0000_0000
            self.holes.add(va)
        self.flags[va] = flags
        self.put(0, number, self.pte(paddr, flags))

    def _superpage(self, number: int) -> None:
        """Megapages of RAM around the data, some misaligned; on RV64 a gigapage too."""
        level = 1
        if self.isa.xlen == 64 and number == 4:
            level, number = 2, 3
        shift = 12 + level * (10 if self.isa.xlen == 32 else 9)
        slot = number if self.isa.xlen == 64 else 256 + number
        va = (0 if level == 2 else TEST_VA) + (number << shift)
        flags = self.random_flags() | R | V
        target = self.data & -(1 << shift)
        if self.rng.randrange(4) == 0:
            target += PAGE * self.rng.randrange(1, 4)
        inside = self.data & (1 << shift) - 1
        self.flags[va + inside] = flags
        self.put(level, slot, self.pte(target, flags))

    def change(self, asm: Assembler) -> None:
        """New flags for a leaf, by the identity map, and the fence that makes them count."""
        number = self.rng.randrange(LEAVES)
        va = TEST_VA + number * PAGE
        at = number * self.width
        old = int.from_bytes(self.memory[at : at + self.width], "little")
        flags = self.random_flags() | R | V
        self.flags[va] = flags & self.flags[va] | (flags | self.flags[va]) & UU
        asm.li(5, self.where + at)
        asm.li(6, old & ~0x3FF & (1 << 54) - 1 | flags)
        asm.put("sd" if self.width == 8 else "sw", 6, 5, 0)
        asm.put("sfence.vma", 0, 0)


def paging(rng: Random, isa: Isa, index: int, records: int) -> tuple[Record, bytes]:
    """A record, and its page tables for the extra room of the image."""
    setup, asm = Assembler(isa), Assembler(isa)
    open_pmp(setup, isa)
    status = enter(rng)
    mode = status >> 11 & 3
    tables = Tables(rng, isa, index, records, user=mode == U)
    setup.li(6, tables.satp())
    setup.put("csrrw", 0, 0x180, 6)
    if rng.randrange(8) == 0:  # a page table that PMP hides
        setup.li(6, tables.where >> 2 | 0x1FF)
        setup.put("csrrw", 0, 0x3B0, 6)
        setup.li(6, 0x18)
        setup.put("csrrw", 0, 0x3A0, 6)
    setup.put("sfence.vma", 0, 0)
    for _ in range(rng.randrange(5, 10)):
        pick = rng.randrange(10)
        if pick == 0 and mode == S:
            tables.change(asm)
        elif pick in (1, 2) and mode != M and tables.code:
            va = rng.choice(tables.code)
            loaded = UU if mode == S else 0
            if tables.flags[va] & loaded:
                continue  # once QEMU has loaded from there, it also fetches
            offset = rng.choice((2, 4094, rng.randrange(1, 2047) * 2))
            if va + PAGE in tables.holes or tables.flags.get(va + PAGE, 0) & loaded:
                offset %= 4094
            asm.li(7, va + offset)
            asm.put("jalr", 1, 7, 0)
        elif pick == 4 and mode == S:
            asm.li(6, rng.choice((SUM, MXR, SUM | MXR)))
            asm.put(rng.choice(("csrrs", "csrrc")), 0, 0x100, 6)
        elif pick == 3 and isa.xlen == 64:
            asm.li(8, corner(rng, 64) & (1 << 39) - 1 | rng.getrandbits(25) << 39)
            access(rng, isa, asm, 8)
        else:
            va, flags = rng.choice(list(tables.flags.items()))
            near = rng.choice((0, PAGE - rng.randrange(1, 8), rng.randrange(PAGE)))
            if {va, va + PAGE} & tables.holes:
                near &= -8
            asm.li(8, va + near)
            amo = va not in tables.holes and (flags & A != 0 or flags & (R | W) == R | W)
            access(rng, isa, asm, 8, amo)
    record = Record(bytes(asm.code), registers(rng, isa, index), setup=bytes(setup.code))
    record.data = rng.randbytes(8192)
    record.status = status
    return record, bytes(tables.memory)


def atomics(rng: Random, isa: Isa, index: int, records: int) -> tuple[Record, bytes]:
    """LR, SC and AMO on a few pages of any rights, met by them first or by something else.

    An SC has the size of its LR, and is aligned: else QEMU may have it succeed, or fail in silence.
    """
    setup, asm = Assembler(isa), Assembler(isa)
    open_pmp(setup, isa)
    status = enter(rng)
    mode = status >> 11 & 3
    tables = Tables(rng, isa, index, records, user=mode == U)
    setup.li(6, tables.satp())
    setup.put("csrrw", 0, 0x180, 6)
    setup.put("sfence.vma", 0, 0)
    places = [(va, flags, rng.randrange(0, PAGE, 8)) for va, flags in tables.flags.items()]
    places = rng.sample(places, 3)
    for _ in range(rng.randrange(5, 10)):
        va, flags, offset = rng.choice(places)
        pick = rng.randrange(12)
        if pick == 0 and mode == S:
            asm.li(6, rng.choice((SUM, MXR, SUM | MXR)))
            asm.put(rng.choice(("csrrs", "csrrc")), 0, 0x100, 6)
        elif pick == 1 and mode == S:
            tables.change(asm)
        asm.li(8, va + offset)
        if pick < 4:
            access(rng, isa, asm, 8)
            continue
        size = rng.choice("wd" if isa.xlen == 64 else "w")
        if pick < 9 or va in tables.holes or not (flags & A or flags & (R | W) == R | W):
            if rng.randrange(8) == 0:
                asm.put("addi", 8, 8, rng.choice((1, 2, 3, 4, 6)))
            asm.put(f"lr.{size}", rng.randrange(10, 16), 8)
            if rng.randrange(2) and va not in tables.holes:
                asm.put("andi", 8, 8, -8)
                asm.put(f"sc.{size}", rng.randrange(10, 16), rng.randrange(10, 16), 8)
        else:
            name = rng.choice(("swap", "add", "xor", "and", "or", "min", "max", "minu", "maxu"))
            asm.put(f"amo{name}.{size}", rng.randrange(10, 16), rng.randrange(10, 16), 8)
    record = Record(bytes(asm.code), registers(rng, isa, index), setup=bytes(setup.code))
    record.data = rng.randbytes(8192)
    record.status = status
    return record, bytes(tables.memory)
