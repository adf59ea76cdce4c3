"""Random programs, here and on QEMU: registers, memory and every trap must agree.

HART_SEEDS=100 in the environment makes a campaign of it: that many images of each kind.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

import pytest
from hart_generator import Generator, noise
from hart_machine import ENGINES, run_here, run_qemu
from hart_records import Record, code_address, difference, image, listing, outcome, ram_bytes

from minion.hart.config import Isa

SEEDS = int(os.environ.get("HART_SEEDS", "2"))
RECORDS = 200
LIMIT = 10_000_000
SHOWN = 3
"""Differing programs that a failure shows."""

Kind = Callable[[Random, Isa], list[Record]]


def valid(rng: Random, isa: Isa) -> list[Record]:
    generator = Generator(rng, isa)
    return [generator.record(index) for index in range(RECORDS)]


def anything(rng: Random, isa: Isa) -> list[Record]:
    return [noise(rng, isa, index) for index in range(RECORDS)]


KINDS: dict[str, Kind] = {"valid": valid, "anything": anything}
ISAS = {"rv64gc": Isa(), "rv64imac": Isa(64, "imacsu"), "rv32imac": Isa(32, "imacsu")}


@pytest.mark.needs("qemu-system-riscv64", "qemu-system-riscv32", "riscv64-linux-gnu-gcc")
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ISAS)
def test_agrees_with_qemu(name: str, kind: str, seed: int) -> None:
    isa = ISAS[name]
    records = KINDS[kind](Random(f"{name} {kind} {seed}"), isa)
    ram = image(isa, records)
    size = ram_bytes(len(records))
    theirs = run_qemu(isa, ram, size)
    for engine in ENGINES:
        compare(isa, records, run_here(engine, isa, ram, size, LIMIT), theirs, engine)


def compare(isa: Isa, records: list[Record], ours: memoryview, theirs: bytes, engine: str) -> None:
    report = []
    differing = 0
    for index, record in enumerate(records):
        lines = difference(outcome(isa, ours, index), outcome(isa, theirs, index))
        if lines:
            differing += 1
            if differing <= SHOWN:
                report += [f"{engine}, record {index}:", *lines]
                report += listing(isa, record, code_address(index, len(records)))
    assert not differing, "\n".join([f"{differing} records differ", *report])
