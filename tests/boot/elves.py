"""Makes ELF files, legal and otherwise, without a linker."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from struct import Struct

from minion.elf import structs

BASE = 0x8000_0000


@dataclass
class Load:
    vaddr: int = BASE
    data: bytes = b"\x13\0\0\0" * 4
    memsz: int | None = None
    paddr: int | None = None
    flags: int = 5
    align: int = 1
    type: int = structs.PT_LOAD


@dataclass
class Elf:
    """The fields of a file; `bytes` puts it together."""

    xlen: int = 64
    type: int = structs.ET_EXEC
    machine: int = structs.EM_RISCV
    entry: int = BASE
    flags: int = structs.EF_RVC
    loads: list[Load] = field(default_factory=lambda: [Load()])
    symbols: list[tuple[str, int, int, int]] = field(default_factory=list)
    """(name, value, size, type)"""
    shndx: int = 1
    shoff: int | None = None
    order: int = 1

    def but(self, **changes: object) -> Elf:
        return replace(self, **changes)

    def layouts(self) -> tuple[Struct, Struct, Struct, Struct]:
        names = ("HEADER", "PROGRAM", "SECTION", "SYMBOL")
        header, program, section, symbol = (getattr(structs, f"{n}{self.xlen}") for n in names)
        return header, program, section, symbol

    def bytes(self) -> bytes:
        header, program, section, _ = self.layouts()
        start = structs.IDENT + header.size
        body = start + program.size * len(self.loads)
        programs = b""
        content = b""
        for load in self.loads:
            offset = body + len(content)
            content += load.data
            memsz = len(load.data) if load.memsz is None else load.memsz
            paddr = load.vaddr if load.paddr is None else load.paddr
            fields = (offset, load.vaddr, paddr, len(load.data), memsz)
            if self.xlen == 64:
                programs += program.pack(load.type, load.flags, *fields, load.align)
            else:
                programs += program.pack(load.type, *fields, load.flags, load.align)
        tables, shoff, count = self._sections(body + len(content))
        ident = structs.MAGIC + bytes([self.xlen // 32, self.order, 1])
        shoff = shoff if self.shoff is None else self.shoff
        head = header.pack(
            self.type, self.machine, 1, self.entry, start, shoff, self.flags, start,
            program.size, len(self.loads), section.size, count, 0,
        )  # fmt: skip
        return ident.ljust(structs.IDENT, b"\0") + head + programs + content + tables

    def _sections(self, start: int) -> tuple[bytes, int, int]:
        """Symbols, names and the section table, the table's offset and its length."""
        if not self.symbols:
            return b"", 0, 0
        _, _, section, symbol = self.layouts()
        names = b"\0"
        table = b""
        for name, value, size, kind in self.symbols:
            info = 1 << 4 | kind
            if self.xlen == 64:
                table += symbol.pack(len(names), info, 0, self.shndx, value, size)
            else:
                table += symbol.pack(len(names), value, size, info, 0, self.shndx)
            names += name.encode() + b"\0"
        data = table + names
        empty = section.pack(*[0] * 10)
        symtab = (0, structs.SHT_SYMTAB, 0, 0, start, len(table), 2, 0, 8, symbol.size)
        strtab = (0, structs.SHT_STRTAB, 0, 0, start + len(table), len(names), 0, 0, 1, 0)
        sections = empty + section.pack(*symtab) + section.pack(*strtab)
        return data + sections, start + len(data), 3
