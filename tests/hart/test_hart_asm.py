"""Self-checking programs, on every engine by HTIF, and on QEMU."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
from hart_machine import ENGINES, HERE, Machine, assembled, cpu

from minion.hart.config import Isa
from minion.hart.htif import Htif
from minion.hart.state import Stop

PROGRAMS = sorted(path.stem for path in (HERE / "asm").glob("*.S"))
ONLY_64 = ("rv_i_words", "paging", "rv_fd")
ISAS = {"rv64gc": Isa(), "rv32imac": Isa(32, "imacsu")}
CASES = [
    (program, name)
    for program in PROGRAMS
    for name in ISAS
    if name == "rv64gc" or program not in ONLY_64
]

pytestmark = pytest.mark.needs("riscv64-linux-gnu-gcc")


def built(program: str, isa: Isa) -> tuple[bytes, dict[str, int]]:
    letters = "".join(letter for letter in "imafdc" if isa.has(letter))
    march = f"rv{isa.xlen}{letters}_zicsr_zifencei"
    return assembled(f"asm/{program}.S", isa.xlen, march)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("program", "name"), CASES)
def test_here(program: str, name: str, engine: str) -> None:
    isa = ISAS[name]
    image, symbols = built(program, isa)
    machine = Machine(isa, 1 << 20, image)
    htif = Htif(machine.hart, symbols["tohost"], symbols["fromhost"], lambda _text: None)
    reason = ENGINES[engine](machine.hart).run(100_000)
    at = f"{reason.name} at {machine.hart.pc:#x}, check {machine.hart.x[3]}"
    assert reason is Stop.HALT, at
    assert htif.exit_code == 0, f"check {htif.exit_code}"


@pytest.mark.needs("qemu-system-riscv64", "qemu-system-riscv32")
@pytest.mark.parametrize(("program", "name"), CASES)
def test_on_qemu(program: str, name: str) -> None:
    isa = ISAS[name]
    image, _ = built(program, isa)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image")
        path.write_bytes(image)
        command = [f"qemu-system-riscv{isa.xlen}", "-M", "virt", "-m", "16M", "-cpu", cpu(isa)]
        command += ["-display", "none", "-serial", "none", "-monitor", "none", "-bios", str(path)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=5, check=False)
    assert done.returncode == 0, f"check {done.returncode}"
