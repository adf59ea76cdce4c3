"""One test's world: a runtime directory, the minions and programs in it, and their end.

Whatever a test starts here is ended here: `close` stops the minions, checks that none met an
internal error, and that no process of the world is left.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from reserve import free_port

MINION = os.path.join(os.path.dirname(sys.executable), "minion")
ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_S = 180.0
SOON_S = 20.0
"""The documents say 2 seconds; a loaded machine may take longer to say so."""
__all__ = [
    "HOST", "LIMIT_S", "LINES", "MINION", "ROOT", "SOON_S", "Program", "Result", "User", "World",
    "command_for", "eventually", "free_port", "wait_exit", "wait_http", "wait_port",
]  # fmt: skip
LINES: dict[str, tuple[str, ...]] = {
    "dma": (),
    "serial": ("--copy", "serial"),
    "bad": ("--copy", "serial", "--noise", "1e-5", "--seed", "1"),
    "noisy": ("--copy", "serial", "--baud", "3000000", "--noise", "1e-5", "--seed", "1"),
}
"""How payload reaches a minion.  bad: noise, but no rate; noisy: both (a USB UART: 300 kB/s)."""
HOST = "10.0.2.2"
"""The host's loopback, seen from a minion on netdev user."""


def eventually(what: str, true: Callable[[], object], timeout_s: float = 30.0) -> None:
    """Wait for a state that no event tells of."""
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {what}"
        time.sleep(0.02)


def wait_port(port: int, host: str = "127.0.0.1", timeout_s: float = 30.0) -> None:
    """Until something accepts connections there."""

    def accepts() -> bool:
        try:
            socket.create_connection((host, port), timeout=timeout_s).close()
        except OSError:
            return False
        return True

    eventually(f"a server on {host}:{port}", accepts, timeout_s)


def wait_http(port: int, path: str = "/", timeout_s: float = 30.0) -> None:
    """Until an HTTP server answers there: a published port accepts before its server does."""

    def answers() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as sock:
                sock.sendall(f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
                return sock.recv(4) == b"HTTP"
        except OSError:
            return False

    eventually(f"an HTTP server on {port}", answers, timeout_s)


def wait_exit(pid: int, timeout_s: float) -> None:
    """Until a process that need not be our child is gone."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([pidfd], [], [], timeout_s)[0], f"{pid} still there: {timeout_s} s"
    finally:
        os.close(pidfd)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody without privileges."""

    name: str
    uid: int
    gid: int


def command_for(user: User, folder: Path) -> str:
    """A `minion` command that the user can run: our Python may lie in somebody's home."""
    try:
        subprocess.run(
            [MINION, "--help"], user=user.uid, group=user.gid, extra_groups=[], cwd="/",
            capture_output=True, check=True,
        )  # fmt: skip
        return MINION
    except (OSError, subprocess.CalledProcessError):
        pass
    python = Path("/usr/bin/python3")
    if not python.exists() or f"python{sys.version_info[0]}.{sys.version_info[1]}" not in (
        python.resolve().name
    ):
        pytest.skip(f"no Python {sys.version_info[0]}.{sys.version_info[1]} for a plain user")
    script = folder / "bin" / "minion"
    script.parent.mkdir()
    script.write_text(
        f"#!{python}\nimport site, sys\nsite.addsitedir({sysconfig.get_path('purelib')!r})\n"
        "from minion.cli.main import main\nsys.exit(main())\n"
    )
    script.chmod(0o755)
    return str(script)


@dataclass(slots=True)
class Result:
    code: int
    out: str
    err: str

    def ok(self) -> Self:
        assert self.code == 0, f"exit status {self.code}\n{self.out[-2000:]}\n{self.err[-2000:]}"
        return self


class Program:
    """A process in the background, with what it prints."""

    def __init__(self, popen: subprocess.Popen[str]) -> None:
        self.popen = popen
        self.pid = popen.pid
        self.seen = ""

    def until(self, text: str, timeout_s: float = 60.0) -> str:
        """The line in which `text` is printed to stdout."""
        assert self.popen.stdout is not None
        fd = self.popen.stdout.fileno()
        deadline = time.monotonic() + timeout_s
        while True:
            head, found, _ = self.seen.partition(text)
            if found:
                line = head.rpartition("\n")[2] + text
                return line + self.seen[len(head) + len(text) :].partition("\n")[0]
            left = deadline - time.monotonic()
            assert left > 0, f"no {text!r} within {timeout_s} s in: {self.seen[-2000:]}"
            if select.select([fd], [], [], left)[0]:
                data = os.read(fd, 65536)
                assert data, f"ended without {text!r}: {self.seen[-2000:]}"
                self.seen += data.decode()

    def say(self, text: str) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(text)
        self.popen.stdin.flush()

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def finish(self, timeout_s: float = LIMIT_S) -> Result:
        try:
            out, err = self.popen.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)  # its children hold the same pipes
            out, err = self.popen.communicate(timeout=10)
            seen = f"{self.seen}{out}"[-2000:]
            raise AssertionError(
                f"hangs: {self.popen.args!r}\n{seen}\n{(err or '')[-2000:]}"
            ) from None
        code = self.popen.returncode
        return Result(128 - code if code < 0 else code, self.seen + (out or ""), err or "")

    def kill(self) -> None:
        """SIGKILL, and gone when this returns."""
        self.popen.kill()
        self.popen.wait(10)

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(5)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(5)
        for stream in (self.popen.stdin, self.popen.stdout, self.popen.stderr):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass  # what was not read is of no use


