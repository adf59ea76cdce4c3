"""Looking at an app: GDB, commit log, profile, modelled cycles."""

from __future__ import annotations

import re
import shutil

import pytest
from conftest import Build
from world import MINION, World, free_port

pytestmark = pytest.mark.slow


def test_a_profile(world: World, build: Build) -> None:
    found = world.minion("app", "--profile", "--cpu", "rocket", "--", build("mix")).ok()
    head, *rows = found.err.splitlines()
    assert head.split() == ["instructions", "%", "cycles", "function"]
    counts = {row.split()[3]: row.split() for row in rows if not row.endswith("functions)")}
    assert {"main", "_int_malloc", "__sin"} <= counts.keys()
    assert all(int(c[2].replace(",", "")) >= int(c[0].replace(",", "")) for c in counts.values())
    assert rows.pop().endswith("in all")
    assert sum(float(row.split()[1]) for row in rows) == pytest.approx(100, abs=0.5)


def test_a_commit_log(world: World, build: Build) -> None:
    """Spike's format; it begins at the entry point, and the registers add up."""
    log = world.files / "log"
    world.minion("app", "--commit-log", log, "--", build("faults")).ok()
    lines = log.read_text().splitlines()
    form = re.compile(r"core   0: 0 0x[0-9a-f]{16} \(0x([0-9a-f]{4}|[0-9a-f]{8})\)( .*)?")
    commits = [line for line in lines if form.fullmatch(line)]
    assert len(commits) > 1000
    traps = [line for line in lines if "exception" in line]
    assert any("user_ecall" in line for line in traps)
    assert any("load_page_fault" in line or "store_page_fault" in line for line in traps)


def test_one_look_at_a_time(world: World, build: Build) -> None:
    program = build("faults")
    for options, reason in (
        (["--profile", "--commit-log", "x"], "--commit-log and --profile: one at a time"),
        (["--profile", "--engine", "translator"], "--profile works with --engine interpreter"),
        (["--gdb", "99999"], "--gdb 99999: a port from 1 to 65535"),
        (["--commit-log", "/no/such/folder/log"], "--commit-log /no/such/folder/log: No such file"),
        (["--profile", "--on", "x"], "are for a minion of its own"),
    ):
        found = world.minion("app", *options, "--", program)
        assert found.code == 2
        assert reason in found.err
        assert found.err.count("\n") == 1
    found = world.minion("app", "--profile", "--", "json:loads")
    assert "are for machine code" in found.err


def test_gdb(world: World, build: Build) -> None:
    if shutil.which("gdb-multiarch") is None:
        pytest.skip("gdb-multiarch is not installed (make setup-programs)")
    port = free_port()
    program = build("faults")
    app = world.start(MINION, "app", "--gdb", str(port), "--", program, "null")
    commands = [
        f"target remote 127.0.0.1:{port}", "break main", "continue", "info registers a0",
        "x/s *(char **)($a1 + 8)", "delete", "watch *(int *)&sink", "stepi", "delete", "continue",
        "x/i $pc", "continue", "info registers pc",
    ]  # fmt: skip
    argv = [part for command in commands for part in ("-ex", command)]
    found = world.run("gdb-multiarch", "-q", "-nx", "-batch", program, *argv)
    assert re.search(r"a0 +0x2", found.out), found.out + found.err
    assert '"null"' in found.out
    assert "SIGSEGV" in found.out, "it stops where it would die"
    assert re.search(r"=> 0x[0-9a-f]+ <main\+", found.out)
    assert "exited with code 0213" in found.out  # 139, in octal
    ended = app.finish()
    assert ended.code == 139
    assert "segmentation fault: reading 0x10" in ended.err


def test_gdb_steps_over_system_calls(world: World, build: Build) -> None:
    if shutil.which("gdb-multiarch") is None:
        pytest.skip("gdb-multiarch is not installed (make setup-programs)")
    port = free_port()
    program = build("args")
    app = world.start(MINION, "app", "--gdb", str(port), "--", program)
    commands = [f"target remote 127.0.0.1:{port}", "break write", "continue", "delete", "stepi 12",
                "x/i $pc", "detach"]  # fmt: skip
    argv = [part for command in commands for part in ("-ex", command)]
    found = world.run("gdb-multiarch", "-q", "-nx", "-batch", program, *argv)
    assert "=> 0x" in found.out, found.err
    assert "ecall" not in found.out
    assert app.finish().code == 42


@pytest.mark.parametrize(("mode", "signal", "function", "status"), [
    ("abort", "SIGABRT", "abort", 134), ("pipe", "SIGPIPE", "write", 141),
])  # fmt: skip
def test_gdb_sees_fatal_signals(
    world: World, build: Build, mode: str, signal: str, function: str, status: int
) -> None:
    if shutil.which("gdb-multiarch") is None:
        pytest.skip("gdb-multiarch is not installed (make setup-programs)")
    port = free_port()
    program = build("faults")
    app = world.start(MINION, "app", "--gdb", str(port), "--", program, mode)
    commands = [f"target remote 127.0.0.1:{port}", "continue", "backtrace", "continue"]
    argv = [part for command in commands for part in ("-ex", command)]
    found = world.run("gdb-multiarch", "-q", "-nx", "-batch", program, *argv)
    assert f"Program received signal {signal}" in found.out, found.out + found.err
    assert re.search(rf"^#\d+ .* in {function} \(", found.out, re.MULTILINE), found.out
    assert re.search(r"^#\d+ .* in main \(", found.out, re.MULTILINE)
    assert f"exited with code {status:04o}" in found.out
    assert app.finish().code == status


def test_a_commit_log_on_a_full_disk(world: World, build: Build) -> None:
    found = world.minion("app", "--commit-log", "/dev/full", "--", build("args"))
    assert (found.code, found.err) == (
        1,
        "minion: --commit-log /dev/full: No space left on device\n",
    )


def test_gdb_stops_threads(world: World, build: Build) -> None:
    if shutil.which("gdb-multiarch") is None:
        pytest.skip("gdb-multiarch is not installed (make setup-programs)")
    port = free_port()
    program = build("threads")
    app = world.start(MINION, "app", "--gdb", str(port), "--", program)
    commands = [f"target remote 127.0.0.1:{port}", "break work"]
    commands += ["continue", "info registers a0"] * 8 + ["delete", "continue"]
    argv = [part for command in commands for part in ("-ex", command)]
    found = world.run("gdb-multiarch", "-q", "-nx", "-batch", program, *argv)
    seen = re.findall(r"a0 +0x([0-9a-f]+)", found.out)
    assert sorted(int(value, 16) for value in seen) == list(range(8)), found.out + found.err
    assert app.finish().ok().out.splitlines()[0] == "1600 56 0"
