"""The exception that semantics and memory raise."""

from __future__ import annotations

from minion.hart.fields import Cause


class Trap(Exception):
    """cause is mcause; with its top bit set, an interrupt."""

    def __init__(self, cause: int, tval: int) -> None:
        super().__init__(cause, tval)
        self.cause = cause
        self.tval = tval

    def __str__(self) -> str:
        try:
            name = Cause(self.cause).name.lower().replace("_", " ")
        except ValueError:
            name = f"cause {self.cause:#x}"
        return f"{name}, tval {self.tval:#x}"
