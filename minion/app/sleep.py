"""Waiting: one sleeper per app thread, woken by files, futexes, timers, or the end of the app."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EAGAIN
from typing import Final, Protocol, TypeVar

from hypercalls.api import Hypercalls

T = TypeVar("T")
LONGEST_NS: Final = 86_400_000_000_000
"""A day: a timer's 64 bits are fewer than an app's, who then sleeps on."""


class Killed(BaseException):
    """Ends a thread of an app where it waits; nobody but its runner catches it."""


class Watcher(Protocol):
    """Wants to know when a file may be ready."""

    def wake(self) -> None: ...


class Watched(Protocol):
    """A file, as far as waiting for it goes."""

    nonblocking: bool
    watchers: dict[Watcher, None]


class Sleeper:
    """Where a thread waits."""

    def __init__(self, hyper: Hypercalls) -> None:
        self._clock = hyper.clock
        self._mutex = hyper.sync.mutex()
        self._condvar = hyper.sync.condvar()
        self._woken = False
        self.killed = False
        self.rested_ns = self.now()
        """When others last had a turn before this thread's."""

    def now(self) -> int:
        return self._clock.monotonic_ns()

    def wake(self) -> None:
        """Callable in softint context."""
        self._woken = True
        self._condvar.broadcast()

    def kill(self) -> None:
        """What waits here, and whatever wants to, ends by Killed."""
        self.killed = True
        self.wake()

    async def sleep(self, deadline_ns: int | None = None) -> bool:
        """Until woken; False if a monotonic time came first."""
        while not self._woken:
            left = 0 if deadline_ns is None else deadline_ns - self.now()
            if deadline_ns is not None and left <= 0:
                return False
            await self._mutex.enter()
            if deadline_ns is None:
                await self._condvar.wait(self._mutex)
            else:
                await self._condvar.timedwait(self._mutex, min(left, LONGEST_NS))
            self._mutex.exit()
            self.rested_ns = self.now()
        self._woken = False
        if self.killed:
            raise Killed
        return True

    async def watch(self, files: Sequence[Watched], deadline_ns: int | None = None) -> bool:
        """As sleep; any of the files wakes it."""
        for file in files:
            file.watchers[self] = None
        try:
            return await self.sleep(deadline_ns)
        finally:
            for file in files:
                file.watchers.pop(self, None)


async def attempt(
    sleeper: Sleeper,
    file: Watched,
    call: Callable[[], T],
    nonblocking: bool = False,
    deadline_ns: int | None = None,
) -> T:
    """Repeat a call that raises BlockingIOError until it does not.  OSError(EAGAIN): too late."""
    while True:
        try:
            return call()
        except BlockingIOError:
            if nonblocking or file.nonblocking:
                raise
        if not await sleeper.watch([file], deadline_ns):
            raise OSError(EAGAIN, "timed out")
