"""calls.h says what libminion.so exports, and what it leaves alone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from preload import ROOT

CALLS = (ROOT / "shim" / "libminion" / "calls.h").read_text()
CODE = re.sub(r"/\*.*?\*/", "", CALLS, flags=re.DOTALL)


def names(kind: str, position: int) -> list[str]:
    rows = re.findall(rf"^{kind}\(([^(]*)", CODE, flags=re.MULTILINE)
    return [row.split(",")[position].strip() for row in rows]


EXPORTED = [name for kind in ("CALL", "ALIAS", "CHECKED", "VARIADIC") for name in names(kind, 1)]


def symbols(path: Path | str, *options: str) -> set[str]:
    done = subprocess.run(
        ["nm", "-D", *options, str(path)], capture_output=True, text=True, check=True
    )
    return {line.split()[-1].split("@")[0] for line in done.stdout.splitlines()}


def test_exports_are_the_table(library: Path) -> None:
    assert len(EXPORTED) == len(set(EXPORTED))
    assert symbols(library, "--defined-only") == set(EXPORTED)
    assert not set(EXPORTED) & set(names("LEFT", 0))


def test_libc_has_all_of_them(library: Path) -> None:
    done = subprocess.run(["ldd", str(library)], capture_output=True, text=True, check=True)
    path = next(line.split()[2] for line in done.stdout.splitlines() if "libc.so" in line)
    assert set(EXPORTED) <= symbols(path, "--defined-only")


def test_needs_libc_only(library: Path) -> None:
    done = subprocess.run(
        ["readelf", "-d", str(library)], capture_output=True, text=True, check=True
    )
    assert re.findall(r"\(NEEDED\).*\[(.*)\]", done.stdout) == ["libc.so.6"]
    assert not re.search(r"RPATH|RUNPATH", done.stdout)


def test_the_python_module_exports_only_itself(built: Path) -> None:
    (module,) = built.glob("_minionsocket*.so")
    assert symbols(module, "--defined-only") == {"PyInit__minionsocket"}
