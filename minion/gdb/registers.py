"""The hart's registers as GDB numbers and describes them (its manual, G.5.10: RISC-V features)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from minion.hart.config import Isa
from minion.hart.state import Hart

NAMES: Final = [
    "zero",
    "ra",
    "sp",
    "gp",
    "tp",
    "t0",
    "t1",
    "t2",
    "fp",
    "s1",
    "a0",
    "a1",
    "a2",
    "a3",
    "a4",
    "a5",
    "a6",
    "a7",
    "s2",
    "s3",
    "s4",
    "s5",
    "s6",
    "s7",
    "s8",
    "s9",
    "s10",
    "s11",
    "t3",
    "t4",
    "t5",
    "t6",
]
FLOAT_NAMES: Final = [
    "ft0",
    "ft1",
    "ft2",
    "ft3",
    "ft4",
    "ft5",
    "ft6",
    "ft7",
    "fs0",
    "fs1",
    "fa0",
    "fa1",
    "fa2",
    "fa3",
    "fa4",
    "fa5",
    "fa6",
    "fa7",
    "fs2",
    "fs3",
    "fs4",
    "fs5",
    "fs6",
    "fs7",
    "fs8",
    "fs9",
    "fs10",
    "fs11",
    "ft8",
    "ft9",
    "ft10",
    "ft11",
]
FLOAT_CSRS: Final = {"fflags": 1, "frm": 2, "fcsr": 3}
CSRS: Final = {
    "mstatus": 0x300, "misa": 0x301, "medeleg": 0x302, "mideleg": 0x303, "mie": 0x304,
    "mtvec": 0x305, "mscratch": 0x340, "mepc": 0x341, "mcause": 0x342, "mtval": 0x343,
    "mip": 0x344, "sstatus": 0x100, "sie": 0x104, "stvec": 0x105, "sscratch": 0x140,
    "sepc": 0x141, "scause": 0x142, "stval": 0x143, "sip": 0x144, "satp": 0x180,
    "cycle": 0xC00, "time": 0xC01, "instret": 0xC02, "mhartid": 0xF14,
}  # fmt: skip
DOUBLE: Final = (
    '<union id="riscv_double"><field name="float" type="ieee_single"/>'
    '<field name="double" type="ieee_double"/></union>'
)


@dataclass(slots=True)
class Register:
    name: str
    bits: int
    type: str
    read: Callable[[], int]
    write: Callable[[int], None]


class Registers:
    """All of them, by GDB's number: their order in the target description."""

    def __init__(self, hart: Hart) -> None:
        self._hart = hart
        isa = hart.isa
        cpu = [self._integer(n, isa.xlen) for n in range(32)]
        cpu.append(Register("pc", isa.xlen, "code_ptr", lambda: hart.pc, self._set_pc))
        self._features = {"cpu": cpu}
        if isa.has("f"):
            self._features["fpu"] = self._floats(isa)
        known = [(name, addr) for name, addr in CSRS.items() if addr in hart.csr.names]
        self._features["csr"] = [self._csr(name, addr, isa.xlen) for name, addr in known]
        self._features["virtual"] = [
            Register("priv", isa.xlen, "int", lambda: hart.priv, self._set_priv)
        ]
        self.all = [register for group in self._features.values() for register in group]
        self.general = cpu
        """What a g packet carries: the rest is fetched one by one."""

    def _integer(self, number: int, bits: int) -> Register:
        hart = self._hart

        def write(value: int) -> None:
            if number:
                hart.x[number] = value

        kinds = {"ra": "code_ptr", "sp": "data_ptr", "gp": "data_ptr", "tp": "data_ptr"}
        name = NAMES[number]
        return Register(name, bits, kinds.get(name, "int"), lambda: hart.x[number], write)

    def _float(self, number: int, bits: int) -> Register:
        hart = self._hart

        def write(value: int) -> None:
            hart.f[number] = value if bits == 64 else value | 0xFFFF_FFFF << 32  # NaN-boxed

        kind = "riscv_double" if bits == 64 else "ieee_single"
        mask = (1 << bits) - 1
        return Register(FLOAT_NAMES[number], bits, kind, lambda: hart.f[number] & mask, write)

    def _floats(self, isa: Isa) -> list[Register]:
        bits = 64 if isa.has("d") else 32
        floats = [self._float(number, bits) for number in range(32)]
        return floats + [self._csr(name, addr, 32) for name, addr in FLOAT_CSRS.items()]

    def _csr(self, name: str, addr: int, bits: int) -> Register:
        csr = self._hart.csr
        return Register(name, bits, "int", lambda: csr.read(addr), lambda v: csr.write(addr, v))

    def _set_pc(self, value: int) -> None:
        self._hart.pc = value & ~1
        self._hart.waiting = False

    def _set_priv(self, value: int) -> None:
        if value in (0, 1, 3):
            self._hart.priv = value
            self._hart.context_changed()

    # -- for packets

    def get(self, number: int) -> str | None:
        """In hex, in the target's byte order; None if there is no such register."""
        if number >= len(self.all):
            return None
        register = self.all[number]
        value = register.read() & (1 << register.bits) - 1
        return value.to_bytes(register.bits // 8, "little").hex()

    def set(self, number: int, data: bytes) -> bool:
        if number >= len(self.all) or len(data) != self.all[number].bits // 8:
            return False
        self.all[number].write(int.from_bytes(data, "little"))
        return True

    def get_general(self) -> str:
        return "".join(str(self.get(number)) for number in range(len(self.general)))

    def set_general(self, data: bytes) -> bool:
        """A G packet; further registers than the general ones may follow, and are written too."""
        size = self._hart.isa.xlen // 8
        if len(data) < size * len(self.general):
            return False
        for number in range(len(self.general)):
            self.set(number, data[number * size : (number + 1) * size])
        return True

    def description(self) -> bytes:
        """target.xml."""
        number = 0
        parts = []
        for feature, registers in self._features.items():
            rows = [DOUBLE] if feature == "fpu" and registers[0].bits == 64 else []
            for register in registers:
                rows.append(
                    f'<reg name="{register.name}" bitsize="{register.bits}" '
                    f'type="{register.type}" regnum="{number}"/>'
                )
                number += 1
            parts.append(f'<feature name="org.gnu.gdb.riscv.{feature}">{"".join(rows)}</feature>')
        xml = (
            '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target>'
            f"<architecture>riscv:rv{self._hart.isa.xlen}</architecture>{''.join(parts)}</target>"
        )
        return xml.encode()
