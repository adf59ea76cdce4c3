"""What the docs name exists: tests, files, and options of the command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from minion.cli.main import build_parser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def defined_tests() -> set[str]:
    return {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^\s*def (test_\w+)", path.read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_named_tests_exist(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", page.read_text()))
    assert not named - defined_tests()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_named_files_exist(page: Path) -> None:
    text = page.read_text()
    paths = re.findall(r"`((?:hypercalls|stack|shim|minion|bench|tests|docs)/[\w./]*)`", text)
    paths += [f"docs/{name}" for name in re.findall(r"\]\(docs/([\w.]+)\)", text)]
    assert [path for path in paths if not (ROOT / path).exists()] in ([], ["minion/hart/"])


def test_options_of_the_readme_exist() -> None:
    named = set(re.findall(r"`(--[a-z]+)[ `]", (ROOT / "README.md").read_text()))
    parser = build_parser()
    text = "".join(
        sub.format_help()
        for action in parser._subparsers._group_actions  # type: ignore[union-attr]
        for sub in (action.choices or {}).values()
    )
    assert named
    assert not {option for option in named if option not in text}
