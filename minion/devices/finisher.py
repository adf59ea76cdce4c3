"""The test finisher (SiFive's): a program's way to end the machine, or to start it anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

LENGTH: Final = 0x1000
FAIL: Final = 0x3333
PASS: Final = 0x5555
RESET: Final = 0x7777


class Finisher:
    """One register, at offset 0: what to do, and a code above it."""

    def __init__(self, finish: Callable[[int], None], reset: Callable[[], None]) -> None:
        """finish(status): 0 for pass; a failure is never 0, whatever its code.

        Both are called within a store: what they want happens once the hart has stopped.
        """
        self._finish = finish
        self._reset = reset

    def read(self, _offset: int, _size: int) -> int:
        return 0

    def write(self, offset: int, size: int, value: int) -> None:
        if offset or size == 1:
            return
        command = value & 0xFFFF
        if command == PASS:
            self._finish(0)
        elif command == FAIL:
            self._finish(value >> 16 & 0xFF or 1)
        elif command == RESET:
            self._reset()
