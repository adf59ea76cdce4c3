"""The structures of an ELF file (System V gABI, chapter 4; RISC-V ELF psABI, chapter 8)."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

MAGIC: Final = b"\x7fELF"
IDENT: Final = 16
CLASS32: Final = 1
CLASS64: Final = 2
LITTLE: Final = 1
CURRENT: Final = 1

ET_REL: Final = 1
ET_EXEC: Final = 2
ET_DYN: Final = 3
ET_CORE: Final = 4
EM_RISCV: Final = 243

PT_LOAD: Final = 1
PT_DYNAMIC: Final = 2
PT_INTERP: Final = 3
PF_X: Final = 1
PF_W: Final = 2
PF_R: Final = 4
PN_XNUM: Final = 0xFFFF
DT_NULL: Final = 0
DT_NEEDED: Final = 1

SHT_SYMTAB: Final = 2
SHT_STRTAB: Final = 3
SHN_UNDEF: Final = 0
SHN_ABS: Final = 0xFFF1

STT_NOTYPE: Final = 0
STT_OBJECT: Final = 1
STT_FUNC: Final = 2
STT_GNU_IFUNC: Final = 10
STB_LOCAL: Final = 0

EF_RVC: Final = 0x01
EF_FLOAT_ABI: Final = 0x06
EF_RVE: Final = 0x08
FLOAT_ABIS: Final = ("soft", "single", "double", "quad")

MACHINES: Final = {
    3: "i386", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S/390", 40: "ARM", 43: "SPARC V9",
    62: "x86-64", 183: "AArch64", 247: "BPF", 258: "LoongArch",
}  # fmt: skip


class Header(NamedTuple):
    """What follows e_ident."""

    type: int
    machine: int
    version: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    ehsize: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int


class Program(NamedTuple):
    """A program header, in ELF64's order."""

    type: int
    flags: int
    offset: int
    vaddr: int
    paddr: int
    filesz: int
    memsz: int
    align: int


class Section(NamedTuple):
    name: int
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int


class Symbol(NamedTuple):
    """A symbol, in ELF64's order."""

    name: int
    info: int
    other: int
    shndx: int
    value: int
    size: int


HEADER64 = Struct("<HHIQQQIHHHHHH")
HEADER32 = Struct("<HHIIIIIHHHHHH")
PROGRAM64 = Struct("<IIQQQQQQ")
PROGRAM32 = Struct("<IIIIIIII")
SECTION64 = Struct("<IIQQQQIIQQ")
SECTION32 = Struct("<IIIIIIIIII")
SYMBOL64 = Struct("<IBBHQQ")
SYMBOL32 = Struct("<IIIBBH")
DYNAMIC64 = Struct("<qQ")
DYNAMIC32 = Struct("<iI")


def program32(fields: tuple[int, ...]) -> Program:
    type_, offset, vaddr, paddr, filesz, memsz, flags, align = fields
    return Program(type_, flags, offset, vaddr, paddr, filesz, memsz, align)


def symbol32(fields: tuple[int, ...]) -> Symbol:
    name, value, size, info, other, shndx = fields
    return Symbol(name, info, other, shndx, value, size)
