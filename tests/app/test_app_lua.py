"""A program that is not ours: Lua, from Debian's source package, as a static riscv64 binary."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import COMPILER
from world import ROOT, World

pytestmark = [pytest.mark.slow, pytest.mark.needs("qemu-riscv64")]

SCRIPT = """
local t = {}
for i = 1, 1000 do t[i] = (i * 7919) % 1000 end
table.sort(t)
print(t[1], t[500], t[1000], #t)
print(string.format("%.12g %q", math.sin(1), "a\\nb"), ("x"):rep(5), _VERSION)
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(12))
local words = {}
for word in ("the quick brown fox"):gmatch("%a+") do words[#words + 1] = word:upper() end
print(table.concat(words, "-"))
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * i) end end)
print(co(), co(), co())
print(pcall(error, "caught"), io.read("l"), io.read("n"))
os.exit(17)
"""


@pytest.fixture(scope="session")
def lua(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not installed (make setup-programs)")
    if os.getuid() or shutil.which("apt-get") is None:
        pytest.skip("Lua's source is fetched by apt-get, as root")
    folder = tmp_path_factory.mktemp("lua")
    fetched = subprocess.run(
        [ROOT / "tools" / "fetch-source", "lua5.4", folder],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if fetched.returncode:
        pytest.skip(f"Debian's source of Lua cannot be had: {fetched.stderr.strip()[-200:]}")
    (source,) = folder.glob("lua-5.4*/src")
    files = [path for path in source.glob("*.c") if path.name != "luac.c"]
    command = [COMPILER, "-O2", "-static", "-DLUA_USE_POSIX", "-o", folder / "lua", *files, "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "lua"


def test_lua(world: World, lua: Path) -> None:
    wanted = subprocess.run(
        ["qemu-riscv64", lua, "-e", SCRIPT], input="a line\n42\n",
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert wanted.returncode == 17, wanted.stderr
    app = world.start(world.command, "app", "--", lua, "-e", SCRIPT, stdin=True)
    app.say("a line\n42\n")
    found = app.finish()
    assert found.out == wanted.stdout
    assert (found.code, found.err) == (17, "")
