"""Interrupts: mip says whether, the PLIC's claim register says which.

Handlers run to their end one after another, between softints and threads, never inside them: with
one cooperative CPU that is all the protection interrupt state needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hypercalls.bare.machine import MEIP, MTIP, PLIC, Machine
from hypercalls.common.scheduler import print_crash

PRIORITY: Final = PLIC
ENABLE: Final = PLIC + 0x2000
THRESHOLD: Final = PLIC + 0x20_0000
CLAIM: Final = PLIC + 0x20_0004


class Interrupts:
    """bmk's isr thread, without the thread."""

    def __init__(self, machine: Machine) -> None:
        self.crashed: Callable[[str, BaseException], None] = print_crash
        self.on_timer: Callable[[], None] = lambda: None
        self._machine = machine
        self._hart = machine.hart
        self._handlers: dict[int, Callable[[], None]] = {}
        machine.write(THRESHOLD, 4, 0)
        self._claim = machine.loader(CLAIM, 4)
        self._complete = machine.storer(CLAIM, 4)

    def establish(self, source: int, handler: Callable[[], None], priority: int = 1) -> None:
        """Call handler for each interrupt of a source.  It must make the device lower its line.

        Of those pending, the one with the highest priority is handled first.
        """
        self._handlers[source] = handler
        self._machine.write(PRIORITY + 4 * source, 4, priority)
        word = ENABLE + source // 32 * 4
        enabled = self._machine.read(word, 4)
        self._machine.write(word, 4, enabled | 1 << source % 32)

    def deliver(self) -> bool:
        """Run the handlers of everything pending; True if there was anything."""
        mip = self._hart.mip
        if not mip:
            return False
        delivered = False
        if mip & MTIP:
            self._call(self.on_timer)
            delivered = True
        if mip & MEIP:
            claim, complete, handlers = self._claim, self._complete, self._handlers
            for _ in range(len(handlers)):  # a line that stays up must not hold up the rest
                source = claim()
                if not source:
                    break
                handler = handlers[source]
                try:
                    handler()
                except Exception as exc:
                    self.crashed(f"interrupt {handler.__qualname__}", exc)
                complete(source)
                delivered = True
                if not self._hart.mip & MEIP:
                    break
        return delivered

    def _call(self, handler: Callable[[], None]) -> None:
        try:
            handler()
        except Exception as exc:
            self.crashed(f"interrupt {handler.__qualname__}", exc)
