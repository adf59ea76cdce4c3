"""The arrows of the layout: who may import whom (DESIGN, section 8), and the size of files."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("hypercalls", "stack", "minion", "minionsocket", "shim", "bench", "tests")
LIMIT = 400

STACK_STDLIB = {
    "__future__", "bisect", "collections", "collections.abc", "dataclasses", "enum", "errno",
    "hashlib", "heapq", "struct", "typing",
}  # fmt: skip
"""Nothing that reads a clock, a file, the environment, randomness or the host's network."""
PARTS = (
    "devices", "line", "driver", "sysproxy", "netdev", "hart", "elf", "app", "boot", "gdb",
)  # fmt: skip


def imports(path: Path) -> Iterator[str]:
    """The modules a file imports, at run time or for its types."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: imports are absolute here"
            module = node.module or ""
            yield module
            yield from (
                f"{module}.{alias.name}" for alias in node.names if is_module(module, alias)
            )


def is_module(package: str, alias: ast.alias) -> bool:
    """Whether `from package import alias` names a module of ours."""
    path = ROOT.joinpath(*package.split("."), alias.name)
    return path.is_dir() or path.with_suffix(".py").is_file()


def files(*parts: str) -> list[Path]:
    found = sorted(ROOT.joinpath(*parts).rglob("*.py"))
    assert found, parts
    return found


def within(module: str, *packages: str) -> bool:
    return any(module == p or module.startswith(p + ".") for p in packages)


def of_ours(path: Path) -> set[str]:
    return {m for m in imports(path) if within(m, *OURS)}


@pytest.mark.parametrize("path", files("stack"), ids=str)
def test_the_stack_knows_nothing_but_the_hypercalls(path: Path) -> None:
    for module in imports(path):
        assert within(module, "stack", "hypercalls.api") or module in STACK_STDLIB, module


@pytest.mark.parametrize("path", files("hypercalls"), ids=str)
def test_the_hypercalls_import_nothing_of_ours(path: Path) -> None:
    for module in of_ours(path):
        assert within(module, "hypercalls"), module


@pytest.mark.parametrize("part", PARTS)
def test_the_minions_parts_do_not_know_who_wires_them(part: str) -> None:
    for path in files("minion", part):
        for module in of_ours(path):
            assert not within(module, "minion.cli", "minion.board"), f"{path}: {module}"


def test_only_cli_and_board_wire_parts() -> None:
    """A part may know another's contract, or what it is built on; each arrow stands here."""
    allowed = {
        "devices": ("minion.netdev.api",),  # what the NIC's cable is plugged into
        "driver": ("minion.sysproxy.messages", "minion.sysproxy.operations", "minion.devices.dma"),
        "sysproxy": ("minion.line.link",),  # server and driver speak over a link end
        # a relay is a session with a host socket
        "netdev": (
            "minion.sysproxy.session",
            "minion.sysproxy.work",
        ),
        "line": (),
        "hart": ("minion.devices.lines",),  # the wires of its interrupts
        "elf": (),
        "app": ("minion.hart", "minion.elf"),
        "boot": ("minion.hart", "minion.elf", "minion.devices", "minion.netdev.api"),
        "gdb": ("minion.hart",),
    }
    for part in PARTS:
        own = (f"minion.{part}", *allowed[part])
        for path in files("minion", part):
            for module in of_ours(path):
                if within(module, *(f"minion.{other}" for other in PARTS)):
                    known = any(within(target, module) for target in own)  # or a package above it
                    assert known or within(module, *own), f"{path}: {module}"


def test_nothing_but_the_minion_imports_the_minion() -> None:
    for package in ("stack", "hypercalls", "shim"):
        for path in files(package):
            for module in of_ours(path):
                assert not within(module, "minion"), f"{path}: {module}"


def test_only_some_read_the_environment() -> None:
    """minion/cli, and the shim, whose users have no other way to speak to it."""
    for package in ("stack", "hypercalls", "minion"):
        for path in files(package):
            if "cli" in path.relative_to(ROOT).parts:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute):
                    assert node.attr not in ("environ", "getenv"), path


def test_what_the_stack_may_use_exists() -> None:
    assert STACK_STDLIB - {"collections.abc"} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("package", ["hypercalls", "stack", "minion", "shim", "bench"])
def test_files_are_short(package: str) -> None:
    for path in files(package):
        lines = path.read_text().count("\n")
        assert lines < LIMIT, f"{path}: {lines} lines"
