"""Apps and clients that do what they should not: a minion and everybody else on it go on."""

from __future__ import annotations

import array
import json
import os
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Build
from world import MINION, World, eventually, free_port

pytestmark = pytest.mark.slow

REQUEST = struct.Struct("=II16siiiI")
REPLY = struct.Struct("=IIiiI")
ABI, STATUS, APP = 2, 14, 17
EINVAL, ENOEXEC, EACCES = 22, 8, 13


class Web:
    """A minion with a server on it that goes on serving."""

    def __init__(self, world: World, build: Build, *options: str) -> None:
        self.world = world
        self.port = free_port()
        world.up("m", "-p", f"{self.port}:80", *options)
        self.server = world.start(MINION, "app", "--on", "m", "--", build("http"))
        self.server.until("listening")
        self.pid = world.pid_of("m")
        self.fds = self.descriptors()

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def peak_kib(self) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    def check(self) -> None:
        """It serves, and nothing is left of anybody else."""
        answer = self.world.run("curl", "-sS", f"http://127.0.0.1:{self.port}/still").ok().out
        assert answer.startswith("hello /still")
        eventually("only http is left", lambda: len(self.world.status("m")["apps"]) == 1)
        eventually("its descriptors are closed", lambda: self.descriptors() <= self.fds)
        assert self.world.status("m")["internal_errors"] == 0


@pytest.fixture
def web(world: World, build: Build) -> Iterator[Web]:
    web = Web(world, build, "--app-ram", "48")
    yield web
    web.check()


def test_system_calls_with_random_arguments(web: Web, build: Build) -> None:
    """A fault of its own, where it has written over itself, is an end like another."""
    before = web.peak_kib()
    for seed in (1, 3):
        found = web.world.minion("app", "--on", "m", "--", build("fuzz"), str(seed), "200")
        assert found.code in (0, 139)
        if not found.code:
            assert "answered" in found.out
    assert web.peak_kib() - before < 60_000, "no argument makes it allocate much"


def test_the_end_while_threads_wait(web: Web, build: Build) -> None:
    for how, status in (("exit", 3), ("kill", 137), ("abort", 134), ("fault", 139)):
        app = web.world.start(MINION, "app", "--on", "m", "--", build("blocked"), how, stdin=True)
        app.until("all wait")
        assert app.popen.wait(20) == status


def test_loops_that_never_wait(web: Web, build: Build) -> None:
    """Their turns end, though none is used up by instructions."""
    url = f"http://127.0.0.1:{web.port}/"
    for how in ("calls", "pages", "yield"):
        app = web.world.start(MINION, "app", "--on", "m", "--", build("spins"), how)
        app.until("spins")
        web.world.run("curl", "-sS", "-m", "20", url).ok()
        app.signal(signal.SIGTERM)
        app.popen.wait(20)


def test_asking_again_and_again(world: World, build: Build) -> None:
    assert world.minion("app", "--", build("spins"), "ask").ok().out.startswith("it ")


def test_clients_that_are_killed(web: Web, build: Build) -> None:
    for mode in ("stay", "main"):
        for early in (True, False):
            app = web.world.start(
                MINION, "app", "--on", "m", "--", build("blocked"), mode, stdin=True
            )
            if not early:
                app.until("all wait")
            app.kill()
    for mode in ("spin", "hog", "null"):
        app = web.world.start(MINION, "app", "--on", "m", "--", build("faults"), mode)
        app.kill()


def test_many_apps(web: Web, build: Build) -> None:
    """More memory in all than there is."""
    for n in range(8):
        found = web.world.minion("app", "--on", "m", "--", build("args"), str(n))
        assert found.code == 42
    waiting = (MINION, "app", "--on", "m", "--", build("blocked"), "stay")
    apps = [web.world.start(*waiting, stdin=True) for _ in range(8)]
    for app in apps[:4]:
        app.until("all wait")
        app.kill()
    for app in apps[4:]:
        app.until("all wait")
        app.signal(signal.SIGTERM)
    for app in apps[4:]:
        app.popen.wait(20)


def test_an_app_begins_while_memory_is_scarce(web: Web, build: Build) -> None:
    """There is a root table for it, and a clear end, or there is enough."""
    hog = web.world.start(MINION, "app", "--on", "m", "--", build("scarce"), stdin=True)
    hog.until("eaten")
    assert web.world.minion("app", "--on", "m", "--", build("args")).code == 42
    hog.kill()


# -- the control socket


