"""Decoding: the table is unambiguous, noise is harmless, C is what it stands for."""

from __future__ import annotations

import re
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
from hart_assembler import PLACES, table, word
from hypothesis import given, settings
from hypothesis import strategies as st

from minion.hart.config import Isa
from minion.hart.decode import BIN, FIELDS, Decoder, functions
from minion.hart.encoding import Encoding, Kind
from minion.hart.isa import rv_c

ISAS = {"rv64gc": Isa(), "rv32gc": Isa(32), "rv32imac": Isa(32, "imac"), "rv64ic": Isa(64, "imc")}
DECODERS = {name: Decoder(isa) for name, isa in ISAS.items()}
PC = 0x8000_0000


def encodings(isa: Isa) -> list[Encoding]:
    return list(table(isa).values())


@pytest.mark.parametrize("name", ISAS)
def test_no_two_encodings_overlap(name: str) -> None:
    for a, b in combinations(encodings(ISAS[name]), 2):
        both = a.mask & b.mask
        assert a.match & both != b.match & both, f"{a.name} and {b.name}"


@pytest.mark.parametrize("name", ISAS)
def test_every_encoding_is_decoded_and_every_function_encoded(name: str) -> None:
    isa = ISAS[name]
    names = {e.name for e in encodings(isa)}
    assert names == set(functions(isa)) - ({"sret", "sfence.vma"} - names)
    for e in encodings(isa):
        assert e.match & ~e.mask == 0
        decoded = DECODERS[name].decode(e.match, PC)
        assert (decoded.name, decoded.kind, decoded.length) == (e.name, e.kind, 4)


@given(st.sampled_from(sorted(ISAS)), st.integers(0, 2**32 - 1), st.booleans())
@settings(max_examples=800, derandomize=True, deadline=None)
def test_noise_decodes_to_something(name: str, bits: int, fp: bool) -> None:
    decoded = DECODERS[name].decode(bits, PC, fp)
    assert decoded.raw == bits & (0xFFFF_FFFF if decoded.length == 4 else 0xFFFF)
    assert decoded.length == (4 if bits & 3 == 3 else 2)
    assert (decoded.name == "illegal") == (decoded.operands == () and decoded.name == "illegal")
    if decoded.name[0] == "f" and decoded.kind is not Kind.SYSTEM and decoded.name != "fence":
        assert fp


OPERANDS = {"imm": (-2048, 2047), "simm": (-2048, 2047), "btarget": (-2048, 2047)}


@given(st.data())
@settings(max_examples=300, derandomize=True, deadline=None)
def test_operands_come_back(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ISAS)))
    isa = ISAS[name]
    e = data.draw(st.sampled_from(encodings(isa)))
    values = []
    for field in e.operands:
        if field == "link":
            continue
        low, high = OPERANDS.get(field, (0, 31))
        value = data.draw(st.integers(low, high))
        if field == "rm":
            value = value % 5
        values.append(value * 2 if field in ("btarget", "jtarget") else value)
    decoded = DECODERS[name].decode(word(e, *values), PC)
    assert decoded.name == e.name
    got = iter(decoded.operands)
    drawn = iter(values)
    for field in e.operands:
        value = next(got)
        if field == "link":
            assert value == PC + 4
        elif field in ("btarget", "jtarget"):
            assert value == PC + next(drawn)
        elif field in ("upper", "pcupper"):
            base = PC if field == "pcupper" else 0
            assert value == base + (next(drawn) << 12)
        else:
            assert value == (next(drawn) or (BIN if field == "rd" else 0))


def test_every_field_can_be_assembled() -> None:
    assert set(FIELDS) - {"link"} == set(PLACES)


def disassembled(path: Path, words: list[bytes], xlen: int) -> list[str]:
    """By binutils: each word at a multiple of 8, as text with numeric registers."""
    path.write_bytes(b"".join([w + b"\x01\0" * (4 - len(w) // 2) for w in words]))  # c.nop
    command = ["riscv64-linux-gnu-objdump", "-D", "-z", "-b", "binary", "-m", f"riscv:rv{xlen}"]
    command += ["-M", "numeric,no-aliases", str(path)]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = {}
    for line in listing.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+[0-9a-f]+\s+(.*)", line)
        if match:
            found[int(match[1], 16)] = match[2].split("#")[0].strip()
    return [found[8 * n] for n in range(len(words))]


@pytest.mark.needs("riscv64-linux-gnu-objdump")
@pytest.mark.parametrize("xlen", [64, 32])
def test_compressed_words_are_what_binutils_says(xlen: int, tmp_path: Path) -> None:
    isa = Isa(xlen)
    halves = [h for h in range(65536) if h & 3 != 3 and rv_c.expand(h, isa)]
    short = disassembled(tmp_path / "c", [h.to_bytes(2, "little") for h in halves], xlen)
    full = [rv_c.expand(h, isa).to_bytes(4, "little") for h in halves]
    long = disassembled(tmp_path / "w", full, xlen)
    for half, a, b in zip(halves, short, long, strict=True):
        assert operands(a)[-1] == operands(b)[-1] or shift(a) or renamed(a), f"{half:#x}: {a}; {b}"
        assert a.split()[0][2:].startswith(b.split()[0]) or renamed(a), f"{half:#x}: {a}; {b}"


def operands(text: str) -> list[str]:
    return [part.removeprefix("0x") for part in re.split(r"[\s,]+", text)]


def shift(text: str) -> bool:
    """c.slli64 and its like: by 0, which binutils does not print."""
    return text.split()[0].endswith("64")


def renamed(text: str) -> bool:
    """Stands for an instruction of another name."""
    return text.split()[0] in {
        "c.nop", "c.li", "c.mv", "c.j", "c.jr", "c.beqz", "c.bnez", "c.ebreak", "c.jalr", "c.jal",
    }  # fmt: skip
