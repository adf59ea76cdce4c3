"""Backtraces without frame pointers: what prologues say, or else what the stack looks like.

Theory of operation.  From a function's symbol to the pc its instructions are read: what it takes
off sp, and where it puts ra.  That gives the caller's pc and sp, and so on.  Where there is no
symbol, the stack is searched for words that could be return addresses: they lie in code, behind
an instruction that calls.  A stale one may be among those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from minion.app.process import App, Thread
from minion.app.space import EXEC
from minion.hart.decode import Decoder

RA, SP, S0 = 1, 2, 8
DEPTH: Final = 24
PROLOGUE: Final = 128
"""Instructions of a function that are looked at."""
SEARCHED: Final = 16 << 10
"""Bytes of the stack."""


@dataclass(slots=True)
class Frame:
    """A function that has been entered: where it is, and its registers as far as they are known."""

    pc: int
    sp: int
    s0: int
    ra: int | None
    """Only of the innermost function: it may not have put it away."""

    @property
    def inside(self) -> int:
        """An address in it: a return address may be just past its end."""
        return self.pc if self.ra is not None else self.pc - 1


def backtrace(thread: Thread) -> Iterator[tuple[int, str]]:
    """(an address in each function, a word on how sure it is), innermost first."""
    app = thread.app
    frame = Frame(thread.pc, thread.x[SP], thread.x[S0], thread.x[RA])
    yield frame.pc, ""
    for depth in range(DEPTH):
        found = caller(app, frame)
        if found is None or not executable(app, found.pc):
            if not depth:
                yield from searched(app, frame.sp, thread.x[RA])
            return
        frame = found
        yield frame.inside, ""


def caller(app: App, frame: Frame) -> Frame | None:
    """The frame that called this one; None where nothing tells."""
    start = beginning(app, frame.inside)
    if start is None:
        return None
    size = 0
    entry: int | None = None
    saved: dict[int, int] = {}
    constants: dict[int, int] = {}
    """In registers: a frame of more than 2 KiB is taken off sp by adding one."""
    try:
        for name, operands in instructions(app, start, frame.inside):
            if name == "addi" and operands[1:2] == (SP,):
                if operands[0] == SP and operands[2] < 0:
                    size -= operands[2]
                elif operands[0] == S0:  # a frame pointer: sp may vary
                    entry = frame.s0 - operands[2] + size
            elif name == "lui":
                constants[operands[0]] = signed(operands[1])
            elif name in ("addi", "addiw") and operands[0] == operands[1] in constants:
                constants[operands[0]] += operands[2]
            elif name == "add" and operands[:2] == (SP, SP):
                size += max(-constants.get(operands[2], 0), 0)
            elif name == "sd" and operands[1] == SP and operands[0] in (RA, S0):
                saved.setdefault(operands[0], size - operands[2])
        if entry is None:
            entry = frame.sp + size
        s0 = app.space.word(entry - saved[S0]) if S0 in saved else frame.s0
        if RA in saved:
            return Frame(app.space.word(entry - saved[RA]), entry, s0, None)
    except OSError:  # not mapped, or not readable
        return None
    return None if frame.ra is None else Frame(frame.ra, entry, s0, None)


def signed(value: int) -> int:
    """Of 64 bits."""
    return value - (value >> 63 << 64)


def beginning(app: App, pc: int) -> int | None:
    found = app.symbols.lookup(pc - app.bias)
    return None if found is None else pc - found[1]


def instructions(app: App, start: int, end: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    decoder = Decoder(app.hart.isa)
    at = start
    for _ in range(PROLOGUE):
        if at >= end:
            return
        low = app.space.word(at, 2)
        word = low | app.space.word(at + 2, 2) << 16 if low & 3 == 3 else low
        decoded = decoder.decode(word, at)
        yield decoded.name, decoded.operands
        at += decoded.length


def executable(app: App, addr: int) -> bool:
    area = app.space.find(addr)
    return area is not None and area.prot & EXEC != 0 and not addr & 1


def searched(app: App, sp: int, ra: int) -> Iterator[tuple[int, str]]:
    if called(app, ra):
        yield ra, "(perhaps)"
    area = app.space.find(sp)
    if area is None:
        return
    left = DEPTH
    for at in range(sp & -8, min(area.end, sp + SEARCHED), 8):
        addr = app.space.word(at)
        if addr != ra and called(app, addr):
            yield addr, "(perhaps)"
            left -= 1
            if not left:
                return


def called(app: App, addr: int) -> bool:
    """Whether a call instruction stands before addr."""
    if not executable(app, addr):
        return False
    try:
        before = app.space.word(addr - 4, 4)
    except OSError:  # code that may not be read
        return False
    if before & 0xFFF in (0x0EF, 0x0E7):  # jal ra, jalr ra
        return True
    half = before >> 16
    return half & 0xF07F == 0x9002 and half & 0xF80 != 0  # c.jalr
