"""Programs into the RAM of a machine, at their physical addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from minion.elf import image as elf
from minion.elf.image import ElfError, Image
from minion.elf.symbols import Symbols
from minion.hart.config import Isa
from minion.ram import Ram

STAGE_ALIGN: Final = {32: 4 << 20, 64: 2 << 20}
"""What comes after firmware starts at a multiple of this, as on QEMU: a kernel's large page."""
TREE_ALIGN: Final = 2 << 20
TREE_LIMIT: Final = 0xC000_0000
"""The device tree lies below 3 GiB, where 32-bit firmware finds it."""
FLOAT_LETTERS: Final = {"soft": "", "single": "f", "double": "d", "quad": "q"}


@dataclass(slots=True)
class Piece:
    """Bytes, and zeroes behind them up to `size`, for a physical address."""

    addr: int
    data: memoryview
    size: int

    @property
    def end(self) -> int:
        return self.addr + self.size


@dataclass(slots=True)
class Program:
    """What one file brings into RAM."""

    pieces: list[Piece]
    entry: int
    """Physical."""
    symbols: Symbols = field(default_factory=lambda: Symbols(()))
    image: Image | None = None
    """None: it was raw."""

    def physical(self, name: str) -> int | None:
        """Where a symbol is in RAM."""
        addr = self.symbols.address(name)
        return None if addr is None or self.image is None else self.image.physical(addr)

    @property
    def start(self) -> int:
        return self.pieces[0].addr

    @property
    def end(self) -> int:
        return self.pieces[-1].end


def read(data: bytes, isa: Isa, raw_addr: int) -> Program:
    """An ELF file, or else a raw image for raw_addr.  ElfError."""
    if not elf.is_elf(data):
        if not data:
            raise ElfError("empty")
        return Program([Piece(raw_addr, memoryview(data), len(data))], raw_addr)
    image = elf.parse(data)
    if image.xlen != isa.xlen:
        raise ElfError(f"a {image.xlen}-bit program, for a {isa.xlen}-bit hart (see --isa)")
    letter = FLOAT_LETTERS[image.float_abi]
    if letter and not isa.has(letter):
        abi = image.float_abi
        raise ElfError(f"built for {abi}-precision floating point, which the hart lacks")
    pieces = sorted((Piece(s.paddr, s.data, s.memsz) for s in image.segments),
                    key=lambda piece: piece.addr)  # fmt: skip
    entry = image.physical(image.entry) if image.entry else None
    return Program(pieces, pieces[0].addr if entry is None else entry, image.symbols, image)


def drop_headers(program: Program, ram: Ram) -> None:
    """ld puts the file's own headers, and a note, in front of what -Ttext=0x80000000 places.

    What of their segment lies below RAM is left out; QEMU, too, loads it into nothing.
    """
    image = program.image
    headers = None if image is None or image.phdr_addr is None else image.physical(image.phdr_addr)
    if headers is None:
        return
    kept = []
    for piece in program.pieces:
        end = min(ram.base, piece.end)
        if piece.addr <= headers < end and not piece.addr <= program.entry < end:
            below = end - piece.addr
            piece = Piece(piece.addr + below, piece.data[below:], piece.size - below)
        if piece.size:
            kept.append(piece)
    program.pieces = kept or program.pieces


def check(programs: Sequence[Program], ram: Ram) -> None:
    """ElfError unless all of it fits into RAM side by side."""
    pieces = sorted((p for program in programs for p in program.pieces), key=lambda p: p.addr)
    for piece in pieces:
        if ram.span(piece.addr, piece.size) is None:
            hint = "; for Linux? see minion app" if piece.addr < ram.base else " (see --ram)"
            raise ElfError(
                f"{piece.size} bytes for {piece.addr:#x} do not fit: RAM is {ram.size >> 20} MiB "
                f"at {ram.base:#x}{hint}"
            )
    for low, high in pairwise(pieces):
        if high.addr < low.end:
            raise ElfError(f"programs overlap at {high.addr:#x}")


def place(program: Program, ram: Ram) -> None:
    """Into RAM; `check` has seen to it that it fits."""
    for piece in program.pieces:
        span = ram.span(piece.addr, piece.size)
        assert span is not None
        length = len(piece.data)
        span[:length] = piece.data
        if len(span) > length:
            span[length:] = bytes(len(span) - length)


def next_stage(end: int, xlen: int) -> int:
    """Where a raw image goes that firmware, which ends at `end`, is to start."""
    align = STAGE_ALIGN[xlen]
    return -(-end // align) * align


def tree_address(ram: Ram, size: int, used_to: int) -> int:
    """Near the top of RAM, as QEMU does it; in small RAM, as high as it can be.  ElfError."""
    top = min(ram.base + ram.size, TREE_LIMIT)
    addr = (top - size) // TREE_ALIGN * TREE_ALIGN
    if addr < used_to:
        addr = (top - size) // 8 * 8
    if addr < used_to:
        raise ElfError(f"no room for the device tree: RAM is {ram.size >> 20} MiB (see --ram)")
    return addr
