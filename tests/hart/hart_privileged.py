"""Random records of CSRs, modes, protection and paging.

Bits in which QEMU is not WARL as we are (mstatus.MPP = 2, UXL, VS; reserved bits of pmpcfg; the
hypervisor's interrupts) are not written; what depends on the time is read into x0.  csrrs and csrrc
always have a bit to write: with none, QEMU does not write even if the register is not x0.  One
interrupt is pending at a time: QEMU takes the lowest number first, not the highest priority.
"""

from __future__ import annotations

from random import Random
from typing import Final

from hart_assembler import Assembler
from hart_generator import corner, registers
from hart_records import DATA, M_MODE, Record, data_address

from minion.hart.config import Isa

M, S, U = 3, 1, 0
SIE, MIE, SPIE, MPIE, SPP = 1 << 1, 1 << 3, 1 << 5, 1 << 7, 1 << 8
MPRV, SUM, MXR, TVM, TW, TSR = (1 << n for n in range(17, 23))
FS: Final = 3 << 13
STATUS: Final = SIE | MIE | SPIE | MPIE | SPP | SUM | MXR | TVM | TW | TSR
EXCEPTIONS: Final = 0xB3FF & ~(1 << 9)
"""What is delegated: S's ecall is how its handler gives up."""

ANY: Final = -1
INTERRUPTS: Final = 0xAAA
WRITTEN: Final[dict[int, int]] = {
    0x301: ANY, 0x302: 0xB3FF, 0x303: INTERRUPTS, 0x304: INTERRUPTS, 0x306: 0xFFFF_FFFF, 0x30A: 1,
    0x320: 5, 0x341: ~1, 0x342: ANY, 0x343: ANY, 0x344: INTERRUPTS,
    0x104: INTERRUPTS, 0x105: ANY, 0x106: 0xFFFF_FFFF, 0x10A: 1, 0x140: ANY, 0x141: ~1,
    0x142: ANY, 0x143: ANY, 0x144: INTERRUPTS,
    0xF11: ANY, 0xF12: ANY, 0xF13: ANY, 0xF14: ANY, 0xF15: ANY,
    0xB03: 0, 0xB1F: 0, 0x323: 0, 0x33F: 0,
}  # fmt: skip
"""CSRs, and the bits to write.  mscratch and mtvec are the harness's own."""
FLOAT: Final = (1, 2, 3)
TIMES: Final = (0xC00, 0xC01, 0xC02, 0xC03, 0xC1F, 0xB00, 0xB02)
ABSENT: Final = (0x004, 0x0FF, 0x107, 0x145, 0x181, 0x200, 0x30F, 0x345, 0x3C0, 0x600, 0x7B0, 0x800,
                 0xA00, 0xC20, 0xCC0, 0xF10, 0xF16, 0xFFF)  # fmt: skip
WRITES: Final = ("csrrw", "csrrs", "csrrc")


