"""The system call table: number to function, and the way in and out.

A call is a function of (thread, a0 .. a5): it returns its result, or a coroutine if it may wait,
and raises OSError with the errno.  What is not in the table is ENOSYS, and logged once per app.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from errno import ENOSYS
from typing import Any, Final

from minion.app.calls import files, memory, polling, process, sockets, time
from minion.app.process import SIGPIPE, App, Thread

Result = int | Coroutine[Any, Any, int]
Call = Callable[[Thread, int, int, int, int, int, int], Result]
Dispatch = Callable[[Thread], Coroutine[Any, Any, int]]
"""Carries out what a thread's registers ask for: the result, or a negative errno."""
MASK: Final = (1 << 64) - 1
REGISTERS: Final = slice(10, 16)
WRITING: Final = frozenset({64, 66, 71, 206, 211})
"""write, writev, sendfile, sendto, sendmsg: EPIPE comes with SIGPIPE."""
MSG_NOSIGNAL: Final = 0x4000
UNKNOWN_MAX: Final = 32
"""So many lines in the log per app."""


def signed(value: int) -> int:
    """An argument as the int it was in C."""
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value


TABLE: Final[dict[int, Call]] = {
    **files.TABLE,
    **memory.TABLE,
    **polling.TABLE,
    **process.TABLE,
    **sockets.TABLE,
    **time.TABLE,
}


class Calls:
    def __init__(self, spawn: Callable[[Thread], None]) -> None:
        """spawn: have a new thread run."""
        self._spawn = spawn
        self._table: dict[int, Call] = {**TABLE, process.CLONE: self._clone}
        self.counters: dict[str, int] = {"calls": 0, "unknown": 0}

    async def call(self, thread: Thread) -> int:
        """Dispatch."""
        number = thread.x[17]
        self.counters["calls"] += 1
        function = self._table.get(number)
        if function is None:
            self._note_unknown(thread.app, number)
            return -ENOSYS
        try:
            result = function(thread, *thread.x[REGISTERS])
            return result if isinstance(result, int) else await result
        except BlockingIOError as error:
            return -(error.errno or 11)
        except OSError as error:
            return -(error.errno or 5)

    def _clone(self, thread: Thread, *args: int) -> int:
        return process.clone(thread, self._spawn, *args)

    def _note_unknown(self, app: App, number: int) -> None:
        self.counters["unknown"] += 1
        if number not in app.unknown and len(app.unknown) < UNKNOWN_MAX:
            app.unknown.add(number)
            app.log(f"{app.name}: system call {number} is not there (ENOSYS)")

    def broken_pipe(self, thread: Thread) -> bool:
        """Whether the EPIPE that the call has just given comes with a fatal SIGPIPE."""
        number = thread.x[17]
        if number not in WRITING or thread.app.ignores(SIGPIPE):
            return False
        if thread.sigmask >> SIGPIPE - 1 & 1:
            return False
        flags = {206: thread.x[13], 211: thread.x[12]}.get(number, 0)
        return not flags & MSG_NOSIGNAL
