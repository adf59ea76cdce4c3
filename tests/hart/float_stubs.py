"""Every instruction of F and D, once per rounding mode, as stubs for float_qemu.c."""

from __future__ import annotations

import subprocess
from array import array
from pathlib import Path
from typing import NamedTuple

from minion.hart.encoding import Encoding, encodings

CROSS = "riscv64-linux-gnu-"
MODES = {0: "rne", 1: "rtz", 2: "rdn", 3: "rup", 4: "rmm", 7: "dyn"}
DYN = 7
RESERVED = (5, 6)
REGISTERS = {"fd": 10, "fs1": 11, "fs2": 12, "fs3": 13, "rd": 10, "rs1": 10}
"""As float_qemu.c has them."""
SHIFTS = {"fd": 7, "fs1": 15, "fs2": 20, "fs3": 27, "rd": 7, "rs1": 15}


class Stub(NamedTuple):
    encoding: Encoding
    mode: int | None
    """The bits of the rounding mode; None where the instruction has none."""
    word: int

    @property
    def name(self) -> str:
        return self.encoding.name

    @property
    def text(self) -> str:
        return text(self.encoding, self.mode)


def text(encoding: Encoding, mode: int | None) -> str:
    name, fields = encoding.name, encoding.operands
    if fields[-1] in ("imm", "simm"):
        register, offset = ("fa0", 0) if fields[-1] == "imm" else ("fa1", 8)
        return f"{name} {register}, {offset}(a1)"
    registers = [field for field in fields if field != "rm"]
    if mode in RESERVED or (mode is not None and not known(name)):
        bits = sum(REGISTERS[field] << SHIFTS[field] for field in registers)
        return f".word {encoding.match | bits | mode << 12:#x}  # {name}"
    operands = [("f" if f[0] == "f" else "") + f"a{REGISTERS[f] - 10}" for f in registers]
    return f"{name} {', '.join(operands)}" + (f", {MODES[mode]}" if mode is not None else "")


def known(name: str) -> bool:
    """Whether the assembler knows its modes: binutils have none for what is always exact."""
    return name not in ("fcvt.d.s", "fcvt.d.w", "fcvt.d.wu")


def wanted() -> list[tuple[Encoding, int | None]]:
    return [
        (encoding, mode)
        for section in ("f", "f64", "d", "d64")
        for encoding in encodings(section)
        for mode in (range(8) if "rm" in encoding.operands else (None,))
    ]


def build(folder: Path) -> tuple[list[str], list[Stub]]:
    """The command that runs the program, and its instructions by number."""
    lines = [f"  {text(encoding, mode)}\n  ret" for encoding, mode in wanted()]
    source = folder / "stubs.S"
    source.write_text(
        '.section .stubs, "ax"\n.option norvc\n.globl stubs\nstubs:\n' + "\n".join(lines) + "\n"
    )
    program = folder / "float_qemu"
    options = [
        "-march=rv64gc",
        "-mabi=lp64d",
        "-O1",
        "-static",
        "-nostdlib",
        "-ffreestanding",
        "-Wl,--no-relax",
    ]
    driver = Path(__file__).with_name("float_qemu.c")
    subprocess.run([CROSS + "gcc", *options, driver, source, "-o", program], check=True)
    bits = folder / "stubs.bin"
    subprocess.run([CROSS + "objcopy", "-O", "binary", "-j", ".stubs", program, bits], check=True)
    words = array("I", bits.read_bytes())[::2]
    assert len(words) == len(lines)
    stubs = [Stub(*row, word) for row, word in zip(wanted(), words, strict=True)]
    return ["qemu-riscv64", str(program)], stubs