class Privileged:
    """Steps of privileged code, for one record after the other."""

    def __init__(self, rng: Random, isa: Isa) -> None:
        self.rng = rng
        self.isa = isa

    def status(self, mode: int) -> int:
        """mstatus to enter a mode with."""
        status = self.rng.getrandbits(32) & (STATUS & ~(SIE | MIE | MPIE | SPIE))
        if self.isa.has("f") and self.rng.randrange(4):
            status |= self.rng.randrange(4) << 13
        return status | mode << 11

    def csr(self, asm: Assembler, mode: int) -> None:
        """One CSR instruction."""
        rng = self.rng
        pick = rng.randrange(10)
        if pick == 0:
            asm.put("csrrs", 0, rng.choice(TIMES), 0)
        elif pick == 1:
            asm.put(rng.choice(WRITES), rng.randrange(1, 4), rng.choice(ABSENT), rng.randrange(4))
        elif pick == 2:
            self.mstatus(asm, mode)
        elif pick == 3:
            self.satp(asm, mode)
        elif pick == 4:
            self.pmp(asm)
        elif pick == 5 and self.isa.has("f"):
            asm.li(6, corner(rng, self.isa.xlen) | 1)
            asm.put(rng.choice(WRITES), rng.randrange(10, 16), rng.choice(FLOAT), 6)
        else:
            addr, mask = rng.choice(list(WRITTEN.items()))
            if rng.randrange(4) == 0:
                name = rng.choice(("csrrwi", "csrrsi", "csrrci"))
                asm.put(name, rng.randrange(10, 16), addr, rng.getrandbits(5) & mask)
                return
            name = rng.choice(WRITES) if mask else "csrrw"
            asm.li(6, corner(rng, self.isa.xlen) & mask | mask & -mask)
            asm.put(name, rng.randrange(10, 16), addr, rng.choice((6, 6, 6, 0)))

    def mstatus(self, asm: Assembler, mode: int) -> None:
        """mstatus or sstatus; interrupts stay off in M mode unless this turns them on."""
        rng = self.rng
        mask = STATUS | (FS if self.isa.has("f") else 0)
        asm.li(6, rng.getrandbits(32) & mask | SPP | (M_MODE if mode == M else 0))
        asm.put(rng.choice(WRITES[1:]), rng.randrange(10, 16), rng.choice((0x300, 0x100)), 6)

    def satp(self, asm: Assembler, mode: int) -> None:
        """Any scheme from M mode; from S mode only one that there is not."""
        rng, isa = self.rng, self.isa
        value = rng.getrandbits(isa.xlen)
        if isa.xlen == 64:
            modes = (0, 1, 7, 8, 9, 10, 11, 15) if mode == M else (1, 2, 7, 11, 15)
            value = value & (1 << 60) - 1 | rng.choice(modes) << 60
        elif mode != M:
            value &= (1 << 31) - 1
        asm.li(6, value)
        asm.put("csrrw", rng.randrange(10, 16), 0x180, 6)
        asm.put("csrrs", rng.randrange(10, 16), 0x180, 0)
        if rng.randrange(2):
            asm.put("sfence.vma", 0, 0)

    def pmp(self, asm: Assembler) -> None:
        """An address, or configurations without locks; entry 15 stays, which S and U live by."""
        rng, isa = self.rng, self.isa
        if rng.randrange(2):
            asm.li(6, corner(rng, isa.xlen) & (1 << 54) - 1)
            asm.put("csrrw", rng.randrange(10, 16), 0x3B0 + rng.randrange(15), 6)
            return
        value = 0
        for _ in range(isa.xlen // 8):
            value = value << 8 | rng.choice((0, 1, 3, 4, 5, 7)) | rng.randrange(4) << 3
        asm.li(6, value)
        asm.put("csrrw", rng.randrange(10, 16), 0x3A0, 6)
        asm.put("csrrs", rng.randrange(10, 16), 0x3A0 + rng.randrange(4), 0)

    def move(self, asm: Assembler) -> None:
        """mret, sret, wfi, sfence.vma, fence.i, ecall: with something to return to."""
        rng = self.rng
        match rng.randrange(7):
            case 0:
                self.leave(asm, "mret", 0x341)
            case 1 | 2:
                self.leave(asm, "sret", 0x141)
            case 3:
                asm.put("sfence.vma", rng.randrange(32), rng.randrange(32))
            case 4:
                asm.put("fence.i")
            case 5:
                asm.put(rng.choice(("ecall", "ebreak")))
            case 6:
                asm.put("addi", 10, 10, 1)

    def leave(self, asm: Assembler, name: str, epc: int) -> None:
        """To the instruction after it, in whatever mode the status says."""
        asm.put("auipc", 6, 0)
        asm.put("addi", 6, 6, 16)
        asm.put("csrrw", 0, epc, 6)
        asm.put(name)

    def setup(self, asm: Assembler) -> None:
        """PMP open by its last entry, counters as they come."""
        rng = self.rng
        open_pmp(asm, self.isa)
        for csr in (0x306, 0x106):
            asm.li(6, rng.getrandbits(32))
            asm.put("csrrw", 0, csr, 6)

    def delegate(self, asm: Assembler) -> None:
        asm.li(6, self.rng.getrandbits(16) & EXCEPTIONS)
        asm.put("csrrw", 0, 0x302, 6)

    def interrupts(self, asm: Assembler) -> None:
        """Pending ones of S, perhaps delegated, perhaps enabled."""
        rng = self.rng
        for csr in (0x303, 0x304):
            asm.li(6, rng.getrandbits(10) & 0x222)
            asm.put("csrrw", 0, csr, 6)
        asm.li(6, rng.choice((0x002, 0x020, 0x200)))
        asm.put("csrrw", 0, 0x344, 6)


def open_pmp(asm: Assembler, isa: Isa) -> None:
    """Entry 15: everything, for everybody."""
    asm.li(6, isa.mask >> (10 if isa.xlen == 64 else 0))
    asm.put("csrrw", 0, 0x3BF, 6)
    top = isa.xlen - 8
    asm.li(6, 0x1F << top)
    asm.put("csrrw", 0, 0x3A2 if isa.xlen == 64 else 0x3A3, 6)


def csrs(rng: Random, isa: Isa, index: int) -> Record:
    """CSR instructions in one mode; all traps go to M."""
    make = Privileged(rng, isa)
    mode = rng.choice((M, M, S, U))
    setup, asm = Assembler(isa), Assembler(isa)
    make.setup(setup)
    for _ in range(rng.randrange(3, 12)):
        make.csr(asm, mode)
    record = Record(bytes(asm.code), registers(rng, isa, index), setup=bytes(setup.code))
    record.status = make.status(mode)
    return record


def modes(rng: Random, isa: Isa, index: int) -> Record:
    """Changes of mode, with delegation to S and interrupts of it."""
    make = Privileged(rng, isa)
    mode = rng.choice((M, S, S, U))
    setup, asm = Assembler(isa), Assembler(isa)
    make.setup(setup)
    make.delegate(setup)
    if rng.randrange(3) == 0:
        make.interrupts(setup)
    asm.li(5, data_address(index) - DATA)
    if mode == S:
        asm.put("csrrw", 0, 0x140, 5)
    for _ in range(rng.randrange(2, 7)):
        make.move(asm)
        if rng.randrange(3) == 0:
            make.mstatus(asm, mode)
    setup.li(6, data_address(index) - DATA)
    setup.put("csrrw", 0, 0x140, 6)
    record = Record(bytes(asm.code), registers(rng, isa, index), setup=bytes(setup.code))
    record.status = make.status(mode) | rng.getrandbits(32) & (SIE | SPIE | MPIE)
    return record
