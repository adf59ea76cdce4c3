"""The socket, and GDB itself."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from debugging import BASE, LOOP, Session
from toolchain import GCC, QEMU, TIMEOUT_S, build
from world import free_port

from minion.gdb import server as gdb_server
from minion.gdb.packets import frame
from minion.gdb.server import Server

GDB = "gdb-multiarch"


class Loop:
    """The reactor, turn by turn."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._handlers: dict[int, object] = {}
        self.modify = self._poll.modify

    def register(self, fd: int, events: int, handler: object) -> None:
        self._poll.register(fd, events)
        self._handlers[fd] = handler

    def unregister(self, fd: int) -> None:
        self._poll.unregister(fd)
        del self._handlers[fd]

    def turn(self, timeout_s: float = TIMEOUT_S) -> None:
        for fd, mask in self._poll.poll(timeout_s):
            handler = self._handlers.get(fd)
            if callable(handler):
                handler(mask)


class Line(Session):
    """A session with sockets."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop()
        self.server = Server(self.loop, self.target, self.target.disconnected, 0)
        self.machine.debugger = self.server
        self.sock = self.connect()

    def connect(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.server.port), timeout=TIMEOUT_S)
        self.loop.turn()
        return sock

    def tell(self, data: bytes, reply: bytes) -> None:
        """Say it, and hear this."""
        assert self.say(data, len(reply)) == reply

    def say(self, data: bytes, length: int = 0) -> bytes:
        """What comes back: `length` bytes; 0 for what a run of the machine brings at most."""
        self.sock.sendall(data)
        self.loop.turn()
        for _ in range(4):
            self.rig.turn()
        self.sock.setblocking(False)
        got = b""
        while True:
            readable, _, _ = select.select(
                [self.sock], [], [], TIMEOUT_S if len(got) < length else 0
            )
            if not readable:
                return got
            piece = self.sock.recv(1 << 16)
            if not piece:
                return got
            got += piece

    def close(self) -> None:
        self.sock.close()
        self.server.close(0)


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.close()


def test_acknowledgements(line: Line) -> None:
    line.tell(b"+$qC#b4", b"+" + frame(b"QC1"))
    line.tell(b"-", frame(b"QC1"))  # once more
    line.tell(b"$qC#00", b"-")
    line.tell(frame(b"QStartNoAckMode"), b"+$OK#9a")
    line.tell(b"+$qC#b4", frame(b"QC1"))
    line.tell(b"$qC#00", b"")


def test_a_stop_is_told(line: Line) -> None:
    line.tell(frame(b"QStartNoAckMode"), b"+$OK#9a")
    line.tell(frame(b"Z0,%x,4" % LOOP), b"$OK#9a")
    line.tell(frame(b"c"), frame(b"T05thread:1;swbreak:;"))
    line.tell(frame(b"z0,%x,4" % LOOP), b"$OK#9a")
    line.hart.x[12] = 1 << 40
    line.tell(frame(b"c"), b"")
    line.tell(b"\x03", frame(b"T02thread:1;"))
    line.tell(b"\x03", b"")  # it stands already


def test_the_end_is_told(line: Line) -> None:
    line.tell(frame(b"QStartNoAckMode"), b"+$OK#9a")
    line.tell(frame(b"c"), b"")
    assert line.machine.status == 0
    line.server.close(line.machine.status)
    assert line.sock.recv(99) == frame(b"W00")
    assert line.sock.recv(99) == b""
    line.server = Server(line.loop, line.target, line.target.disconnected, 0)


def test_one_client_at_a_time(line: Line) -> None:
    second = line.connect()
    assert second.recv(1) == b""
    second.close()
    line.tell(frame(b"Z0,%x,4" % LOOP), b"+$OK#9a")
    line.sock.close()
    line.loop.turn()
    assert line.machine.paused
    assert not line.hart.breakpoints, "nobody is left to hear of them"
    line.sock = line.connect()
    line.tell(frame(b"?"), b"+" + frame(b"T05thread:1;"))


def test_good_bye(line: Line) -> None:
    line.tell(frame(b"Z0,%x,4" % LOOP), b"+$OK#9a")
    line.tell(frame(b"D"), b"+$OK#9a")
    assert line.sock.recv(1) == b""
    assert line.machine.status == 0, "it ran on"


def test_a_client_that_does_not_read(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdb_server, "QUEUE_MAX", 1 << 16)
    line.sock.setblocking(False)
    packet = frame(b"m%x,1ff0" % BASE) * 50
    for _ in range(2000):
        try:
            line.sock.send(packet)
        except BlockingIOError:
            pass
        except OSError:
            break
        line.loop.turn(0)
    else:
        raise AssertionError("the client was kept")
    line.sock.close()
    line.sock = line.connect()
    line.tell(frame(b"?"), b"+" + frame(b"T05thread:1;"))


# -- GDB


def minion(port: int, image: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "minion.cli.main", "boot", "--netdev", "none", "--gdb",
               str(port), str(image)]  # fmt: skip
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)  # fmt: skip
    assert process.stderr is not None
    assert f"127.0.0.1:{port}" in process.stderr.readline()
    return process


def gdb(port: int, image: Path, *commands: str) -> str:
    script = ["set confirm off", "set pagination off", f"target remote 127.0.0.1:{port}", *commands]
    arguments = [argument for line in script for argument in ("-ex", line)]
    done = subprocess.run([GDB, "-batch", "-nx", *arguments, image], capture_output=True,
                          text=True, timeout=TIMEOUT_S)  # fmt: skip
    return done.stdout


@pytest.mark.slow
@pytest.mark.needs(GDB, GCC)
def test_gdb() -> None:
    image = build("debug", "-O1")
    port = free_port()
    process = minion(port, image)
    output = gdb(
        port, image, "break sum", "continue", "print table", "watch counter", "rwatch table[2]",
        "continue", "continue", "continue", "backtrace", "delete", "info threads",
        'set var text = "after"', "tbreak add", "continue", "finish", "print/x $mcause",
        "print $priv", "print $ft0", "x/2i $pc", "continue",
    )  # fmt: skip
    out, _ = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    assert out == "total 10 counter 10 after\n"
    expected = [
        r"Breakpoint 1, sum \(n=n@entry=4\)", r"\$1 = \{1, 2, 3, 4\}",
        r"Hardware watchpoint 2: counter\n\nOld value = 0\nNew value = 1",
        r"Old value = 1\nNew value = 3", r"Hardware read watchpoint 3: table\[2\]\n\nValue = 3",
        r"#0 .*sum", r"#1 .*main", r"Thread 1", r"Temporary breakpoint \d, add \(a=3, b=3\)",
        r"Value returned is \$\d = 6", r"\$\d = 0x0", r"\$\d = 3", r"float = 0",
        r"exited normally",
    ]  # fmt: skip
    at = 0
    for pattern in expected:
        found = re.search(pattern, output[at:])
        assert found, f"{pattern}\nin\n{output[at:]}"
        at += found.end()


@pytest.mark.slow
@pytest.mark.needs(GDB, GCC, QEMU)
def test_steps_are_qemus() -> None:
    """200 steps from reset: the same registers as on QEMU."""
    image = build("debug", "-O1")
    commands = []
    for _ in range(8):
        commands += ["stepi 25", "info registers"]
    port = free_port()
    process = minion(port, image)
    ours = gdb(port, image, *commands, "kill")
    process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0
    port = free_port()
    theirs_process = subprocess.Popen(
        [QEMU, "-M", "virt", "-m", "64", "-display", "none", "-bios", "none", "-kernel", image,
         "-S", "-gdb", f"tcp:127.0.0.1:{port}"]
    )  # fmt: skip
    try:
        wait = socket.socket()
        while wait.connect_ex(("127.0.0.1", port)):
            assert theirs_process.poll() is None
        wait.close()
        theirs = gdb(port, image, *commands, "kill")
    finally:
        theirs_process.kill()
        theirs_process.wait()
    registers = [line for line in ours.splitlines() if re.match(r"(zero|[a-z]+\d*) +0x", line)]
    assert len(registers) > 8 * 31
    assert registers == [
        line for line in theirs.splitlines() if re.match(r"(zero|[a-z]+\d*) +0x", line)
    ]


def test_the_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            [sys.executable, "-m", "minion.cli.main", "boot", "--netdev", "none", "--gdb",
             str(port), __file__],
            capture_output=True, text=True, timeout=TIMEOUT_S,
        )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr == f"minion: --gdb {port}: Address already in use\n"
