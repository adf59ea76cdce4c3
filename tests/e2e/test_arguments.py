"""Wrong arguments: Python's sockets on a minion answer as the host's, in the same words."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from world import MINION, World

pytestmark = [pytest.mark.slow]
PROGRAM = Path(__file__).with_name("programs") / "arguments.py"
LIMIT_S = 120.0


@pytest.mark.parametrize("way", ["preload", "minionsocket"])
def test_arguments(world: World, way: str) -> None:
    program: list[str | Path] = [sys.executable, PROGRAM]
    expected = world.run(*program, timeout_s=LIMIT_S).ok().out.splitlines()
    if way == "minionsocket":
        program = ["env", "-u", "LD_PRELOAD", *program, way]
    seen = world.run(MINION, "run", "--", *program, timeout_s=LIMIT_S).ok().out.splitlines()
    assert len(expected) > 400
    assert seen == expected
