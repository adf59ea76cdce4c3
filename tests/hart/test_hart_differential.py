"""Random programs, here and on QEMU: registers, memory, page tables and every trap must agree.

HART_SEEDS=100 in the environment makes a campaign of it: that many images of each kind.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random
from typing import NamedTuple

import pytest
from hart_generator import Generator, noise
from hart_machine import ENGINES, run_here, run_qemu
from hart_privileged import csrs, modes
from hart_protection import PAGE, atomics, paging, pmp
from hart_records import (
    Record,
    code_address,
    difference,
    extra_offset,
    image,
    listing,
    outcome,
    ram_bytes,
)
from hart_spaces import spaces

from minion.hart.config import Isa

SEEDS = int(os.environ.get("HART_SEEDS", "1"))
RECORDS = 200
LIMIT = 10_000_000
SHOWN = 3
"""Differing programs that a failure shows."""


class Batch(NamedTuple):
    records: list[Record]
    tables: bytes = b""
    """As many pages for each record."""


Kind = Callable[[Random, Isa], Batch]


def each(make: Callable[[Random, Isa, int], Record]) -> Callable[[Random, Isa], Batch]:
    return lambda rng, isa: Batch([make(rng, isa, index) for index in range(RECORDS)])


def valid(rng: Random, isa: Isa) -> Batch:
    generator = Generator(rng, isa)
    return Batch([generator.record(index) for index in range(RECORDS)])


def with_pages(make: Callable[[Random, Isa, int, int], tuple[Record, bytes]]) -> Kind:
    def batch(rng: Random, isa: Isa) -> Batch:
        pairs = [make(rng, isa, index, RECORDS) for index in range(RECORDS)]
        return Batch([record for record, _ in pairs], b"".join([pages for _, pages in pairs]))

    return batch


KINDS: dict[str, Kind] = {
    "valid": valid,
    "anything": each(noise),
    "csrs": each(csrs),
    "modes": each(modes),
    "pmp": each(pmp),
    "paging": with_pages(paging),
    "atomics": with_pages(atomics),
    "spaces": with_pages(spaces),
}
ISAS = {"rv64gc": Isa(), "rv32imac": Isa(32, "imacsu"), "rv32gc": Isa(32)}
CASES = [(name, kind) for name in ("rv64gc", "rv32imac") for kind in KINDS]
CASES += [("rv32gc", "valid"), ("rv32gc", "anything")]


@pytest.mark.needs("qemu-system-riscv64", "qemu-system-riscv32", "riscv64-linux-gnu-gcc")
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize(("name", "kind"), CASES)
def test_agrees_with_qemu(name: str, kind: str, seed: int) -> None:
    isa = ISAS[name]
    batch = KINDS[kind](Random(f"{name} {kind} {seed}"), isa)
    ram = image(isa, batch.records, batch.tables)
    size = ram_bytes(RECORDS, len(batch.tables))
    theirs = run_qemu(isa, ram, size)
    for engine in ENGINES:
        compare(isa, batch, run_here(engine, isa, ram, size, LIMIT), theirs, engine)


def compare(isa: Isa, batch: Batch, ours: memoryview, theirs: bytes, engine: str) -> None:
    report = []
    differing = 0
    for index, record in enumerate(batch.records):
        lines = difference(outcome(isa, ours, index), outcome(isa, theirs, index))
        if batch.tables:
            lines += tables(ours, theirs, index, len(batch.tables) // RECORDS)
        if lines:
            differing += 1
            if differing <= SHOWN:
                report += [f"{engine}, record {index}:", *lines]
                report += listing(isa, record, code_address(index, RECORDS))
    assert not differing, "\n".join([f"{differing} records differ", *report])


def tables(ours: memoryview, theirs: bytes, index: int, size: int) -> list[str]:
    start = extra_offset(RECORDS) + index * size
    lines = []
    for at in range(start, start + size, 8):
        a, b = ours[at : at + 8], theirs[at : at + 8]
        if a != b:
            place = f"page {(at - start) // PAGE}, {at % PAGE // 8}"
            lines.append(f"  table {place}: ours {a[::-1].hex()}, qemu {b[::-1].hex()}")
    return lines
