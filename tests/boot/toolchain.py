"""Bare programs, built with the cross-compiler and run on QEMU."""

from __future__ import annotations

import atexit
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

SOURCES = Path(__file__).resolve().parent / "programs"
FIRMWARE = Path("/usr/lib/riscv64-linux-gnu/opensbi/generic")
GCC = "riscv64-unknown-elf-gcc"
QEMU = "qemu-system-riscv64"
ABIS = {
    "rv64imac": ("rv64imac_zicsr_zifencei", "lp64"),
    "rv64gc": ("rv64imafdc_zicsr_zifencei", "lp64d"),
    "rv32imac": ("rv32imac_zicsr_zifencei", "ilp32"),
}
BARE = ("-ffreestanding", "-nostdlib", "-nostartfiles", "-Wl,--no-warn-rwx-segments")
PICOLIBC = (
    "--specs=picolibc.specs", "-Wl,--no-warn-rwx-segments", "-Wl,--defsym=__flash=0x80000000",
    "-Wl,--defsym=__flash_size=0x100000", "-Wl,--defsym=__ram=0x80100000",
    "-Wl,--defsym=__ram_size=0x100000",
)  # fmt: skip
TIMEOUT_S = 30


@cache
def folder() -> Path:
    made = Path(mkdtemp(prefix="minion-boot-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def build(name: str, *flags: str, isa: str = "rv64imac") -> Path:
    """tests/boot/programs/NAME.c with its startup, as an ELF file."""
    march, mabi = ABIS[isa]
    if name == "pico":  # the names that multilib knows
        march = march.removesuffix("_zicsr_zifencei")
    output = folder() / f"{name}-{isa}-{abs(hash(flags))}.elf"
    common = [GCC, "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-mcmodel=medany",
              f"-march={march}", f"-mabi={mabi}"]  # fmt: skip
    if name == "pico":
        command = [*common, *PICOLIBC, *flags, SOURCES / "pico.c"]
    else:
        sources = [SOURCES / "start.S", SOURCES / f"{name}.c"]
        command = [*common, *BARE, "-T", SOURCES / "virt.ld", *flags, *sources, "-lgcc"]
    subprocess.run([*command, "-o", output], check=True, timeout=TIMEOUT_S)
    return output


def qemu(
    image: Path,
    *args: str,
    bios: str = "none",
    typed: bytes = b"",
    program: str = QEMU,
    serial: str = "stdio",
) -> tuple[bytes, int]:
    """What it prints, and its exit status."""
    command = [program, "-M", "virt", "-m", "64", "-display", "none", "-serial", serial,
               "-bios", bios, "-kernel", str(image), *args]  # fmt: skip
    done = subprocess.run(command, input=typed, capture_output=True, timeout=TIMEOUT_S)
    return done.stdout, done.returncode
