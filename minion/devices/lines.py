"""The wires from the interrupt controllers into the hart: the mip CSR."""

from __future__ import annotations

from collections.abc import Callable


class Lines:
    """Interrupt controllers set and clear bits; the hart, or the scheduler in its place, looks."""

    __slots__ = ("mip", "wake")

    def __init__(self) -> None:
        self.mip = 0
        self.wake: Callable[[], None] | None = None
        """Called when a bit rises: somebody has to run the hart."""

    def set(self, bit: int) -> None:
        if not self.mip & bit:
            self.mip |= bit
            if self.wake is not None:
                self.wake()

    def clear(self, bit: int) -> None:
        self.mip &= ~bit
