"""What is said about an app that dies: registers, and a backtrace by symbol."""

from __future__ import annotations

from typing import Final

from minion.app.process import (
    SIGABRT,
    SIGBUS,
    SIGILL,
    SIGKILL,
    SIGSEGV,
    SIGTRAP,
    App,
    Thread,
)
from minion.app.unwind import backtrace

NAMES: Final = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
)  # fmt: skip


SIGNALS: Final = {
    SIGILL: "illegal instruction", SIGTRAP: "breakpoint", SIGABRT: "aborted",
    SIGBUS: "misaligned access", SIGKILL: "killed", SIGSEGV: "segmentation fault",
}  # fmt: skip


def die(thread: Thread, signal: int, what: str) -> None:
    """A fatal signal: the report to the log, and the end of the app."""
    app = thread.app
    app.log(f"{app.name}: {SIGNALS.get(signal, f'signal {signal}')}{what and f': {what}'}")
    for line in report(thread):
        app.log(line)
    app.exit(128 + signal)


def report(thread: Thread) -> list[str]:
    """Lines for the log."""
    lines = [f"  pc   {thread.pc:016x}  {where(thread.app, thread.pc)}"]
    for row in range(0, 32, 4):
        cells = [f"{NAMES[n]:<4} {thread.x[n]:016x}" for n in range(row, row + 4)]
        lines.append("  " + "  ".join(cells))
    lines.append("  backtrace:")
    lines += [f"    {addr:#x} {where(thread.app, addr)} {how}".rstrip()
              for addr, how in backtrace(thread)]  # fmt: skip
    return lines


def where(app: App, addr: int) -> str:
    """A symbol and an offset."""
    return app.symbols.describe(addr - app.bias)
