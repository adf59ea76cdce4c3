"""M-mode registers (privileged architecture, chapter 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from minion.hart import fields as f
from minion.hart.config import Isa

if TYPE_CHECKING:
    from minion.hart.csr import CsrFile
    from minion.hart.state import Hart

EXCEPTIONS: Final = 0xB3FF
"""What can be delegated: all of table 3.6 but ecall from M."""
S_INTERRUPTS: Final = f.SSI | f.STI | f.SEI
M_INTERRUPTS: Final = f.MSI | f.MTI | f.MEI


def install(file: CsrFile, h: Hart) -> None:
    isa = h.isa
    supervisor = isa.has("s")
    for number, name in enumerate(("mvendorid", "marchid", "mimpid", "mhartid", "mconfigptr")):
        file.plain(name, 0xF11 + number)
    file.special("misa", 0x301, lambda: isa.misa)
    file.plain("mie", 0x304, M_INTERRUPTS | (S_INTERRUPTS if supervisor else 0))
    file.plain("mtvec", 0x305)
    file.plain("mscratch", 0x340, isa.mask)
    file.plain("mepc", 0x341, ~1)
    file.plain("mcause", 0x342, isa.mask)
    file.plain("mtval", 0x343, isa.mask)
    if supervisor:
        file.plain("medeleg", 0x302, EXCEPTIONS)
        file.plain("mideleg", 0x303, S_INTERRUPTS)
    if isa.has("u"):
        file.plain("mcounteren", 0x306, 0xFFFF_FFFF)
    vector(file, 0x305)
    status(file, h)
    pending(file, h)
    for addr in (0x303, 0x304):
        notify(file, h, addr)


def vector(file: CsrFile, addr: int) -> None:
    """mtvec, stvec: a write with a reserved mode is ignored (3.1.7)."""

    def write(value: int) -> None:
        if value & 3 < 2:
            file.value[addr] = value

    file.writer(addr, write)


def notify(file: CsrFile, h: Hart, addr: int) -> None:
    """Registers that say which interrupts are taken."""
    mask = file.masks.get(addr, 0)

    def write(value: int) -> None:
        file.value[addr] = value & mask
        h.context_changed()

    file.writer(addr, write)


def writable(isa: Isa) -> int:
    """The bits of mstatus that are not read-only zero (3.1.6)."""
    bits = f.MIE | f.MPIE
    if isa.has("f"):
        bits |= f.FS
    if isa.has("u"):
        bits |= f.MPP | f.MPRV | f.TW
    if isa.has("s"):
        bits |= f.SIE | f.SPIE | f.SPP | f.SUM | f.MXR | f.TVM | f.TSR
    return bits


def status(file: CsrFile, h: Hart) -> None:
    isa = h.isa
    mask = writable(isa)
    dirty = 1 << isa.xlen - 1
    fixed = 0
    if isa.xlen == 64:
        fixed |= 2 << f.UXL_SHIFT if isa.has("u") else 0
        fixed |= 2 << f.SXL_SHIFT if isa.has("s") else 0
    privileges = {f.M} | ({f.U} if isa.has("u") else set()) | ({f.S} if isa.has("s") else set())

    def read() -> int:
        return h.mstatus | fixed | (dirty if h.mstatus & f.FS == f.FS else 0)

    def write(value: int) -> None:
        if (value & f.MPP) >> f.MPP_SHIFT not in privileges:
            value = value & ~f.MPP | h.mstatus & f.MPP
        h.mstatus = h.mstatus & ~mask | value & mask
        h.context_changed()

    file.special("mstatus", 0x300, read, write)


def pending(file: CsrFile, h: Hart) -> None:
    mask = S_INTERRUPTS if h.isa.has("s") else 0

    def read() -> int:
        return h.lines.mip | file.soft_mip

    def write(value: int) -> None:
        file.soft_mip = value & mask

    file.special("mip", 0x344, read, write)
