"""ELF files: legal ones, every kind of illegal one, and noise."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest
from elves import BASE, Elf, Load
from hypothesis import given
from hypothesis import strategies as st

from minion.elf import structs
from minion.elf.image import ElfError, Image, is_elf, parse
from minion.elf.structs import STT_FUNC, STT_NOTYPE, STT_OBJECT

OPENSBI = Path("/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.elf")
SYMBOLS = [
    ("_start", BASE, 0, STT_NOTYPE), ("main", BASE + 4, 8, STT_FUNC),
    ("inside", BASE + 6, 0, STT_NOTYPE), ("$xrv64i2p1", BASE + 8, 0, STT_NOTYPE),
    ("tail", BASE + 12, 0, STT_NOTYPE), ("tohost", BASE + 0x40, 8, STT_OBJECT),
]  # fmt: skip


@pytest.mark.parametrize("xlen", [32, 64])
def test_a_legal_file(xlen: int) -> None:
    elf = Elf(xlen, loads=[Load(memsz=0x40), Load(BASE + 0x1000, b"data", 8, BASE + 0x40, 6)])
    image = parse(elf.but(symbols=SYMBOLS).bytes())
    assert (image.xlen, image.entry, image.pie, image.rvc) == (xlen, BASE, False, True)
    assert (image.float_abi, image.start, image.end) == ("soft", BASE, BASE + 0x1008)
    first, second = image.segments
    assert (first.vaddr, first.memsz, bytes(first.data)) == (BASE, 0x40, b"\x13\0\0\0" * 4)
    assert (second.paddr, second.flags, bytes(second.data)) == (BASE + 0x40, 6, b"data")
    assert image.physical(BASE + 0x1007) == BASE + 0x47
    assert image.physical(BASE + 0x1008) is None


@pytest.mark.parametrize(("flags", "abi"), [(0, "soft"), (2, "single"), (5, "double"), (6, "quad")])
def test_float_abi(flags: int, abi: str) -> None:
    assert parse(Elf(flags=flags).bytes()).float_abi == abi


def test_segments_come_in_any_order_and_empty_ones_are_nothing() -> None:
    loads = [Load(BASE + 0x100), Load(BASE), Load(BASE + 8, b"", 0)]
    assert [s.vaddr for s in parse(Elf(loads=loads).bytes()).segments] == [BASE, BASE + 0x100]


def test_where_the_program_headers_are_in_memory() -> None:
    raw = Elf().bytes()
    assert parse(raw).phdr_addr is None
    image = parse(with_program(raw, offset=0, filesz=len(raw), memsz=len(raw)))
    assert (image.phdr_addr, image.phnum, image.phentsize) == (BASE + 64, 1, 56)


# -- symbols


def test_symbols() -> None:
    symbols = parse(Elf(loads=[Load(memsz=0x50)], symbols=SYMBOLS).bytes()).symbols
    assert symbols.lookup(BASE) == ("_start", 0)
    assert symbols.lookup(BASE + 3) == ("_start", 3)
    assert symbols.lookup(BASE + 6) == ("main", 2), "a label in a function is not a function"
    assert symbols.lookup(BASE + 11) == ("main", 7)
    assert symbols.lookup(BASE + 0x3F) == ("tail", 0x33), "no size: up to the next one"
    assert symbols.lookup(BASE + 0x48) is None
    assert symbols.lookup(BASE - 1) is None
    assert (symbols.address("tohost"), symbols.address("fromhost")) == (BASE + 0x40, None)
    assert symbols.describe(BASE + 5) == "main+0x1"
    assert symbols.describe(BASE + 4) == "main"
    assert symbols.describe(0x1234) == "0x1234"


def test_the_last_symbol_without_a_size_ends_with_its_segment() -> None:
    symbols = parse(Elf(symbols=[("f", BASE, 0, STT_NOTYPE)]).bytes()).symbols
    assert symbols.lookup(BASE + 15) == ("f", 15)
    assert symbols.lookup(BASE + 16) is None


def test_absolute_symbols_are_values_not_places() -> None:
    elf = Elf(symbols=[("__stack_size", BASE, 0, STT_NOTYPE)], shndx=structs.SHN_ABS)
    symbols = parse(elf.bytes()).symbols
    assert (symbols.address("__stack_size"), symbols.lookup(BASE)) == (BASE, None)


def test_a_function_gives_its_address_the_name() -> None:
    both = [("alias", BASE, 0, STT_NOTYPE), ("real", BASE, 8, STT_FUNC)]
    for symbols in (both, both[::-1]):
        assert parse(Elf(symbols=symbols).bytes()).symbols.lookup(BASE) == ("real", 0)


# -- illegal


def with_header(raw: bytes, **changes: int) -> bytes:
    fields = structs.Header(*structs.HEADER64.unpack_from(raw, 16))
    return raw[:16] + structs.HEADER64.pack(*fields._replace(**changes)) + raw[64:]


def with_program(raw: bytes, **changes: int) -> bytes:
    fields = structs.Program(*structs.PROGRAM64.unpack_from(raw, 64))
    return raw[:64] + structs.PROGRAM64.pack(*fields._replace(**changes)) + raw[120:]


RAW = Elf(symbols=SYMBOLS, loads=[Load(memsz=0x50)]).bytes()
SECTIONS = len(RAW) - 3 * 64


def with_section(number: int, **changes: int) -> bytes:
    at = SECTIONS + number * 64
    fields = structs.Section(*structs.SECTION64.unpack_from(RAW, at))
    packed = structs.SECTION64.pack(*fields._replace(**changes))
    return RAW[:at] + packed + RAW[at + 64 :]


TOP = (1 << 64) - 8
ILLEGAL = {
    "empty": (b"", "not an ELF file"),
    "text": (b"#!/bin/sh\necho no\n" * 9, "not an ELF file"),
    "class": (RAW[:4] + b"\3" + RAW[5:], "class"),
    "big-endian": (Elf(order=2).bytes(), "big-endian"),
    "x86-64": (Elf(machine=62).bytes(), "built for x86-64, not for RISC-V"),
    "machine": (Elf(machine=999).bytes(), "built for machine 999"),
    "object": (Elf(type=1).bytes(), "link it first"),
    "core": (Elf(type=4).bytes(), "core file"),
    "type": (Elf(type=9).bytes(), "not an executable"),
    "version": (with_header(RAW, version=2), "bad header"),
    "ehsize": (with_header(RAW, ehsize=52), "bad header"),
    "no programs": (Elf(loads=[]).bytes(), "no program headers"),
    "phentsize": (with_header(RAW, phentsize=32), "bad program header table"),
    "phnum": (with_header(RAW, phnum=0xFFFF), "bad program header table"),
    "phoff": (with_header(RAW, phoff=TOP), "truncated: program headers"),
    "shentsize": (with_header(RAW, shentsize=40), "bad section header table"),
    "shoff": (with_header(RAW, shoff=TOP), "truncated: section headers"),
    "shnum": (with_header(RAW, shnum=999), "truncated: section headers"),
    "nothing": (Elf(loads=[Load(data=b"", memsz=0)]).bytes(), "nothing to load"),
    "filesz": (Elf(loads=[Load(memsz=15)]).bytes(), "larger in the file"),
    "offset": (with_program(RAW, offset=TOP), "truncated: segment 0"),
    "vaddr": (Elf(entry=0, loads=[Load(TOP, paddr=0)]).bytes(), "wraps around"),
    "paddr": (Elf(loads=[Load(paddr=TOP)]).bytes(), "wraps around"),
    "vaddr32": (Elf(32, entry=0, loads=[Load(0xFFFF_FFF8, paddr=0)]).bytes(), "wraps around"),
    "align": (Elf(loads=[Load(align=3)]).bytes(), "power of two"),
    "congruence": (Elf(loads=[Load(align=4096)]).bytes(), "disagree"),
    "overlap": (Elf(loads=[Load(), Load(BASE + 15)]).bytes(), "overlap at 0x8000000f"),
    "interp": (Elf(loads=[Load(), Load(type=3)]).bytes(), "link it with -static"),
    "needed": (
        Elf(loads=[Load(), Load(type=2, data=struct.pack("<4Q", 1, 7, 0, 0))]).bytes(),
        "shared libraries",
    ),
    "shared": (Elf(type=3, entry=0).bytes(), "a shared library"),
    "entry": (Elf(entry=BASE + 16).bytes(), "in no segment"),
    "odd entry": (Elf(entry=BASE + 1).bytes(), "is odd"),
    "symtab size": (with_section(1, size=25), "bad symbol table"),
    "symtab entsize": (with_section(1, entsize=0), "bad symbol table"),
    "symtab offset": (with_section(1, offset=TOP), "truncated: symbol table"),
    "symtab link": (with_section(1, link=3), "without names"),
    "strtab type": (with_section(2, type=1), "without names"),
    "strtab offset": (with_section(2, offset=TOP), "truncated: symbol names"),
    "strtab size": (with_section(2, size=20), "outside of its table"),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal(name: str) -> None:
    raw, words = ILLEGAL[name]
    with pytest.raises(ElfError, match=words) as error:
        parse(raw)
    assert "\n" not in str(error.value)


def test_a_number_of_sections_in_the_first_of_them() -> None:
    raw = with_header(RAW, shnum=0)
    assert len(parse(raw).symbols) == 0, "0 of them"
    size = struct.pack("<Q", 3)
    raw = raw[: SECTIONS + 32] + size + raw[SECTIONS + 40 :]
    assert parse(raw).symbols.address("main") == BASE + 4


def test_names_that_would_fill_memory() -> None:
    symbols = [("x" * 5000, BASE, 0, STT_FUNC)] + [("", BASE, 0, STT_FUNC)] * 20
    raw = bytearray(Elf(symbols=symbols).bytes())
    at = len(raw) - 3 * 64 - 5022 - 21 * 24
    for n in range(21):
        struct.pack_into("<I", raw, at + n * 24, 1 + n)
    with pytest.raises(ElfError, match="lie on each other"):
        parse(bytes(raw))


def test_many_symbols_of_one_name() -> None:
    """As the marks `$x...` of a program that switches extensions on and off."""
    name = "xrv64i2p1_m2p0_a2p1_zicsr2p0_zifencei2p0"
    symbols = [(name, BASE, 0, STT_FUNC)] + [("", BASE, 0, STT_FUNC)] * 200
    raw = bytearray(Elf(symbols=symbols).bytes())
    at = raw.index(name.encode()) - 1 - 201 * 24
    for n in range(201):
        struct.pack_into("<I", raw, at + n * 24, 1)
    assert parse(bytes(raw)).symbols.address(name) == BASE


def test_a_position_independent_file_is_reported() -> None:
    assert parse(Elf(type=structs.ET_DYN).bytes()).pie


@pytest.mark.parametrize("flags", range(8))
def test_an_entry_in_data(flags: int) -> None:
    """A program for the bare machine may say nothing, or anything, of its memory."""
    image = parse(Elf(loads=[Load(flags=flags)]).bytes())
    assert (image.entry, image.executable(BASE)) == (BASE, flags & 1 == 1)


def test_no_entry() -> None:
    assert parse(Elf(entry=0).bytes()).entry == 0


def test_what_is_no_elf() -> None:
    assert is_elf(RAW)
    assert not is_elf(b"\x7fEL")


# -- noise


def legal_or_error(raw: bytes) -> None:
    """An Image that exists is legal, and there is no third way."""
    try:
        image = parse(raw)
    except ElfError:
        return
    check(image)


def check(image: Image) -> None:
    limit = 1 << image.xlen
    end = 0
    for segment in image.segments:
        assert end <= segment.vaddr
        assert len(segment.data) <= segment.memsz
        assert segment.paddr + segment.memsz <= limit
        end = segment.end
    assert end <= limit
    assert not image.entry or image.physical(image.entry) is not None
    for addr in (0, image.entry, image.start, image.end, limit - 1):
        image.symbols.describe(addr)


@pytest.mark.parametrize("xlen", [32, 64])
def test_every_truncation(xlen: int) -> None:
    raw = Elf(xlen, symbols=SYMBOLS, loads=[Load(memsz=0x50)]).bytes()
    for length in range(len(raw)):
        with pytest.raises(ElfError):
            parse(raw[:length])


@given(st.binary(max_size=300))
def test_noise(noise: bytes) -> None:
    legal_or_error(noise)
    legal_or_error(structs.MAGIC + noise)
    legal_or_error(RAW[:16] + noise)


@given(st.lists(st.tuples(st.integers(0, len(RAW) - 1), st.integers(0, 255)), max_size=8))
def test_mutations(changes: list[tuple[int, int]]) -> None:
    raw = bytearray(RAW)
    for at, byte in changes:
        raw[at] = byte
    legal_or_error(bytes(raw))


@given(st.integers(4, len(RAW) - 8), st.sampled_from([0, 1, TOP, 1 << 63, (1 << 64) - 1, BASE]))
def test_extreme_numbers(at: int, number: int) -> None:
    raw = bytearray(RAW)
    struct.pack_into("<Q", raw, at, number)
    legal_or_error(bytes(raw))


def test_mutations_of_firmware() -> None:
    if not OPENSBI.exists():
        pytest.skip("opensbi is not installed (make setup-programs)")
    raw = OPENSBI.read_bytes()
    image = parse(raw)
    assert (image.entry, image.xlen, image.pie) == (BASE, 64, False)
    rng = random.Random(1)
    tables = [*range(64 + 4 * 56), *range(len(raw) - 15 * 64, len(raw))]
    for _ in range(400):
        changed = bytearray(raw)
        for _ in range(rng.randrange(1, 5)):
            changed[rng.choice(tables)] = rng.randrange(256)
        legal_or_error(bytes(changed))
    for _ in range(200):
        with pytest.raises(ElfError):
            parse(raw[: rng.randrange(len(raw))])


@pytest.mark.needs("riscv64-linux-gnu-gcc")
@pytest.mark.slow
@pytest.mark.parametrize(("flags", "words"), [
    (["-static"], ""), (["-static", "-s"], ""), ([], "link it with -static"),
    (["-c"], "link it first"), (["-shared", "-fPIC"], "a shared library|link it with -static"),
])  # fmt: skip
def test_what_the_linker_makes(tmp_path: Path, flags: list[str], words: str) -> None:
    source = tmp_path / "main.c"
    source.write_text("int main(void) { return 0; }\n")
    output = tmp_path / "out"
    subprocess.run(["riscv64-linux-gnu-gcc", *flags, source, "-o", output], check=True)
    if words:
        with pytest.raises(ElfError, match=words):
            parse(output.read_bytes())
        return
    image = parse(output.read_bytes())
    assert (image.float_abi, image.rvc, image.phdr_addr) == ("double", True, image.start + 64)
    main = image.symbols.address("main")
    assert (main is None) == ("-s" in flags)
    assert main is None or image.symbols.lookup(main + 2) == ("main", 2)
