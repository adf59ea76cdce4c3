"""Reading an executable ELF file that nobody has vouched for.

An Image that exists is legal: every offset lies in the file, no segment wraps around or lies on
another, and what the image says of itself agrees.  Whether it fits into a machine's memory is for
whoever loads it to say: `parse` allocates nothing in proportion to the sizes it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from struct import Struct
from typing import Final

from minion.elf import structs
from minion.elf.structs import Header, Program, Section, Symbol
from minion.elf.symbols import Symbols

NAMES_FACTOR: Final = 8
"""How often the bytes of a string table may be used over: linkers share tails of names, a hostile
file would make megabytes of each of its symbols.  Symbols of the same name share one string."""


class ElfError(Exception):
    """The file is no executable that could run here; one line that says why."""


@dataclass(slots=True)
class Segment:
    """A PT_LOAD: `data`, then zeroes up to `memsz` bytes."""

    vaddr: int
    paddr: int
    data: memoryview
    memsz: int
    flags: int
    """PF_R, PF_W, PF_X."""

    @property
    def end(self) -> int:
        return self.vaddr + self.memsz


@dataclass(slots=True)
class Image:
    xlen: int
    entry: int
    """0: the file names none."""
    pie: bool
    """ET_DYN that asks for no dynamic linker: it may be placed anywhere and relocates itself."""
    flags: int
    segments: list[Segment]
    """In the order of their addresses; at least one."""
    phdr_addr: int | None
    """Where the program headers are in memory, if they are loaded (AT_PHDR)."""
    phentsize: int
    phnum: int
    symbols: Symbols = field(default_factory=lambda: Symbols(()))

    @property
    def float_abi(self) -> str:
        return structs.FLOAT_ABIS[(self.flags & structs.EF_FLOAT_ABI) >> 1]

    @property
    def rvc(self) -> bool:
        return bool(self.flags & structs.EF_RVC)

    @property
    def start(self) -> int:
        return self.segments[0].vaddr

    @property
    def end(self) -> int:
        return self.segments[-1].end

    def executable(self, vaddr: int) -> bool:
        """Whether its segment's flags say so.  On the bare machine nobody asks: Spike and QEMU do
        not, and riscv-tests' own linker scripts leave PF_X out."""
        return any(s.vaddr <= vaddr < s.end and s.flags & structs.PF_X for s in self.segments)

    def physical(self, vaddr: int) -> int | None:
        """The load address of a byte; None if it lies in no segment."""
        for segment in self.segments:
            if segment.vaddr <= vaddr < segment.end:
                return vaddr - segment.vaddr + segment.paddr
        return None


def is_elf(data: bytes | memoryview) -> bool:
    return bytes(data[:4]) == structs.MAGIC


def parse(data: bytes | memoryview) -> Image:
    """ElfError unless the file is a legal RISC-V executable."""
    reader = Reader(memoryview(data).cast("B"))
    header = reader.header
    programs = list(reader.programs())
    segments = [reader.segment(n, p) for n, p in enumerate(programs) if p.type == structs.PT_LOAD]
    segments = sorted((s for s in segments if s.memsz), key=lambda s: s.vaddr)
    if not segments:
        raise ElfError("nothing to load in it")
    for low, high in pairwise(segments):
        if high.vaddr < low.end:
            raise ElfError(f"segments overlap at {high.vaddr:#x}")
    for program in programs:
        reader.check_static(program)
    if header.type == structs.ET_DYN and not header.entry:
        raise ElfError("a shared library, not a program")
    check_entry(header.entry, segments)
    image = Image(
        reader.xlen, header.entry, header.type == structs.ET_DYN, header.flags, segments,
        reader.phdr_addr(programs), header.phentsize, header.phnum,
    )  # fmt: skip
    image.symbols = Symbols(reader.symbols(), [(s.vaddr, s.end) for s in segments])
    return image


def check_entry(entry: int, segments: list[Segment]) -> None:
    if not entry:  # gABI: it has none
        return
    if entry & 1:
        raise ElfError(f"entry point {entry:#x} is odd")
    if not any(s.vaddr <= entry < s.end for s in segments):
        raise ElfError(f"entry point {entry:#x} lies in no segment")


