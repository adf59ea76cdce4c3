"""docs/differences.md and the table that the comparing tests use name the same."""

from __future__ import annotations

import re
from pathlib import Path

from differences import DIFFERENCES, difference

PAGE = Path(__file__).parent.parent / "docs" / "differences.md"


def test_the_page_has_the_tables_rows() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows))
    assert set(rows) == {row.key for row in DIFFERENCES}


def test_only_what_a_row_says_may_differ() -> None:
    reset = frozenset({"IN", "OUT", "ERR", "HUP", "RDHUP"})
    assert difference(reset, reset - {"ERR"})
    assert difference(frozenset({"OUT", "ERR", "HUP"}), reset)
    assert not difference(reset, reset - {"HUP"})
    assert not difference(reset - {"ERR"}, reset)
    assert not difference(frozenset({"IN", "ERR"}), frozenset({"IN"}))
