"""Programs that need what is outside of the machine: the host's console and its network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rig import Rig
from toolchain import FIRMWARE, GCC, QEMU, TIMEOUT_S, build, qemu

MINION = [sys.executable, "-m", "minion.cli.main", "boot"]
U_BOOT = Path("/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin")


@pytest.mark.needs(GCC)
@pytest.mark.parametrize(("code", "status"), [(0, 0), (7, 7), (1337, 57), (512, 1)])
@pytest.mark.parametrize("isa", ["rv64imac", "rv32imac"])
def test_htif(code: int, status: int, isa: str) -> None:
    image = build("htif", f"-DCODE={code}", isa=isa)
    expected = b"one by one\nwritten by a system call\n"
    assert Rig(image, isa=isa).run() == (expected, status)


@pytest.mark.needs(GCC)
@pytest.mark.slow
def test_the_commit_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    image = build("hello")
    done = subprocess.run([*MINION, "--netdev", "none", "--trace", log, image],
                          capture_output=True, timeout=TIMEOUT_S)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    lines = log.read_text().splitlines()
    assert lines[0] == "core   0: 3 0x0000000000001000 (0x00000297) x5  0x0000000000001000"
    assert sum("mem 0x0000000010000000 0x" in line for line in lines) == len(done.stdout)


@pytest.mark.needs(GCC, QEMU)
@pytest.mark.slow
def test_the_network() -> None:
    image = build("net")
    done = subprocess.run([*MINION, image], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=TIMEOUT_S)  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == (
        b"answer from 10.0.2.2\r\nto us\r\n", b"", 0,
    )  # fmt: skip
    device = ("-global", "virtio-mmio.force-legacy=false", "-netdev", "user,id=n", "-device",
              "virtio-net-device,netdev=n")  # fmt: skip
    assert (done.stdout, 0) == qemu(image, *device)


@pytest.mark.slow
def test_u_boot(tmp_path: Path) -> None:
    """Debian's U-Boot under Debian's OpenSBI: DHCP, ping, a disk, power off."""
    firmware = FIRMWARE / "fw_dynamic.elf"
    for path in (U_BOOT, firmware):
        if not path.exists():
            pytest.skip(f"{path} is not there: apt-get install u-boot-qemu opensbi")
    disk = tmp_path / "disk"
    disk.write_bytes(b"first sector".ljust(4096, b"."))
    command = [*MINION, "--bios", firmware, "--disk", f"{disk},ro", U_BOOT]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    output = b""

    def expect(text: bytes) -> None:
        nonlocal output
        assert process.stdout is not None
        while text not in output:
            piece = os.read(process.stdout.fileno(), 4096)
            assert piece, output
            output += piece
        output = output[output.index(text) + len(text) :]

    def say(text: bytes, *answers: bytes) -> None:
        assert process.stdin is not None
        process.stdin.write(text + b"\r")
        process.stdin.flush()
        for answer in answers:
            expect(answer)

    expect(b"OpenSBI v")
    expect(b"Model: riscv-virtio,minion")
    expect(b"stop autoboot")
    say(b"", b"=> ")
    say(b"setenv autoload no; dhcp", b"bound to address 10.0.2.15", b"=> ")
    say(b"ping 10.0.2.2", b"host 10.0.2.2 is alive", b"=> ")
    say(b"virtio scan; virtio info", b"VirtIO Block Device", b"=> ")
    say(b"virtio read 82000000 0 1; md.b 82000000 c", b"66 69 72 73 74 20 73 65", b"=> ")
    say(b"poweroff")
    assert process.wait(TIMEOUT_S) == 0
    process.stdin.close()
    process.stdout.close()
