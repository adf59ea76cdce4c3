"""What is said about an app that dies: registers, and a backtrace by symbol.

Theory of operation.  Compilers leave no frame pointers by default, so the stack is searched for
words that could be return addresses: they lie in code, behind an instruction that calls.  A stale
one may be among them; each line says where it was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from minion.app.process import App, Thread
from minion.app.space import EXEC

NAMES: Final = (
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
)  # fmt: skip
RA, SP = 1, 2
SEARCHED: Final = 16 << 10
"""Bytes of the stack."""
DEPTH: Final = 16


def report(thread: Thread) -> list[str]:
    """Lines for the log."""
    lines = [f"  pc   {thread.pc:016x}  {where(thread.app, thread.pc)}"]
    for row in range(0, 32, 4):
        cells = [f"{NAMES[n]:<4} {thread.x[n]:016x}" for n in range(row, row + 4)]
        lines.append("  " + "  ".join(cells))
    lines.append("  backtrace:")
    lines += [f"    {addr:#x} {where(thread.app, addr)} {how}" for addr, how in backtrace(thread)]
    return lines


def where(app: App, addr: int) -> str:
    found = app.symbols.lookup(addr - app.bias)
    return f"{found[0]}+{found[1]:#x}" if found is not None else "?"


def backtrace(thread: Thread) -> Iterator[tuple[int, str]]:
    app = thread.app
    yield thread.pc, "(pc)"
    count = 1
    ra = thread.x[RA]
    if called(app, ra):
        yield ra, "(ra)"
        count += 1
    sp = thread.x[SP] & -8
    area = app.space.find(sp)
    if area is None:
        return
    for at in range(sp, min(area.end, sp + SEARCHED), 8):
        addr = app.space.word(at)
        if addr != ra and called(app, addr):
            yield addr, f"(at {at:#x})"
            count += 1
            if count == DEPTH:
                return


def called(app: App, addr: int) -> bool:
    """Whether a call instruction stands before addr."""
    area = app.space.find(addr)
    if addr & 1 or area is None or not area.prot & EXEC or addr - 4 < area.start:
        return False
    try:
        before = app.space.word(addr - 4, 4)
    except OSError:  # code that may not be read
        return False
    if before & 0xFFF in (0x0EF, 0x0E7):  # jal ra, jalr ra
        return True
    half = before >> 16
    return half & 0xF07F == 0x9002 and half & 0xF80 != 0  # c.jalr


__all__ = ["backtrace", "report"]