class World:
    def __init__(self, user: User | None = None, line: str = "dma") -> None:
        """line: of LINES, for every minion that is started without a word about copies."""
        self.user = user
        self.line = line
        self.runtime = Path(tempfile.mkdtemp(prefix="m", dir="/tmp"))  # short: it is in names
        self.files = Path(tempfile.mkdtemp(prefix="f", dir="/tmp"))
        self.programs: list[Program] = []
        self.internal_errors_wanted = False
        self.command = MINION
        if user is not None:
            os.chown(self.runtime, user.uid, user.gid)
            os.chown(self.files, user.uid, user.gid)
            self.command = command_for(user, self.files)
        else:
            self.files.chmod(0o755)

    # -- programs

    def env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "MINION")}
        env |= {"MINION_DIR": str(self.runtime), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        if self.user is not None:
            env |= {"HOME": str(self.files), "USER": self.user.name}
        for name in ("http_proxy", "https_proxy", "no_proxy"):
            env.pop(name, None)
            env.pop(name.upper(), None)
        return env | dict(extra or {})

    @property
    def big(self) -> str:
        """A file that takes a while and not minutes."""
        return "1M" if self.line == "noisy" else "20M"

    def _with_line(self, argv: tuple[str | Path, ...]) -> list[str | Path]:
        own = argv[2 : argv.index("--") if "--" in argv else len(argv)]
        if (
            argv[:1] != (MINION,)
            or argv[1:2] not in (("run",), ("up",), ("app",))
            or "--on" in own
            or "--copy" in own
        ):
            return list(argv)
        return [*argv[:2], *LINES[self.line], *argv[2:]]

    def start(
        self, *argv: str | Path, env: Mapping[str, str] | None = None, stdin: bool = False
    ) -> Program:
        """Start a program in the background."""
        who: dict[str, Any] = {}
        if self.user is not None:
            who = {"user": self.user.uid, "group": self.user.gid, "extra_groups": []}
        program = Program(
            subprocess.Popen(
                [self.command if arg == MINION else str(arg) for arg in self._with_line(argv)],
                env=self.env(env),
                cwd=self.files,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
                **who,
            )
        )
        self.programs.append(program)
        return program

    def run(
        self, *argv: str | Path, env: Mapping[str, str] | None = None, timeout_s: float = LIMIT_S
    ) -> Result:
        """Run a program to its end."""
        return self.finish(self.start(*argv, env=env), timeout_s)

    def finish(self, program: Program, timeout_s: float = LIMIT_S) -> Result:
        try:
            result = program.finish(timeout_s)
        finally:
            program.close()
            self.programs.remove(program)
        if not self.internal_errors_wanted:
            assert "internal error" not in result.err, result.err
        assert "Traceback" not in result.err, result.err
        return result

    def sh(
        self, script: str, env: Mapping[str, str] | None = None, timeout_s: float = LIMIT_S
    ) -> Result:
        path = f"{os.path.dirname(self.command)}:{os.environ.get('PATH', '')}"
        return self.run("sh", "-c", script, env={"PATH": path} | dict(env or {}),
                        timeout_s=timeout_s)  # fmt: skip

    def minion(self, *argv: str | Path, timeout_s: float = LIMIT_S) -> Result:
        return self.run(MINION, *argv, timeout_s=timeout_s)

    def library(self) -> str:
        return self.minion("lib").ok().out.strip()

    # -- minions

    def up(self, name: str, *options: str) -> None:
        result = self.minion("up", name, *options)
        assert result.code == 0, f"{result.err}\n{self.log(name)[-4000:]}"

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.minion("status", name, "--json").ok().out)
        return found

    def pid_of(self, name: str) -> int:
        pid: int = self.status(name)["pid"]
        return pid

    def log(self, name: str) -> str:
        path = self.runtime / name / "log"
        return path.read_text() if path.exists() else ""

    def names(self) -> list[str]:
        """Minions with a control socket."""
        return sorted(path.parent.name for path in self.runtime.glob("*/control"))

    def processes(self) -> dict[int, str]:
        """Every process of this world, with its command line."""
        mark = f"MINION_DIR={self.runtime}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if command:  # a zombie has none
                        found[int(entry.name)] = command
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue
        return found

    # -- the end

    def close(self) -> None:
        faults: list[str] = []
        try:
            for program in self.programs:
                program.close()
            for name in self.names():
                faults += self._stop(name)
            for log in self.runtime.glob("*/log"):
                text = log.read_text()
                if not self.internal_errors_wanted and "internal error" in text:
                    faults.append(f"{log}:\n{text[-6000:]}")
        finally:
            left = self._left()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            shutil.rmtree(self.runtime, ignore_errors=True)
            shutil.rmtree(self.files, ignore_errors=True)
        assert not left, f"left behind: {left}"
        assert not faults, "\n".join(faults)

    def _stop(self, name: str) -> list[str]:
        result = self.minion("status", name, "--json")
        if result.code:  # killed by the test
            return []
        status = json.loads(result.out)
        faults = []
        if status["internal_errors"] and not self.internal_errors_wanted:
            faults.append(f"{name}: {status['internal_errors']} internal errors")
        down = self.minion("down", name)
        if down.code:
            faults.append(f"{name} did not go down: {down.err}")
        wait_exit(status["pid"], 10)
        return faults

    def _left(self) -> dict[int, str]:
        """What is still there after a grace for processes that are on their way out."""
        deadline = time.monotonic() + SOON_S
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left
