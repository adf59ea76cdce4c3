"""The console: UART0, byte by byte, as every boot loader does it."""

from __future__ import annotations

from hypercalls.bare.machine import UART0, Machine


class UartConsole:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def write(self, text: str) -> None:
        for byte in text.encode("utf-8", "replace"):
            self._machine.write(UART0, 1, byte)