def ask(world: World, data: bytes, fds: list[int], length: int | None = None) -> tuple[int, str]:
    """(errno, its text) of MINION_APP; 0 for one that has begun and ended, -1 if it hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(20)
        sock.connect(str(world.runtime / "m" / "control"))
        size = len(data) if length is None else length
        head = REQUEST.pack(ABI, APP, b"", 0, 0, 0, size)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        sock.sendmsg([head + data], rights)
        answer = sock.recv(70_000)
        if not answer:
            return -1, ""
        error: int = REPLY.unpack_from(answer)[3]
        return error, answer[REPLY.size :].decode()


def values(**changes: object) -> bytes:
    return json.dumps({"argv": ["x"], "env": [], "module": "", "folder": "/"} | changes).encode()


NONSENSE = [
    b"", b"{", b"[]", b"null", b"1" * 4000, b"[" * 4000, b"\xff\xfe", b'{"argv": []}',
    values(argv=[]), values(argv="text"), values(argv=[1]), values(argv=[None]), values(env=[{}]),
    values(module=1), values(folder=None), values(argv=["a\0b"]), values(env=["A=\0"]),
    values(module="x:y", folder="/\0"), values(argv=["\ud800"]),
]  # fmt: skip


def test_nonsense_instead_of_a_request(web: Web, build: Build) -> None:
    null = os.open("/dev/null", os.O_RDWR)
    program = os.open(build("args"), os.O_RDONLY)
    try:
        for data in NONSENSE:
            assert ask(web.world, data, [program, null, null, null])[0] in (EINVAL, ENOEXEC), data
        assert ask(web.world, values(), [null, null, null, null])[0] == EACCES
        assert ask(web.world, values(), [])[0] == EINVAL
        for count in (1, 2, 3):
            assert ask(web.world, values(), [program, null, null, null][:count])[0] == -1
        assert ask(web.world, values(), [program, null, null, null], 5)[0] == -1
        assert ask(web.world, values(), [program, null, null, null])[0] == 0
    finally:
        os.close(null)
        os.close(program)


MODULES = {
    "plain": "def main(m, argv):\n    return 1\n",
    "exits": "import sys\nsys.exit(5)\n",
    "few": "async def main():\n    pass\n",
    "fails": "raise RuntimeError('on purpose')\n",
    "broken": "def main(:\n",
}


def test_modules_that_are_no_apps(web: Web) -> None:
    for name, text in MODULES.items():
        (web.world.files / f"{name}.py").write_text(text)
        found = web.world.minion("app", "--on", "m", "--", f"{name}:main")
        assert found.code == 2
        assert found.err.startswith(f"minion: {name}:main: ")
        assert found.err.count("\n") == 1


def test_programs_that_are_no_files(web: Web) -> None:
    fifo = web.world.files / "fifo"
    os.mkfifo(fifo)
    end = os.open(fifo, os.O_RDWR)
    for path, reason in ((fifo, "not a regular file"), ("/dev/zero", "not a regular file"),
                         ("/tmp", "Is a directory")):  # fmt: skip
        found = web.world.minion("app", "--on", "m", "--", path)
        assert (found.code, found.err) == (2, f"minion: {path}: {reason}\n")
    os.close(end)


# -- standard streams


def test_a_report_that_nobody_reads(web: Web, build: Build) -> None:
    """Standard error is a full pipe, or one without a reader."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    while True:
        try:
            os.write(write, bytes(4096))
        except BlockingIOError:
            break
    os.set_blocking(write, True)
    null, program = os.open("/dev/null", os.O_RDWR), os.open(build("faults"), os.O_RDONLY)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(20)
        sock.connect(str(web.world.runtime / "m" / "control"))
        data = values(argv=["bad\nname", "null"])
        fds = array.array("i", [program, null, null, write])
        sock.sendmsg([REQUEST.pack(ABI, APP, b"", 0, 0, 0, len(data)) + data],
                     [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])  # fmt: skip
        eventually("it has ended", lambda: len(web.world.status("m")["apps"]) == 1)
        os.close(write)
        while not os.read(read, 65536).endswith(b"\0" * 100):
            pass
        os.close(read)
        assert REPLY.unpack_from(sock.recv(100))[2] == 139
    assert "bad?name: segmentation fault" in web.world.log("m")
    web.world.sh(f"minion app --on m -- {build('faults')} null 2>&1 | true").ok()
    for fd in (null, program):
        os.close(fd)


def test_closed_streams(world: World, build: Build) -> None:
    for closing in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        found = world.sh(f"minion app -- {build('args')} {closing}; echo $? > status")
        assert "Traceback" not in found.err
        assert (world.files / "status").read_text() == "42\n", closing