class Reader:
    """The tables of one file."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        ident = bytes(data[: structs.IDENT])
        if len(ident) < structs.IDENT or ident[:4] != structs.MAGIC:
            raise ElfError("not an ELF file")
        if ident[4] not in (structs.CLASS32, structs.CLASS64) or ident[6] != structs.CURRENT:
            raise ElfError("not an ELF file: bad class or version")
        if ident[5] != structs.LITTLE:
            raise ElfError("big-endian; RISC-V is little-endian here")
        self.xlen: Final = 64 if ident[4] == structs.CLASS64 else 32
        wide = self.xlen == 64
        layout = structs.HEADER64 if wide else structs.HEADER32
        self.header = Header(*layout.unpack(self._slice(structs.IDENT, layout.size, "header")))
        self._program = structs.PROGRAM64 if wide else structs.PROGRAM32
        self._section = structs.SECTION64 if wide else structs.SECTION32
        self._symbol = structs.SYMBOL64 if wide else structs.SYMBOL32
        self._dynamic = structs.DYNAMIC64 if wide else structs.DYNAMIC32
        self._check_header(structs.IDENT + layout.size)

    def _check_header(self, size: int) -> None:
        header = self.header
        if header.machine != structs.EM_RISCV:
            name = structs.MACHINES.get(header.machine, f"machine {header.machine}")
            raise ElfError(f"built for {name}, not for RISC-V")
        if header.type not in (structs.ET_EXEC, structs.ET_DYN):
            kind = {structs.ET_REL: "an object file: link it first", structs.ET_CORE: "a core file"}
            raise ElfError(f"not an executable but {kind.get(header.type, 'something unknown')}")
        if header.version != structs.CURRENT or header.ehsize < size:
            raise ElfError("bad header")
        if not header.phnum:
            raise ElfError("no program headers: not an executable")
        if header.phentsize != self._program.size or header.phnum == structs.PN_XNUM:
            raise ElfError("bad program header table")

    def _slice(self, offset: int, length: int, what: str) -> memoryview:
        if offset + length > len(self._data):
            raise ElfError(f"truncated: {what} beyond the end of the file")
        return self._data[offset : offset + length]

    def _table(
        self, layout: Struct, offset: int, count: int, what: str
    ) -> Iterator[tuple[int, ...]]:
        return layout.iter_unpack(self._slice(offset, count * layout.size, what))

    # -- program headers

    def programs(self) -> Iterator[Program]:
        header = self.header
        for fields in self._table(self._program, header.phoff, header.phnum, "program headers"):
            yield Program(*fields) if self.xlen == 64 else structs.program32(fields)

    def segment(self, number: int, program: Program) -> Segment:
        what = f"segment {number}"
        if program.filesz > program.memsz:
            raise ElfError(f"{what}: larger in the file than in memory")
        limit = 1 << self.xlen
        if program.vaddr + program.memsz > limit or program.paddr + program.memsz > limit:
            raise ElfError(f"{what}: wraps around the end of memory")
        if program.align & program.align - 1:
            raise ElfError(f"{what}: its alignment is no power of two")
        if program.align > 1 and (program.vaddr - program.offset) % program.align:
            raise ElfError(f"{what}: its address and its place in the file disagree")
        data = self._slice(program.offset, program.filesz, what)
        return Segment(program.vaddr, program.paddr, data, program.memsz, program.flags)

    def check_static(self, program: Program) -> None:
        """ElfError if the file wants a dynamic linker."""
        if program.type == structs.PT_INTERP:
            raise ElfError("dynamically linked: link it with -static")
        if program.type != structs.PT_DYNAMIC or not program.filesz:
            return
        count = program.filesz // self._dynamic.size
        for tag, _ in self._table(self._dynamic, program.offset, count, "dynamic section"):
            if tag == structs.DT_NEEDED:
                raise ElfError("needs shared libraries: link it with -static")
            if tag == structs.DT_NULL:
                return

    def phdr_addr(self, programs: list[Program]) -> int | None:
        header = self.header
        end = header.phoff + header.phnum * header.phentsize
        for program in programs:
            in_file = program.offset <= header.phoff and end <= program.offset + program.filesz
            if program.type == structs.PT_LOAD and in_file:
                return program.vaddr + header.phoff - program.offset
        return None

    # -- sections: only where the symbols are

    def _sections(self) -> list[Section]:
        header = self.header
        if not header.shoff:
            return []
        if header.shentsize != self._section.size:
            raise ElfError("bad section header table")
        count = header.shnum
        if not count:  # 0xFF00 or more: the number stands in the first one
            first = self._table(self._section, header.shoff, 1, "section headers")
            count = Section(*next(first)).size
        table = self._table(self._section, header.shoff, count, "section headers")
        return [Section(*fields) for fields in table]

    def symbols(self) -> Iterator[tuple[str, Symbol]]:
        """None if the file is stripped: the few dynamic ones would lend their names to the rest."""
        sections = self._sections()
        for section in sections:
            if section.type == structs.SHT_SYMTAB:
                return self._symbols(section, sections)
        return iter(())

    def _symbols(self, section: Section, sections: list[Section]) -> Iterator[tuple[str, Symbol]]:
        if section.entsize != self._symbol.size or section.size % section.entsize:
            raise ElfError("bad symbol table")
        if section.link >= len(sections) or sections[section.link].type != structs.SHT_STRTAB:
            raise ElfError("symbol table without names")
        strings = sections[section.link]
        names = bytes(self._slice(strings.offset, strings.size, "symbol names"))
        count = section.size // section.entsize
        budget = NAMES_FACTOR * len(names)
        known: dict[int, str] = {}
        for fields in self._table(self._symbol, section.offset, count, "symbol table"):
            symbol = Symbol(*fields) if self.xlen == 64 else structs.symbol32(fields)
            name = known.get(symbol.name)
            if name is None:
                end = names.find(0, symbol.name)
                if end < 0:
                    raise ElfError("symbol name outside of its table")
                budget -= end - symbol.name
                if budget < 0:
                    raise ElfError("symbol names lie on each other")
                name = names[symbol.name : end].decode("ascii", "replace")
                known[symbol.name] = name
            yield name, symbol
