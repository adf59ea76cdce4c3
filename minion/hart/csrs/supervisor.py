"""S-mode registers (privileged architecture, 4.1): many are windows on M-mode ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from minion.hart import fields as f
from minion.hart.csr import MIDELEG, MIE, MSTATUS, SATP
from minion.hart.csrs.machine import FIOM, vector
from minion.hart.paging import scheme

if TYPE_CHECKING:
    from minion.hart.csr import CsrFile
    from minion.hart.state import Hart

SSTATUS: Final = f.SIE | f.SPIE | f.SPP | f.FS | f.SUM | f.MXR


def install(file: CsrFile, h: Hart) -> None:
    isa = h.isa
    file.plain("stvec", 0x105)
    file.plain("scounteren", 0x106, 0xFFFF_FFFF)
    file.plain("senvcfg", 0x10A, FIOM)
    file.plain("sscratch", 0x140, isa.mask)
    file.plain("sepc", 0x141, ~1)
    file.plain("scause", 0x142, isa.mask)
    file.plain("stval", 0x143, isa.mask)
    vector(file, 0x105)
    status(file, h)
    interrupts(file, h)
    translation(file, h)


def status(file: CsrFile, h: Hart) -> None:
    shown = SSTATUS | 1 << h.isa.xlen - 1 | (3 << f.UXL_SHIFT if h.isa.xlen == 64 else 0)

    def read() -> int:
        return file.read(MSTATUS) & shown

    def write(value: int) -> None:
        file.write(MSTATUS, h.mstatus & ~SSTATUS | value & SSTATUS)

    file.special("sstatus", 0x100, read, write)


def interrupts(file: CsrFile, h: Hart) -> None:
    """sie and sip: what is delegated (4.1.3)."""

    def read_sie() -> int:
        return file.value[MIE] & file.value[MIDELEG]

    def write_sie(value: int) -> None:
        delegated = file.value[MIDELEG]
        file.write(MIE, file.value[MIE] & ~delegated | value & delegated)

    def read_sip() -> int:
        return (h.lines.mip | file.soft_mip) & file.value[MIDELEG]

    def change_sip(clear: int, bits: int) -> None:
        mask = file.value[MIDELEG] & f.SSI
        file.soft_mip = file.soft_mip & ~(clear & mask) | bits & mask

    file.special("sie", 0x104, read_sie, write_sie)
    file.special("sip", 0x144, read_sip)
    file.changer(0x144, change_sip)


def translation(file: CsrFile, h: Hart) -> None:
    """satp: a write with an unknown mode is ignored (4.1.11)."""
    xlen = h.isa.xlen
    mode = xlen - (1 if xlen == 32 else 4)

    def write(value: int) -> None:
        if scheme(xlen, value) is not None or value >> mode == 0:
            file.value[SATP] = value
            h.context_changed()

    file.plain("satp", SATP)
    file.writer(SATP, write)
