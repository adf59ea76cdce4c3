"""The ways a row can go: the kernel's loopback, and minions of several kinds."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TAP = "minionbench"
TAP_HOST = "10.91.0.1"
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Way:
    name: str
    host: str
    """Where the server is, as the client sees it."""
    options: tuple[str, ...] | None
    """Of `minion up`; None: no minion."""


WAYS = {
    way.name: way
    for way in (
        Way("kernel", "127.0.0.1", None),
        Way("tap", TAP_HOST, ("--netdev", f"tap:{TAP},{TAP_HOST}/24")),
        Way("user", "10.0.2.2", ()),
        Way("serial", "10.0.2.2", ("--copy", "serial")),
    )
}


def build(folder: Path) -> Path:
    """Compile the workload.  RuntimeError without a compiler."""
    program = folder / "workload"
    source = Path(__file__).with_name("workload.c")
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-O2", "-pthread", "-o", os.fspath(program), os.fspath(source)]
    try:
        subprocess.run(command, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"bench: cannot compile {source}: {error}") from None
    return program


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def pin(cpu: int | None) -> list[str]:
    return [] if cpu is None else ["taskset", "-c", str(cpu)]


@contextlib.contextmanager
def server(program: Path, cpu: int | None) -> Iterator[int]:
    """The workload's server on the host's kernel; yields its port."""
    port = free_port()
    command = [*pin(cpu), os.fspath(program), "server", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            if process.stdout.readline() != "ready\n":
                raise RuntimeError("bench: the server did not start")
            yield port
        finally:
            process.kill()


@contextlib.contextmanager
def minion(way: Way, cpu: int | None) -> Iterator[list[str]]:
    """Yields the words to put before a command so that it runs that way."""
    if way.options is None:
        yield []
        return
    command = [sys.executable, "-m", "minion.cli.main"]
    with tempfile.TemporaryDirectory(prefix="minion-bench-") as folder:
        os.environ["MINION_DIR"] = folder
        subprocess.run([*pin(cpu), *command, "up", "bench", *way.options], check=True)
        try:
            yield [*command, "run", "--on", "bench", "--"]
        finally:
            subprocess.run([*command, "down", "bench"], check=False)


def unavailable(way: Way) -> str:
    """Why a way cannot be gone here; empty if it can."""
    if way.name != "tap":
        return ""
    if not os.path.exists("/dev/net/tun"):
        return "no /dev/net/tun"
    if os.geteuid() != 0:
        return "making a TAP needs root"
    return ""
