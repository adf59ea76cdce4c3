"""The one event loop of a process: epoll, timers, and idle functions.

Theory of operation.  One turn: wait in epoll, call the handler of each event, then the timers that
are due, then what other threads asked for, then the idle functions, whose earliest deadline bounds
the next wait.  An idle function runs a machine until it has nothing left to do.  When it made work
for another one (a frame on a hub, bytes on a line), whoever carries that work calls `again`, and
all idle functions run once more before the loop waits.

epoll counts milliseconds; a deadline is in nanoseconds.  Waits of less than PRECISE_NS are done by
select on the epoll descriptor, which takes microseconds: no deadline is early, none spins, and one
200 us away is not four times late.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from hypercalls.common.scheduler import print_crash
from hypercalls.common.timers import Timer, Timers

IN: Final = select.EPOLLIN
OUT: Final = select.EPOLLOUT
RDHUP: Final = select.EPOLLRDHUP
HUP: Final = select.EPOLLHUP
ERR: Final = select.EPOLLERR

BATCH: Final = 256
PASSES: Final = 64
"""Over the idle functions in one turn, before the loop looks at its descriptors again."""
PRECISE_NS: Final = 1_500_000
SELECT_MAX: Final = 1024
"""select's FD_SETSIZE: an epoll descriptor beyond it waits in milliseconds."""

Handler = Callable[[int], None]
Idle = Callable[[], int | None]


def holds(event: tuple[int, int]) -> bool:
    """Who hung up goes first: epoll tells the events of one turn in no order of their times, and a
    program that has closed one socket may have asked for something on another after that."""
    return not event[1] & HUP


class Reactor:
    """Not thread-safe, but for call_soon_threadsafe and stop."""

    def __init__(self) -> None:
        self.crashed: Callable[[str, BaseException], None] = print_crash
        self._epoll = select.epoll()
        self._fd = self._epoll.fileno()
        self._handlers: dict[int, Handler] = {}
        self._fresh: set[int] = set()
        self._timers = Timers()
        self._idle: list[Idle] = []
        self._again = False
        self._due: int | None = 0
        self._stopping = False
        self._soon: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.register(self._wake_fd, IN, self._woken)

    # -- descriptors

    def register(self, fd: int, events: int, handler: Handler) -> None:
        """Call handler(mask) when events come; HUP and ERR always do.  events may have EPOLLET."""
        self._epoll.register(fd, events)
        self._handlers[fd] = handler
        self._fresh.add(fd)

    def modify(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, events)

    def unregister(self, fd: int) -> None:
        """Call before the descriptor is closed.  No event of this turn reaches the handler."""
        if self._handlers.pop(fd, None) is not None:
            try:
                self._epoll.unregister(fd)
            except OSError:  # closed already, which took it out of the set
                pass

    # -- time and other threads

    def call_at(self, deadline_ns: int, func: Callable[[], None]) -> Timer:
        """Call func once time.monotonic_ns() has reached deadline_ns; Timer.cancel() undoes it."""
        return self._timers.call_at(deadline_ns, func)

    def call_soon_threadsafe(self, func: Callable[[], None]) -> None:
        """Have func called by the loop; from any thread."""
        self._soon.append(func)
        self._wake()

    def _wake(self) -> None:
        with self._lock:
            if self._wake_fd >= 0:
                os.eventfd_write(self._wake_fd, 1)

    def _woken(self, _mask: int) -> None:
        os.eventfd_read(self._wake_fd)
        for _ in range(len(self._soon)):
            func = self._soon.popleft()
            try:
                func()
            except Exception as exc:
                self._report(func, exc)

    # -- machines

    def add_idle(self, func: Idle) -> None:
        """Call func after every batch.  It works until it has nothing left to do.

        It returns when to call it next (monotonic ns; now or earlier: at once), or None.
        """
        self._idle.append(func)
        self._due = 0

    def remove_idle(self, func: Idle) -> None:
        self._idle.remove(func)

    def again(self) -> None:
        """There is new work for an idle function that may have run already in this turn."""
        self._again = True

    # -- the loop

    def run(self) -> None:
        """Turn until stop."""
        self._stopping = False
        while not self._stopping:
            self.run_once(True)

    def stop(self) -> None:
        """Let run return after this turn; from any thread."""
        self._stopping = True
        self._wake()

    def run_once(self, block: bool) -> None:
        """One turn; if block, wait for an event or deadline first."""
        events = self._wait() if block else self._epoll.poll(0, BATCH)
        if events:
            if len(events) > 1:
                events.sort(key=holds)
            handlers = self._handlers
            fresh = self._fresh
            if fresh:
                fresh.clear()
            for fd, mask in events:
                handler = handlers.get(fd)
                if handler is None or (fresh and fd in fresh):
                    continue  # unregistered in this turn; its number may be in use again
                try:
                    handler(mask)
                except Exception as exc:
                    self._report(handler, exc)
        if self._timers.heap:
            self._run_timers()
        self._due = self._run_idle()

    def _wait(self) -> list[tuple[int, int]]:
        due = self._due
        if self._timers.heap:
            timer = self._timers.next_ns()
            if timer is not None and (due is None or timer < due):
                due = timer
        if due is None:
            return self._epoll.poll(-1, BATCH)
        left = due - time.monotonic_ns() if due else 0
        if left <= 0:
            return self._epoll.poll(0, BATCH)
        if left < PRECISE_NS and self._fd < SELECT_MAX:
            select.select((self._fd,), (), (), left / 1e9)
            return self._epoll.poll(0, BATCH)
        return self._epoll.poll(left / 1e9, BATCH)  # rounded up to milliseconds by Python

    def _run_timers(self) -> None:
        now = time.monotonic_ns()
        while (func := self._timers.pop_due(now)) is not None:
            try:
                func()
            except Exception as exc:
                self._report(func, exc)

    def _run_idle(self) -> int | None:
        passes = 0
        while passes < PASSES:
            passes += 1
            self._again = False
            due: int | None = None
            for func in self._idle:
                try:
                    wanted = func()
                except Exception as exc:
                    self._report(func, exc)
                    continue
                if wanted is not None and (due is None or wanted < due):
                    due = wanted
            if not self._again:
                return due
        return 0

    def _report(self, func: Callable[..., object], exc: BaseException) -> None:
        self.crashed(getattr(func, "__qualname__", repr(func)), exc)

    def close(self) -> None:
        with self._lock:
            os.close(self._wake_fd)
            self._wake_fd = -1
        self._epoll.close()
