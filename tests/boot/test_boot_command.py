"""`minion boot` as a user meets it: errors, statuses, pipes, a terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from debugging import image
from elves import BASE, Elf, Load

from minion.cli.boot_options import ISAS
from minion.cli.main import main
from minion.elf import structs
from minion.hart.config import Isa

MINION = [sys.executable, "-m", "minion.cli.main", "boot", "--netdev", "none"]
TIMEOUT_S = 30
ECHO = {  # writes >; then polls the UART and writes what comes, until it is q
    0x00: 0x10000537,  # lui a0, 0x10000
    0x04: 0x03E00593,  # li a1, '>'
    0x08: 0x00B50023,  # sb a1, 0(a0)
    0x0C: 0x00554583,  # lbu a1, 5(a0)       WAIT
    0x10: 0x0015F593,  # andi a1, a1, 1
    0x14: 0xFE058CE3,  # beqz a1, WAIT
    0x18: 0x00054583,  # lbu a1, 0(a0)
    0x1C: 0x00B50023,  # sb a1, 0(a0)
    0x20: 0x07100613,  # li a2, 'q'
    0x24: 0xFEC594E3,  # bne a1, a2, WAIT
    0x28: 0x00100737,  # lui a4, 0x100
    0x2C: 0x000057B7,  # lui a5, 5
    0x30: 0x55578793,  # addi a5, a5, 0x555
    0x34: 0x00F72023,  # sw a5, 0(a4)
    0x38: 0x0000006F,  # j .
}
WRITER = {  # writes U for ever
    0x00: 0x10000537, 0x04: 0x05500593, 0x08: 0x00B50023, 0x0C: 0xFFDFF06F,
}  # fmt: skip
BUSY = {0x0C: 0x0000006F}
"""... or once, and then: j ."""
ASLEEP = {0x0C: 0x10500073, 0x10: 0xFFDFF06F}
"""... or once, and then: wfi; j back"""


def program(tmp_path: Path, code: dict[int, int]) -> str:
    path = tmp_path / "program.elf"
    path.write_bytes(image(code))
    return str(path)


def boot(*args: str, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*MINION, *args], input=typed, capture_output=True, timeout=TIMEOUT_S)


FILES = {
    "empty": b"", "half": structs.MAGIC, "x86": Elf(machine=62).bytes(),
    "object": Elf(type=1).bytes(), "linux": Elf(loads=[Load(0x10000)], entry=0x10000).bytes(),
    "good": image(), "narrow": Elf(32).bytes(), "large": Elf(loads=[Load(memsz=1 << 40)]).bytes(),
    "dynamic": Elf(loads=[Load(), Load(type=structs.PT_INTERP)]).bytes(),
    "firmware": Elf(loads=[Load(BASE)]).bytes(), "double": Elf(flags=4).bytes(),
    "tight": Elf(loads=[Load(memsz=(64 << 20) - 8)]).bytes(),
}  # fmt: skip


@pytest.mark.parametrize(("argv", "words"), [
    (["nowhere"], "nowhere: No such file or directory"), (["."], ".: Is a directory"),
    (["/dev/zero"], "/dev/zero: too large for an image"), (["empty"], "empty: empty"),
    (["half"], "half: not an ELF file"), (["x86"], "x86: built for x86-64, not for RISC-V"),
    (["object"], "object: not an executable but an object file: link it first"),
    (["dynamic"], "dynamic: dynamically linked: link it with -static"),
    (["linux"], "linux: 16 bytes for 0x10000 do not fit: RAM is 64 MiB at 0x80000000; "
                "for Linux? see minion app"),
    (["large"], "large: 1099511627776 bytes for 0x80000000 do not fit: RAM is 64 MiB at "
                "0x80000000 (see --ram)"),
    (["tight"], "tight: no room for the device tree: RAM is 64 MiB (see --ram)"),
    (["narrow"], "narrow: a 32-bit program, for a 64-bit hart (see --isa)"),
    (["good", "--isa", "rv32imac"], "good: a 64-bit program, for a 32-bit hart (see --isa)"),
    (["double", "--isa", "rv64imac"],
     "double: built for double-precision floating point, which the hart lacks"),
    (["good", "--bios", "firmware"], "firmware, good: programs overlap at 0x80000000"),
    (["good", "--bios", "nowhere"], "nowhere: No such file or directory"),
    (["good", "--ram", "1"], "--ram 1: from 2 to 2048 MiB"),
    (["good", "--limit", "0"], "--limit 0: at least one instruction"),
    (["good", "--gdb", "99999"], "--gdb 99999: a port from 1 to 65535"),
    (["good", "--disk", "nowhere"], "nowhere: No such file or directory"),
    (["good", "--disk", "nowhere,ro"], "nowhere: No such file or directory"),
    (["good", *["--disk", "good"] * 6], "--disk: at most 5"),
    (["good", "-p", "80:80"], "-p works with --netdev user"),
    (["good", "-p", "80", "--netdev", "user"], "-p 80: use HOSTPORT:PORT"),
    (["good", "--netdev", "wifi"],
     "--netdev wifi: unknown; use user or tap:NAME[,HOST/LEN]"),
    (["good", "--profile", "--engine", "translator"], "--profile works with --engine interpreter"),
    (["--dump-dtb", "nowhere/tree"], "nowhere/tree: No such file or directory"),
    ([], "boot: which image? e.g. minion boot program.elf"),
])  # fmt: skip
def test_bad_input(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    argv: list[str],
    words: str,
) -> None:
    for name, data in FILES.items():
        (tmp_path / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    netdev = [] if "--netdev" in argv else ["--netdev", "none"]
    assert main(["boot", *netdev, *argv]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"minion: {words}")
    assert err.count("\n") == 1


def test_isas() -> None:
    assert ISAS["rv64gc"] == Isa(64, "imafdcsu")
    assert ISAS["rv32imac"].xlen == 32


def test_pipes(tmp_path: Path) -> None:
    typed = bytes(range(1, 100)) + b"some more\n" * 20 + b"q"
    result = boot(program(tmp_path, ECHO), typed=typed)
    assert (result.stdout, result.stderr, result.returncode) == (b">" + typed, b"", 0)


def test_a_file_and_nothing_as_input(tmp_path: Path) -> None:
    path = tmp_path / "typed"
    path.write_bytes(b"from a file\nq")
    command = [*MINION, program(tmp_path, ECHO)]
    with path.open("rb") as file:
        done = subprocess.run(command, stdin=file, capture_output=True, timeout=TIMEOUT_S)
    assert (done.stdout, done.returncode) == (b">from a file\nq", 0)
    command = [*MINION, "--limit", "100000", program(tmp_path, ECHO)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=TIMEOUT_S)  # fmt: skip
    assert (done.stdout, done.returncode) == (b">", 124)
    assert done.stderr == b"minion: the limit of 100000 instructions is reached\n"


def test_a_jump_into_nowhere(tmp_path: Path) -> None:
    """Nobody has a handler: where it came from is told before it is lost."""
    result = boot(program(tmp_path, {0x00: 0x40000537, 0x04: 0x000500E7}))
    assert result.returncode == 70
    assert result.stderr == (
        b"minion: a trap, and no handler (mtvec is 0): instruction access fault at 0x40000000, "
        b"mtval 0x40000000, ra 0x80000008\n"
    )


def test_a_handler_that_traps(tmp_path: Path) -> None:
    code = {0x00: 0x40000537, 0x04: 0x30551073, 0x08: 0x00000073}  # csrw mtvec, a0; ecall
    result = boot(program(tmp_path, code))
    assert result.returncode == 70
    assert result.stderr == (
        b"minion: stuck: the trap handler at 0x40000000 traps itself "
        b"(mcause 1, mepc 0x40000000, mtval 0x40000000)\n"
    )


def test_a_first_trap_that_is_handled(tmp_path: Path) -> None:
    code = {
        0x00: 0x00000517, 0x04: 0x02050513, 0x08: 0x30551073,  # la a0, 0x20; csrw mtvec, a0
        0x0C: 0x00000073, 0x20: 0x00100737, 0x24: 0x000057B7,  # ecall; there: pass
        0x28: 0x55578793, 0x2C: 0x00F72023, 0x30: 0x0000006F,
    }  # fmt: skip
    result = boot(program(tmp_path, code))
    assert (result.returncode, result.stderr) == (0, b"")


def test_headers_in_front_of_what_ttext_places(tmp_path: Path) -> None:
    """Below RAM, as ld makes them; with the entry there, too, it is something else."""
    code = image(WRITER)
    size = code.index((0x10000537).to_bytes(4, "little"))
    data = bytearray(code[:size] + code[size : size + 16])
    fields = (0, BASE - size, BASE - size, len(data), len(data))
    struct.pack_into("<5Q", data, 64 + 8, *fields)
    struct.pack_into("<H", data, 56, 1)
    path = tmp_path / "program.elf"
    path.write_bytes(data)
    result = boot("--limit", "100", str(path))
    assert (result.returncode, result.stdout[:3]) == (124, b"UUU"), result.stderr
    more = bytearray(data[:64] + data[64:120] * 2 + data[120:])
    struct.pack_into("<3Q", more, 120 + 16, BASE + 64, 0x1000, 0)
    struct.pack_into("<H", more, 56, 2)
    path.write_bytes(more)
    assert b"bytes for 0x1000 do not fit" in boot(str(path)).stderr, "it holds no headers"
    struct.pack_into("<Q", data, 24, BASE - 16)
    path.write_bytes(data)
    assert b"for Linux? see minion app" in boot(str(path)).stderr


@pytest.mark.needs("riscv64-linux-gnu-gcc")
def test_the_example_in_the_docs(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "boot.md").read_text()
    (tmp_path / "hello.c").write_text(page.partition("```c\n")[2].partition("```")[0])
    command = next(line for line in page.splitlines() if "-Ttext=0x80000000 -o" in line)
    subprocess.run(command.split(), cwd=tmp_path, check=True, timeout=TIMEOUT_S)
    result = boot(str(tmp_path / "hello.elf"))
    assert (result.stdout, result.stderr, result.returncode) == (b"hello, board\n", b"", 0)


@pytest.mark.parametrize("options", [[], ["--trace", "/dev/full"]])
def test_a_full_disk(tmp_path: Path, options: list[str]) -> None:
    command = [*MINION, *options, program(tmp_path, WRITER)]
    with open("/dev/full", "wb") as full, open(os.devnull, "wb") as null:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=null if options else full,
                              stderr=subprocess.PIPE, timeout=TIMEOUT_S)  # fmt: skip
    name = " ".join(options) or "standard output"
    assert done.stderr == f"minion: {name}: No space left on device\n".encode()
    assert done.returncode == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_closed_streams(tmp_path: Path, closed: str) -> None:
    ends = {0x0C: 0x00100737, 0x10: 0x000057B7, 0x14: 0x55578793, 0x18: 0x00F72023, 0x1C: 0x6F}
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *MINION, program(tmp_path, WRITER | ends)]
    done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (b"" if ">&-" in closed else b"U")


@pytest.mark.parametrize("rest", [BUSY, ASLEEP])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(tmp_path: Path, rest: dict[int, int], number: int) -> None:
    path = program(tmp_path, WRITER | rest)
    process = subprocess.Popen([*MINION, path], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.read(1) == b"U"
    process.send_signal(number)
    _, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, err) == (128 + number, b"")


def test_a_reader_that_has_enough(tmp_path: Path) -> None:
    process = subprocess.Popen([*MINION, program(tmp_path, WRITER)], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.read(1) == b"U"
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(TIMEOUT_S) == 128 + signal.SIGPIPE


def test_the_tree_without_a_machine(tmp_path: Path) -> None:
    trees = []
    for name in ("a", "b"):
        assert boot("--dump-dtb", str(tmp_path / name), "--append", "x").returncode == 0
        trees.append((tmp_path / name).read_bytes())
    assert trees[0] == trees[1]
    assert trees[0][:4] == b"\xd0\x0d\xfe\xed"


# -- a terminal


def read_until(fd: int, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        assert select.select([fd], [], [], TIMEOUT_S)[0], got
        got += os.read(fd, 4096)
    return got


class Session(NamedTuple):
    """A machine on a terminal."""

    process: subprocess.Popen[bytes]
    ours: int
    theirs: int
    before: list[object]
    """The terminal's mode."""


