"""Noise as page tables, code and registers: the engines do the same with it, whatever that is.

Tables lead anywhere in a small RAM, now and then to a device; code is made of what depends on
translation.  Only the hart itself changes tables (A and D): what a store into one means before
the next fence is for each engine to say.  HART_SEEDS=100 in the environment makes a campaign of it.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from hart_assembler import table, word
from hart_machine import BASE, CLINT, ENGINES, FINISHER, Machine
from hart_protection import PAGE, SCHEMES, UU, A, D, R, V, W, X

from minion.hart.config import Isa
from minion.hart.csr import SATP
from minion.hart.fields import FS, MXR, SUM, Access, S, U
from minion.hart.trap import Trap

SEEDS = int(os.environ.get("HART_SEEDS", "1"))
IMAGES = 6
RUNS = (50, 137, 400, 50, 137)
ISAS = {"rv64gc": Isa(), "rv32imac": Isa(32, "imacsu")}
TABLES, PAGES = 16, 64
"""Pages of RAM that hold tables, and all of them."""
POINTERS = 5
"""Of the tables, those that lead to others."""
FLAGS = (V | R | W | X | A | D, V | R | W | X | A | D | UU, V | R | X | A, V | R | W | X,
         V | R | X | UU | A, V | R | W | UU | A | D, V | R | W | A | D, V)  # fmt: skip
PREFIXES = ("lr", "sc", "amo", "l", "s", "csr", "j", "b")
CSRS = (1, 2, 3, 0x100, 0x104, 0x105, 0x140, 0x141, 0x142, 0x143, 0x144, 0x300, 0x340, 0x341,
        0x3A0, 0x3B0, 0xC00)  # fmt: skip
PMP_ADDR0, PMP_CFG0, MEDELEG, STVEC, MTVEC = 0x3B0, 0x3A0, 0x302, 0x105, 0x305


def operand(rng: Random, isa: Isa, field: str) -> int:
    match field:
        case "rd" | "rs1" | "rs2" | "fd" | "fs1" | "fs2" | "fs3" | "uimm":
            return rng.randrange(32)
        case "rm":
            return 0
        case "csr":
            return rng.choice(CSRS)
        case "imm" | "simm":
            return rng.randrange(-2048, 2048) & -8
        case "shamt":
            return rng.randrange(isa.xlen)
        case "btarget":
            return rng.randrange(-64, 64) * 2
        case "jtarget":
            return rng.randrange(-2000, 2000) * 2
    return rng.getrandbits(20)


def code(rng: Random, isa: Isa) -> bytes:
    """A page of it; compressed instructions have others lie across its end."""
    known = table(isa)
    often = [name for name in known if name.startswith(PREFIXES)]
    out = bytearray()
    while len(out) < PAGE:
        encoding = known[rng.choice(often if rng.randrange(3) else list(known))]
        fields = [field for field in encoding.operands if field != "link"]
        given = [operand(rng, isa, field) for field in fields]
        out += word(encoding, *given).to_bytes(4, "little")
        if rng.randrange(20) == 0:
            out += (0x0001).to_bytes(2, "little")  # c.nop
    return bytes(out[:PAGE])


def entries(rng: Random, isa: Isa, pointers: bool) -> bytes:
    """A page table."""
    width = isa.xlen // 8
    out = bytearray()
    for _ in range(PAGE // width):
        flags = V if pointers else rng.choice((*FLAGS, rng.getrandbits(8)))
        leaf = flags & (R | W | X)
        page = (BASE >> 12) + (rng.randrange(TABLES, PAGES) if leaf else rng.randrange(TABLES))
        if leaf and rng.randrange(30) == 0:
            page = rng.choice((FINISHER, CLINT, CLINT + 0x4000, 0x1000)) >> 12
        out += (page << 10 | flags).to_bytes(width, "little")
    return bytes(out)


def memory(rng: Random, isa: Isa) -> bytes:
    tables = [entries(rng, isa, number < POINTERS) for number in range(TABLES)]
    return b"".join([*tables, *[code(rng, isa) for _ in range(PAGES - TABLES)]])


def start(rng: Random, machine: Machine) -> None:
    """Registers and CSRs of any kind, in S or U."""
    h = machine.hart
    isa = h.isa
    h.pmp.allow_all()
    if rng.randrange(4) == 0:
        region = BASE + rng.randrange(PAGES) * PAGE >> 2 | rng.choice((0, 1, 0x1FF, 0x3FF))
        h.csr.write(PMP_ADDR0 + 1, isa.mask >> 10 if isa.xlen == 64 else isa.mask)
        h.csr.write(PMP_ADDR0, region)
        h.csr.write(PMP_CFG0, 0x1F00 | rng.choice((0x18, 0x19, 0x1B, 0x1D, 0x1F)))
    mode = rng.choice(list(SCHEMES[isa.xlen]))
    root = (BASE >> 12) + rng.randrange(POINTERS)
    if rng.randrange(16) == 0:
        root = CLINT + 0x4000 >> 12
    h.csr.write(SATP, mode << (60 if isa.xlen == 64 else 31) | root)
    h.csr.write(MEDELEG, rng.getrandbits(16))
    h.csr.write(STVEC, rng.getrandbits(30) & ~3)
    h.csr.write(MTVEC, BASE + rng.randrange(TABLES, PAGES) * PAGE)
    h.mstatus |= rng.choice((0, FS if isa.has("f") else 0)) | rng.choice((0, SUM, MXR, SUM | MXR))
    h.priv = rng.choice((S, S, S, U))
    bits = 38 if isa.xlen == 64 else 32
    h.pc = fetchable(rng, machine, bits)
    for number in range(1, 32):
        physical = BASE + rng.randrange(TABLES * PAGE, PAGES * PAGE)
        h.x[number] = rng.choice((physical, rng.getrandbits(bits))) & isa.mask & -8


def fetchable(rng: Random, machine: Machine, bits: int) -> int:
    """An address that code may be fetched from, if one is found soon."""
    h = machine.hart
    h.context_changed()
    pc = 0
    for _ in range(50):
        pc = rng.getrandbits(bits) & ~1
        try:
            h.mmu.translate(pc, Access.FETCH, h.priv, 2)
        except Trap:
            continue
        break
    return pc


def ending(engine: str, isa: Isa, image: bytes, seed: int) -> tuple[object, ...]:
    machine = Machine(isa, len(image), image)
    start(Random(seed), machine)
    h = machine.hart
    run = ENGINES[engine](h)
    for limit in RUNS:
        run.run(limit)
    registers = (*h.x[:32], *h.f, h.fflags, h.frm, h.mstatus, h.priv)
    counts = (h.pc, h.instret, h.cycles, machine.status)
    return (*counts, registers, bytes(h.csr.value), bytes(machine.ram.view))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", ISAS)
def test_engines_agree(name: str, seed: int) -> None:
    rng = Random(f"{name} {seed}")
    for number in range(IMAGES):
        isa, image, registers = ISAS[name], memory(rng, ISAS[name]), rng.getrandbits(64)
        ends = {engine: ending(engine, isa, image, registers) for engine in ENGINES}
        for engine, end in ends.items():
            assert end == ends["interpreter"], f"{engine}, image {number}"
