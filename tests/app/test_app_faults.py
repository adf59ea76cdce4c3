"""Apps that die, and what they must not take with them."""

from __future__ import annotations

import os
import re
import signal

import pytest
from conftest import Build
from world import MINION, World, free_port

pytestmark = pytest.mark.slow

DEATHS = [
    ("null", 139, "segmentation fault: reading 0x10"),
    ("write-code", 139, "segmentation fault: writing 0x"),
    ("kernel", 139, "segmentation fault: reading 0x80000000"),
    ("nowhere", 139, "segmentation fault: executing 0x123456780000"),
    ("data", 139, "segmentation fault: executing 0x"),
    ("illegal", 132, "illegal instruction: instruction 0x0"),
    ("privileged", 132, "illegal instruction: instruction 0x30002573"),
    ("break", 133, "breakpoint: at 0x"),
    ("stack", 139, "segmentation fault: writing 0x"),
    ("abort", 134, "aborted"),
    ("hog", 137, "killed: no memory left for apps"),
]


@pytest.mark.parametrize(("mode", "status", "message"), DEATHS)
def test_a_death_is_explained(
    world: World, build: Build, mode: str, status: int, message: str
) -> None:
    found = world.minion("app", "--app-ram", "32", "--", build("faults"), mode)
    assert found.code == status
    lines = found.err.splitlines()
    assert lines[0].startswith(f"faults: {message}")
    assert lines[1].startswith("  pc   0")
    assert lines[9].split()[0] == "t3"
    assert lines[10] == "  backtrace:"
    if mode == "abort":
        assert [line.split()[1].partition("+")[0] for line in lines[-4:]] == [
            "main", "__libc_start_call_main", "__libc_start_main", "_start",
        ]  # fmt: skip


def test_sigpipe_is_silent_and_fork_is_refused(world: World, build: Build) -> None:
    found = world.minion("app", "--", build("faults"), "pipe")
    assert (found.code, found.err) == (141, "")
    found = world.minion("app", "--", build("faults"), "fork")
    assert (found.code, found.err) == (
        10,
        "faults: fork: an app has one process, with threads (ENOSYS)\n",
    )


def test_deaths_harm_nobody_else(world: World, build: Build) -> None:
    port = free_port()
    world.up("m", "-p", f"{port}:80", "--app-ram", "32")
    server = world.start(MINION, "app", "--on", "m", "--", build("http"))
    server.until("listening")
    before = world.status("m")["board"]["memory"]["free_bytes"]
    for mode, status, message in DEATHS:
        found = world.minion("app", "--on", "m", "--", build("faults"), mode)
        assert found.code == status
        assert found.err.startswith(f"faults: {message}")
        assert message in world.log("m")
        answer = world.run("curl", "-sS", f"http://127.0.0.1:{port}/after-{mode}").ok().out
        assert answer.startswith(f"hello /after-{mode} ")
    status_now = world.status("m")
    assert status_now["internal_errors"] == 0
    assert [app["name"] for app in status_now["apps"]] == ["http"]
    assert abs(status_now["board"]["memory"]["free_bytes"] - before) < 1 << 20
    world.run("curl", "-sS", f"http://127.0.0.1:{port}/crash")
    ended = server.finish()
    assert ended.code == 139
    assert "segmentation fault: writing 0x10" in ended.err
    names = re.findall(r"^    0x[0-9a-f]+ (\w+)\+", ended.err, re.MULTILINE)
    assert names[:3] == ["answer", "main", "__libc_start_call_main"], "5 KiB of frame"


FAULTY = """
async def main(m, argv):
    victim = next(app for app in m._kernel.apps.values() if app.name == "spins")
    victim.hart.lines = None
"""
"""An app of the minion's own that breaks the hart of another one."""


