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
FIOM: Final = 1
"""The field of menvcfg and senvcfg that is always there; fences are in order here anyway."""


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
    notify(file, h, 0x304)
    if supervisor:
        file.plain("medeleg", 0x302, EXCEPTIONS)
        file.plain("mideleg", 0x303, S_INTERRUPTS)
        notify(file, h, 0x303)
    if isa.has("u"):
        file.plain("mcounteren", 0x306, 0xFFFF_FFFF)
        file.plain("menvcfg", 0x30A, FIOM)
    if isa.xlen == 32:
        file.plain("mstatush", 0x310)
        file.plain("menvcfgh", 0x31A)
    for number, name in enumerate(("tselect", "tdata1", "tdata2", "tdata3")):
        file.plain(name, 0x7A0 + number)  # a trigger of type 0: none (debug specification, 5.2)
    vector(file, 0x305)
    status(file, h)
    pending(file, h)
    protection(file, h)


def vector(file: CsrFile, addr: int) -> None:
    """mtvec, stvec: a write with a reserved mode is ignored (3.1.7)."""

    def write(value: int) -> None:
        if value & 3 < 2:
            file.value[addr] = value

    file.writer(addr, write)


def notify(file: CsrFile, h: Hart, addr: int) -> None:
    """Registers that say which interrupts are taken."""
    mask = file.masks[addr]

    def write(value: int) -> None:
        file.value[addr] = value & mask
        h.context_changed()

    file.writer(addr, write)


def writable(isa: Isa) -> int:
    """The bits of mstatus that are not read-only (3.1.6)."""
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
    fixed = 0 if isa.has("u") else f.MPP
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
    """mip: reading shows the wires too; setting bits of it must not catch them (3.1.9)."""
    mask = S_INTERRUPTS if h.isa.has("s") else 0

    def read() -> int:
        return h.lines.mip | file.soft_mip

    def change(clear: int, bits: int) -> None:
        file.soft_mip = (file.soft_mip & ~clear | bits) & mask

    file.special("mip", 0x344, read)
    file.changer(0x344, change)


def protection(file: CsrFile, h: Hart) -> None:
    """pmpcfg and pmpaddr (3.7.1)."""
    per_register = h.isa.xlen // 8
    for index in range(16):
        configuration(file, h, index, per_register)

        def read(index: int = index) -> int:
            return h.pmp.addr[index]

        def write(value: int, index: int = index) -> None:
            h.pmp.write_addr(index, value)
            h.mmu.flush()

        file.special(f"pmpaddr{index}", 0x3B0 + index, read, write)


def configuration(file: CsrFile, h: Hart, entry: int, per_register: int) -> None:
    """The register whose first entry this is."""
    if entry % per_register:
        return
    entries = range(entry, entry + per_register)

    def read() -> int:
        return sum([h.pmp.cfg[n] << (n - entry) * 8 for n in entries])

    def write(value: int) -> None:
        for n in entries:
            h.pmp.write_cfg(n, value >> (n - entry) * 8 & 0xFF)
        h.mmu.flush()

    file.special(f"pmpcfg{entry // 4}", 0x3A0 + entry // 4, read, write)
