"""The same program, here and on QEMU: the same output, byte by byte, and the same status."""

from __future__ import annotations

from pathlib import Path

import pytest
from rig import ENGINES, Rig
from toolchain import FIRMWARE, GCC, QEMU, build, qemu

pytestmark = [pytest.mark.needs(GCC, QEMU), pytest.mark.slow]

DISK = ("-global", "virtio-mmio.force-legacy=false", "-device", "virtio-blk-device,drive=d")


@pytest.mark.parametrize(("name", "flags", "isa"), [
    ("hello", (), "rv64imac"), ("hello", (), "rv64gc"), ("hello", ("-DSTATUS=7",), "rv64imac"),
    ("timer", (), "rv64imac"), ("tasks", (), "rv64imac"), ("again", (), "rv64imac"),
    ("thre", (), "rv64imac"),
    ("pico", (), "rv64imac"), ("pico", (), "rv64gc"),
])  # fmt: skip
def test_as_on_qemu(name: str, flags: tuple[str, ...], isa: str) -> None:
    image = build(name, *flags, isa=isa)
    theirs = qemu(image)
    assert theirs[0]
    for engine in ENGINES:
        assert Rig(image, isa=isa, engine=engine).run() == theirs, engine


@pytest.mark.needs("qemu-system-riscv32")
@pytest.mark.parametrize("name", ["hello", "timer", "again"])
def test_as_on_qemu_32_bits(name: str) -> None:
    image = build(name, isa="rv32imac")
    theirs = qemu(image, program="qemu-system-riscv32")
    assert theirs[0]
    for engine in ENGINES:
        assert Rig(image, isa="rv32imac", engine=engine).run() == theirs, engine


@pytest.mark.parametrize("engine", ENGINES)
def test_typed_bytes_by_interrupt(engine: str) -> None:
    image = build("echo")
    typed = b"hello, world; more than sixteen\rq"
    ours = Rig(image, engine=engine).run(typed)
    assert ours == (b"ready\r\nHELLO, WORLD; MORE THAN SIXTEEN\r\r\nbye\r\n", 0)
    assert ours == qemu(image, typed=typed)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("accepted", [0, 1])
def test_a_disk_by_interrupt(tmp_path: Path, accepted: int, engine: str) -> None:
    """Also by a driver that does not accept VIRTIO_F_VERSION_1, as xv6-riscv's."""
    disks = []
    for name in ("ours", "qemus"):
        disk = tmp_path / name
        disk.write_bytes(b"sector zero\0".ljust(2048, b"."))
        disks.append(disk)
    image = build("disk", f"-DACCEPTED={accepted}")
    ours = Rig(image, engine=engine, block=[(str(disks[0]), False)]).run()
    drive = f"file={disks[1]},if=none,id=d,format=raw"
    assert ours == qemu(image, *DISK, "-drive", drive)
    assert b"read 0 sector zero\r\n" in ours[0]
    assert b"interrupts" in ours[0]
    contents = disks[0].read_bytes()
    assert contents == disks[1].read_bytes()
    assert contents[512:1024] == contents[:512][::-1]


def test_the_virtio_console() -> None:
    image = build("hvc")
    console = ("-global", "virtio-mmio.force-legacy=false", "-chardev", "stdio,id=c", "-device",
               "virtio-serial-device", "-device", "virtconsole,chardev=c")  # fmt: skip
    theirs = qemu(image, *console, typed=b"minion\n", serial="none")
    rig = Rig(image)
    while rig.turn():
        pass
    assert bytes(rig.output) == b"name? "
    rig.machine.console.receive(b"minion\n")
    ours = rig.run()
    assert ours == (b"name? MINION\n", 0)
    assert ours == theirs


@pytest.mark.parametrize(("kind", "engine"), [
    ("fw_dynamic.bin", "interpreter"), ("fw_jump.elf", "translator"),
])  # fmt: skip
def test_firmware_hands_over(kind: str, engine: str) -> None:
    firmware = FIRMWARE / kind
    if not firmware.exists():
        pytest.skip("opensbi is not installed (make setup-programs)")
    image = build("payload", "-Wl,--defsym=BASE=0x80200000")
    output, status = Rig(image, bios=firmware, engine=engine).run()
    assert status == 0
    assert b"OpenSBI v" in output
    assert b"Platform Name             : riscv-virtio,minion\r\n" in output
    mark = b"payload: in S mode"
    theirs, their_status = qemu(image, bios=str(firmware))
    assert their_status == 0
    assert output[output.index(mark) :] == theirs[theirs.index(mark) :]
    for line in (b"Platform Timer Device", b"Platform Shutdown Device", b"Domain0 Next Address",
                 b"Firmware Size", b"Domain0 Next Mode"):  # fmt: skip
        assert one_line(output, line) == one_line(theirs, line)


def one_line(text: bytes, start: bytes) -> bytes:
    return text[text.index(start) :].partition(b"\r\n")[0]