@pytest.mark.parametrize("engine", ["interpreter", "translator", "native"])
@pytest.mark.parametrize("copy", ["dma", "serial"])
def test_a_fault_of_the_engine_costs_one_app(
    world: World, build: Build, engine: str, copy: str
) -> None:
    """Neither another app nor a proxied program on the same minion, and it says so."""
    (world.files / "faulty.py").write_text(FAULTY)
    world.internal_errors_wanted = True
    port = free_port()
    world.up("m", "-p", f"{port}:80", "--engine", engine, "--copy", copy)
    server = world.start(MINION, "app", "--on", "m", "--", build("http"))
    server.until("listening")
    victim = world.start(MINION, "app", "--on", "m", "--", build("spins"), "yield")
    victim.until("spins")
    world.minion("app", "--on", "m", "--", "faulty:main").ok()
    ended = victim.finish()
    assert ended.code == 137
    assert ended.err.startswith("spins: killed: internal error of the minion: AttributeError(")
    assert "  pc   0" in ended.err
    assert "Traceback" in world.log("m")
    status = world.status("m")
    assert status["internal_errors"] == 1
    assert [app["name"] for app in status["apps"]] == ["http"]
    for program in (("curl",), (MINION, "run", "--on", "m", "--", "curl")):
        address = f"127.0.0.1:{port}" if program == ("curl",) else "127.0.0.1"
        found = world.run(*program, "-sS", f"http://{address}/after").ok()
        assert found.out.startswith("hello /after ")


def test_memory_comes_back(world: World, build: Build) -> None:
    """Ten times more than there is, one after the other."""
    world.up("m", "--app-ram", "8")
    for _ in range(10):
        assert world.minion("app", "--on", "m", "--", build("args")).code == 42
        assert world.minion("app", "--on", "m", "--", build("faults"), "hog").code == 137


BAD = [
    (b"", "not an ELF file"),
    (b"#!/bin/sh\necho no\n", "not an ELF file"),
    (b"\x7fELF" + bytes(60), "not an ELF file"),
]


@pytest.mark.parametrize(("data", "reason"), BAD)
def test_what_is_no_program(world: World, data: bytes, reason: str) -> None:
    path = world.files / "bad"
    path.write_bytes(data)
    found = world.minion("app", "--", path)
    assert found.code == 2
    assert found.err.startswith(f"minion: {path}: {reason}")


def test_programs_for_others(world: World, build: Build) -> None:
    found = world.minion("app", "--", "/bin/true")
    assert (found.code, found.err) == (2, "minion: /bin/true: built for x86-64, not for RISC-V\n")
    data = build("args").read_bytes()
    for length in (63, 200, len(data) // 2):
        (world.files / "cut").write_bytes(data[:length])
        found = world.minion("app", "--", world.files / "cut")
        assert found.code == 2
        assert found.err.count("\n") == 1


def test_a_pipe_that_nobody_writes_to(world: World) -> None:
    os.mkfifo(world.files / "fifo")
    found = world.minion("app", "--", world.files / "fifo")
    assert (found.code, found.err) == (2, f"minion: {world.files}/fifo: not a regular file\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_in_the_exit_status(world: World, build: Build, number: signal.Signals) -> None:
    app = world.start(MINION, "app", "--", build("http"))
    app.until("listening")
    app.signal(number)
    assert app.finish().code == 128 + number


def test_wrong_names(world: World) -> None:
    for name, reason in (
        ("no/such/file", "No such file or directory"),
        ("nomodule:main", "no module nomodule"),
        ("json:nothing", "module json has no function nothing"),
    ):
        found = world.minion("app", "--", name)
        assert (found.code, found.err) == (2, f"minion: {name}: {reason}\n")
    found = world.minion("app")
    assert found.code == 2
    assert "which program?" in found.err
    assert "no minion 'nobody' is up" in world.minion("app", "--on", "nobody", "--", "x:y").err


def test_as_a_plain_user(user_world: World, build: Build) -> None:
    os.chmod(build("args"), 0o755)
    found = user_world.minion("app", "--", build("args"), "x")
    assert found.code == 42
    assert found.out.startswith("[x]\n")
