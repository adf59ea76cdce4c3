"""The same image on our engines and on QEMU: RAM before, RAM after."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Final, Protocol

from minion.bus import Bus
from minion.devices import clint
from minion.devices.finisher import LENGTH, Finisher
from minion.devices.lines import Lines
from minion.hart.config import Isa
from minion.hart.interpreter import Interpreter
from minion.hart.native.engine import Native
from minion.hart.state import Hart, Stop
from minion.hart.translate.config import Config
from minion.hart.translate.translator import Translator
from minion.ram import Ram

BASE: Final = 0x8000_0000
FINISHER: Final = 0x10_0000
CLINT: Final = 0x200_0000
HERE: Final = Path(__file__).parent


class Engine(Protocol):
    def run(self, limit: int) -> Stop: ...


ENGINES: Final[dict[str, Callable[[Hart], Engine]]] = {
    "interpreter": Interpreter,
    "translator": partial(Translator, config=Config(hot=1, warm=1)),
    "native": Native,
}
"""Every engine that has to agree with QEMU; the translator translates all it meets."""


class Machine:
    """RAM, a finisher, a timer that stands still, a hart."""

    def __init__(self, isa: Isa, ram_bytes: int = 1 << 20, image: bytes = b"") -> None:
        self.ram = Ram(ram_bytes, BASE)
        self.ram.view[: len(image)] = image
        self.bus = Bus(self.ram)
        self.lines = Lines()
        self.hart = Hart(self.bus, self.ram, self.lines, isa)
        self.status: int | None = None
        self.bus.attach(FINISHER, LENGTH, Finisher(self._finish, lambda: None))
        self.bus.attach(CLINT, clint.LENGTH, clint.Clint(lambda: 0, self.lines))

    def _finish(self, status: int) -> None:
        self.status = status
        self.hart.stop(Stop.HALT)


def run_here(engine: str, isa: Isa, image: bytes, ram_bytes: int, limit: int) -> memoryview:
    """RAM once the image has written to the finisher."""
    machine = Machine(isa, ram_bytes, image)
    reason = ENGINES[engine](machine.hart).run(limit)
    h = machine.hart
    assert reason is Stop.HALT, f"{reason.name} at {h.pc:#x} after {h.instret} instructions"
    assert machine.status == 0
    return machine.ram.view


def cpu(isa: Isa) -> str:
    """QEMU's processor with the extensions that the isa has, and no more."""
    off = ["h", "sstc", "zba", "zbb", "zbc", "zbs", "Zihintpause"]
    off += [letter for letter in "afdms" if not isa.has(letter)]
    same = "marchid=0,mimpid=0,pmu-num=29,"
    return f"rv{isa.xlen},{same}" + ",".join(f"{name}=false" for name in off)


def run_qemu(isa: Isa, image: bytes, ram_bytes: int, timeout_s: float = 20) -> bytes:
    """The same on QEMU: its RAM is a file."""
    with tempfile.TemporaryDirectory() as folder:
        ram = Path(folder, "ram")
        ram.write_bytes(image)
        with ram.open("r+b") as file:
            file.truncate(ram_bytes)
        command = [f"qemu-system-riscv{isa.xlen}", "-M", "virt,memory-backend=ram"]
        command += [
            "-object",
            f"memory-backend-file,id=ram,size={ram_bytes},mem-path={ram},share=on",
        ]
        command += ["-m", f"{ram_bytes >> 20}M", "-cpu", cpu(isa), "-bios", "none"]
        command += ["-display", "none", "-serial", "none", "-monitor", "none"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=timeout_s, check=False)
        assert done.returncode == 0
        return ram.read_bytes()


@cache
def assembled(name: str, xlen: int, march: str, *flags: str) -> tuple[bytes, dict[str, int]]:
    """A file of this folder as a flat image for BASE, and its symbols."""
    abi = {"64": "lp64", "32": "ilp32"}[str(xlen)]
    with tempfile.TemporaryDirectory() as folder:
        elf, flat = Path(folder, "elf"), Path(folder, "flat")
        command = ["riscv64-linux-gnu-gcc", "-nostdlib", "-static", "-no-pie"]
        command += [f"-march={march}", f"-mabi={abi}", f"-Wl,-Ttext={BASE:#x},--build-id=none"]
        subprocess.run([*command, *flags, "-o", elf, HERE / name], check=True)
        subprocess.run(["riscv64-linux-gnu-objcopy", "-O", "binary", elf, flat], check=True)
        nm = ["riscv64-linux-gnu-nm", str(elf)]
        listing = subprocess.run(nm, check=True, capture_output=True, text=True).stdout
        symbols = {line.split()[2]: int(line.split()[0], 16) for line in listing.splitlines()}
        return flat.read_bytes(), symbols
