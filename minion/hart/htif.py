"""HTIF: how test programs speak to the host, as riscv-tests and Spike do.

A program stores a command in the doubleword `tohost`: device in the top byte, command in the next,
48 bits of payload.  Device 0 is the end of the program (payload odd: exit code above the lowest
bit) or a system call (payload: where its number and arguments are); device 1 is the console.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minion.hart.state import Hart, Stop

SYSCALL, CONSOLE = 0, 1
READ_CHARACTER, WRITE_CHARACTER = 0, 1
SYS_WRITE: Final = 64
SYS_EXIT: Final = 93
ENOSYS: Final = 38
EFAULT: Final = 14
PAYLOAD: Final = (1 << 48) - 1
MASK: Final = (1 << 64) - 1


class Htif:
    """Watches `tohost`, a physical address in RAM that is a multiple of 8."""

    def __init__(
        self, hart: Hart, tohost: int, fromhost: int | None, console: Callable[[bytes], None]
    ) -> None:
        ram = hart.mmu.ram
        for addr in (tohost, fromhost):
            if addr is not None and (addr & 7 or ram.span(addr, 8) is None):
                raise ValueError(f"htif: no doubleword of RAM at {addr:#x}")
        self.exit_code: int | None = None
        """Once the program has ended; riscv-tests give the number of the test that failed."""
        self._hart = hart
        self._ram = ram
        self._tohost = tohost
        self._fromhost = fromhost
        self._console = console
        hart.mmu.watch(tohost, self._stored)

    def _stored(self, addr: int, size: int) -> None:
        if not self._tohost <= addr < self._tohost + 8:
            return
        value = self._ram.u64[self._tohost - self._ram.base >> 3]
        if size < 8:  # RV32 writes two halves: the command is there after the second
            low_half = addr == self._tohost
            if not value >> 32 if low_half else not value & 0xFFFF_FFFF:
                return
        if value:
            self._set(self._tohost, 0)
            self._command(value >> 56, value >> 48 & 0xFF, value & PAYLOAD)

    def _set(self, addr: int, value: int) -> None:
        self._ram.u64[addr - self._ram.base >> 3] = value & MASK

    def _answer(self, value: int) -> None:
        if self._fromhost is not None:
            self._set(self._fromhost, value)

    def _command(self, device: int, command: int, payload: int) -> None:
        if device == SYSCALL and command == 0:
            if payload & 1:
                self._exit(payload >> 1)
            else:
                self._syscall(payload)
        elif device == CONSOLE and command == WRITE_CHARACTER:
            self._console(bytes((payload & 0xFF,)))

    def _exit(self, code: int) -> None:
        self.exit_code = code
        self._hart.stop(Stop.HALT)

    def _syscall(self, addr: int) -> None:
        """Eight doublewords: number and arguments; the result replaces the number."""
        span = self._ram.span(addr, 64)
        if span is None or addr & 7:
            return
        words = span.cast("Q")
        if words[0] == SYS_WRITE:
            data = self._ram.span(words[2], words[3])
            if data is not None:
                self._console(bytes(data))
            words[0] = words[3] if data is not None else -EFAULT & MASK
        elif words[0] == SYS_EXIT:
            self._exit(words[1])
        else:
            words[0] = -ENOSYS & MASK
        self._answer(1)
