"""F and D, decoded and executed, against QEMU: every instruction in every rounding mode."""

from __future__ import annotations

import signal
import subprocess
from array import array

import pytest
from float_model import DOUBLE, SINGLE
from float_operands import LONG, Patterns, corners, few, pairs
from float_streams import Block, ask, padded
from float_stubs import DYN, RESERVED, Stub, build

from minion.hart.config import Isa
from minion.hart.decode import Decoder
from minion.hart.encoding import encodings
from minion.hart.fields import FS, Cause
from minion.hart.softfloat.format import NX
from minion.hart.trap import Trap

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs("qemu-riscv64", "riscv64-linux-gnu-gcc", "riscv64-linux-gnu-objcopy"),
]
CASES = 20_000 if LONG else 300
"""Per instruction, mode and state of NX."""
BOX = 0xFFFF_FFFF << 32
MASK = (1 << 64) - 1
MEMORY = 0x1000
ROWS = {row.name: row for section in ("f", "f64", "d", "d64") for row in encodings(section)}
DECODER = Decoder(Isa(64, "imafdc"))


class Machine:
    """What F and D see of a hart."""

    def __init__(self, fcsr: int, a: int, b: int, c: int) -> None:
        self.x = [0] * 33
        self.x[10], self.x[11] = a, MEMORY
        self.f = [0] * 32
        self.f[11:14] = a, b, c
        self.fflags, self.frm = fcsr & 31, fcsr >> 5
        self.mstatus = 0
        self.memory = {MEMORY: a, MEMORY + 8: MASK}

    def load(self, addr: int, size: int) -> int:
        return self.memory[addr] % (1 << 8 * size)

    def store(self, addr: int, size: int, value: int) -> None:
        assert 0 <= value < 1 << 8 * size
        self.memory[addr] = self.memory[addr] >> 8 * size << 8 * size | value

    def result(self) -> tuple[int, int, int, int]:
        return self.f[10], self.x[10], self.frm << 5 | self.fflags, self.memory[MEMORY + 8]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], list[Stub]]:
    return build(tmp_path_factory.mktemp("float"))


def boxed(bits: int, number: int) -> int:
    """One single in nine is in no box, or in a torn one."""
    return BOX | bits if number % 9 else bits | (0, BOX ^ 1 << 32, BOX >> 1 & BOX)[number % 3]


def cases(stub: Stub, seed: int) -> list[tuple[int, int, int]]:
    fields = stub.encoding.operands
    single = stub.name.endswith(".s") or stub.name in ("fsw", "fmv.x.w")
    layout = SINGLE if single else DOUBLE
    patterns = Patterns(layout, seed)
    arity = sum(field in ("fs1", "fs2", "fs3") for field in fields)
    if arity == 0:
        edges = [1 << n for n in (0, 31, 32, 52, 53, 62, 63)]
        integers = [edge + i & MASK for edge in edges for i in (-1, 0, 1)]
        return padded([(n,) for n in integers] + [(patterns.integer(),) for _ in range(CASES)])
    if arity == 1:
        found = padded([(a,) for a in corners(layout)] + [(patterns.one(),) for _ in range(CASES)])
    elif arity == 2:
        some = corners(layout) if LONG else few(layout)[seed % 3 :: 3]
        found = padded(pairs(some) + [patterns.two() for _ in range(CASES)])
    else:
        found = list(patterns.stream(2 * CASES))
    if single:
        numbers = range(len(found))
        found = [
            (boxed(a, n), boxed(b, n + 1), boxed(c, n + 2))
            for n, (a, b, c) in zip(numbers, found, strict=True)
        ]
    return found


def blocks(number: int, stub: Stub) -> list[Block]:
    """The modes in fcsr (where the instruction names its own, another), with NX and without."""
    modes = range(5) if stub.mode == DYN else [((stub.mode or 0) + 1) % 5]
    return [
        Block(number, mode << 5 | flags, cases(stub, 2 * mode + flags))
        for mode in modes
        for flags in (0, NX)
    ]


def check(stub: Stub, block: Block, found: list[array[int]]) -> None:
    decoded = DECODER.decode(stub.word, 0)
    assert decoded.name == stub.name
    for case, wanted in zip(block.cases, found, strict=True):
        machine = Machine(block.mode, *case)
        decoded.function(machine, *decoded.operands)
        assert machine.result() == tuple(wanted), (
            f"{stub.text}, fcsr {block.mode:#x}, {[hex(x) for x in case]}: "
            f"{[hex(x) for x in machine.result()]}, QEMU {[hex(x) for x in wanted]}"
        )


@pytest.mark.parametrize("name", sorted(ROWS))
def test_as_qemu_does(program: tuple[list[str], list[Stub]], name: str) -> None:
    command, stubs = program
    sent = [
        block
        for number, stub in enumerate(stubs)
        if stub.name == name and stub.mode not in RESERVED
        for block in blocks(number, stub)
    ]
    for block, found in zip(sent, ask(command, sent, 4), strict=True):
        check(stubs[block.operation], block, found)


def execute(stub: Stub, fcsr: int, case: tuple[int, int, int]) -> Machine:
    decoded, machine = DECODER.decode(stub.word, 0), Machine(fcsr, *case)
    assert decoded.name == stub.name
    decoded.function(machine, *decoded.operands)
    return machine


@pytest.mark.parametrize("name", [row.name for row in ROWS.values() if "rm" in row.operands])
def test_reserved_modes_are_illegal(program: tuple[list[str], list[Stub]], name: str) -> None:
    """In the instruction and in frm, even where the result is exact and nothing is rounded."""
    command, stubs = program
    for number, stub in enumerate(stubs):
        if stub.name == name and stub.mode in (*RESERVED, DYN):
            for frm in (5, 6, 7) if stub.mode == DYN else (0,):
                check_illegal(stub, frm << 5, number, command if LONG or frm == 5 else None)


def check_illegal(stub: Stub, fcsr: int, number: int, command: list[str] | None) -> None:
    decoded, case = DECODER.decode(stub.word, 0), (BOX | 0x3F80_0000, BOX, BOX | 0x3F80_0000)
    for flags in (0, NX):
        machine = Machine(fcsr | flags, *case)
        before = machine.result()
        with pytest.raises(Trap) as trap:
            decoded.function(machine, *decoded.operands)
        assert trap.value.cause == Cause.ILLEGAL
        assert machine.result() == before
        assert not machine.mstatus
    if command is not None:
        header = array("Q", (number, fcsr, 1, *case)).tobytes()
        run = subprocess.run(command, input=header, capture_output=True, check=False)
        assert run.returncode == -signal.SIGILL, stub.text


def test_what_makes_fs_dirty(program: tuple[list[str], list[Stub]]) -> None:
    """Writing an f register, frm or fflags.  An integer result with no flag may: it does here."""
    for stub in program[1]:
        if stub.mode in (None, 0):
            reads = stub.name.startswith(("fs", "fmv.x", "fclass")) and "fd" not in (
                stub.encoding.operands
            )
            machine = execute(stub, 0, (0, 0, 0))
            assert machine.mstatus == (0 if reads else FS), stub.name