@contextmanager
def on_a_terminal(image: Path) -> Iterator[Session]:
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen([*MINION, image], stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        yield Session(process, ours, theirs, before)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_a_terminal(tmp_path: Path) -> None:
    """Raw: every key arrives, also Ctrl-C; Ctrl-A x ends; the mode is what it was."""
    with on_a_terminal(program(tmp_path, ECHO)) as (process, ours, theirs, before):
        assert read_until(ours, b">") == b">"
        os.write(ours, b"a\x03\r\x01\x01")
        assert read_until(ours, b"\x01") == b"a\x03\r\x01"
        assert not termios.tcgetattr(theirs)[3] & (termios.ECHO | termios.ICANON | termios.ISIG)
        os.write(ours, b"\x01h")
        assert b"Ctrl-A x" in read_until(ours, b"send Ctrl-A\r\n")
        os.write(ours, b"\x01x")
        assert read_until(ours, b"\n") == b"minion: terminated\r\n"
        assert process.wait(TIMEOUT_S) == 0
        assert termios.tcgetattr(theirs) == before


def test_what_we_say_does_not_follow_what_the_program_says(tmp_path: Path) -> None:
    with on_a_terminal(program(tmp_path, ECHO)) as (process, ours, *_):
        assert read_until(ours, b">") == b">"
        os.write(ours, b"\x01x")
        assert read_until(ours, b"terminated\r\n") == b"\r\nminion: terminated\r\n"
        assert process.wait(TIMEOUT_S) == 0


def test_a_terminal_before_a_program_that_does_not_listen(tmp_path: Path) -> None:
    with on_a_terminal(program(tmp_path, WRITER | BUSY)) as (process, ours, *_):
        assert read_until(ours, b"U") == b"U"
        os.write(ours, b"\x01x")
        assert process.wait(TIMEOUT_S) == 0
