"""Where a terminal's cursor is left."""

from __future__ import annotations

import pytest

from minion.cli.streams import Line


@pytest.mark.parametrize(("writes", "unfinished"), [
    ([], False), ([b""], False), ([b"x"], True), ([b"x\n"], False), ([b"x\r\n"], False),
    ([b"x", b"\n", b"\r"], False), ([b"x", b"\r"], True), ([b"x\n", b"", b"y"], True),
    ([b"x\n", b""], False),
])  # fmt: skip
def test_unfinished(writes: list[bytes], unfinished: bool) -> None:
    line = Line()
    for data in writes:
        line.wrote(memoryview(data))
    assert line.unfinished is unfinished
