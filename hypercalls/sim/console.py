"""The console of a simulated host: a list of what was written."""

from __future__ import annotations


class ListConsole:
    """api.Console."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, text: str) -> None:
        self.written.append(text)
