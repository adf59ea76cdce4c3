"""Let the tests run from a checkout, by `pytest` as well as by `python -m pytest`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
for path in (ROOT, ROOT / "shim", ROOT / "tests" / "support"):
    if str(path) not in sys.path:
        sys.path.insert(0, str(path))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--line", choices=("dma", "serial", "bad", "noisy"),
        help="how payload reaches the minions of all tests, where they do not say",
    )  # fmt: skip
    parser.addoption(
        "--conversations", type=int, default=0, metavar="N",
        help="so many new random sequences in test_conversations.py",
    )  # fmt: skip
    parser.addoption(
        "--stalled", type=int, default=0, metavar="N",
        help="so many readers that stand still in test_stalled.py, on a minion's usual RAM",
    )  # fmt: skip
    parser.addoption(
        "--update-costs", action="store_true",
        help="write the snapshot of test_python_calls.py anew",
    )  # fmt: skip


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`lines`: once for each way in which payload reaches a minion."""
    marked = metafunc.definition.get_closest_marker("lines")
    if marked and "line" in metafunc.fixturenames and not metafunc.config.getoption("--line"):
        metafunc.parametrize("line", marked.args or ("dma", "serial", "noisy"), indirect=True)


@pytest.fixture(autouse=True)
def needs(request: pytest.FixtureRequest) -> None:
    """`needs(NAME, ...)`: a program that is missing is a skip that names it."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    for marker in request.node.iter_markers("needs"):
        for name in marker.args:
            if shutil.which(name, path=path) is None:
                pytest.skip(f"{name} is not installed (make setup-programs)")
