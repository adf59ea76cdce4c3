"""api.Sync on cooperative threads: owner fields and queues, no memory barriers to think of.

A lock is handed over by the one who leaves it, before the next owner runs: there is no window in
which a third thread could take it, so first come, first served holds without loops.
"""

from __future__ import annotations

from collections import deque

from hypercalls.api import Mutex as AnyMutex
from hypercalls.common.clock import SoftClock
from hypercalls.common.scheduler import Scheduler, Task, park


class Mutex:
    """api.Mutex."""

    __slots__ = ("_scheduler", "_waiting", "owner")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiting: deque[Task] = deque()
        self.owner: Task | None = None

    async def enter(self) -> None:
        me = self._scheduler.running()
        if self.owner is None:
            self.owner = me
            return
        if self.owner is me:
            raise RuntimeError("mutex: locking against myself")
        self._waiting.append(me)
        await park()

    def tryenter(self) -> bool:
        if self.owner is not None:
            return False
        self.owner = self._scheduler.running()
        return True

    def exit(self) -> None:
        if self.owner is None or self.owner is not self._scheduler.current:
            raise RuntimeError("mutex: not owner")
        if self._waiting:
            self.owner = self._waiting.popleft()
            self._scheduler.wake(self.owner)
        else:
            self.owner = None


class Rwlock:
    """api.Rwlock.  Who finds anybody waiting waits behind them; the first waiting is a writer."""

    __slots__ = ("_readers", "_scheduler", "_waiting", "_writer")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._readers: list[Task] = []
        self._writer: Task | None = None
        self._waiting: deque[tuple[Task, bool]] = deque()

    async def enter(self, write: bool) -> None:
        me = self._scheduler.running()
        if self._writer is me:
            raise RuntimeError("rwlock: locking against myself")
        if not self.tryenter(write):
            self._waiting.append((me, write))
            await park()

    def tryenter(self, write: bool) -> bool:
        if self._writer is not None or self._waiting or (write and self._readers):
            return False
        self._take(self._scheduler.running(), write)
        return True

    def tryupgrade(self) -> bool:
        me = self._scheduler.running()
        if me not in self._readers:
            raise RuntimeError("rwlock: not a reader")
        if len(self._readers) > 1:
            return False
        self._readers.clear()
        self._writer = me
        return True

    def downgrade(self) -> None:
        me = self._scheduler.running()
        if self._writer is not me:
            raise RuntimeError("rwlock: not the writer")
        self._writer = None
        self._readers.append(me)
        self._admit()

    def exit(self) -> None:
        me = self._scheduler.running()
        if self._writer is me:
            self._writer = None
        elif me in self._readers:
            self._readers.remove(me)
        else:
            raise RuntimeError("rwlock: not holder")
        self._admit()

    def held(self, write: bool) -> bool:
        return self._writer is not None if write else bool(self._readers)

    def _take(self, task: Task, write: bool) -> None:
        if write:
            self._writer = task
        else:
            self._readers.append(task)

    def _admit(self) -> None:
        while self._waiting and self._writer is None:
            task, write = self._waiting[0]
            if write and self._readers:
                return
            self._waiting.popleft()
            self._take(task, write)
            self._scheduler.wake(task)


class Condvar:
    """api.Condvar."""

    __slots__ = ("_clock", "_scheduler", "_waiting")

    def __init__(self, scheduler: Scheduler, clock: SoftClock) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._waiting: dict[Task, None] = {}

    async def wait(self, mutex: AnyMutex) -> None:
        self._leave(mutex)
        await park()
        await mutex.enter()

    async def timedwait(self, mutex: AnyMutex, timeout_ns: int) -> bool:
        me = self._scheduler.running()
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            del self._waiting[me]
            self._scheduler.wake(me)

        self._leave(mutex)
        timer = self._clock.call_in(timeout_ns, expire)
        while me in self._waiting:
            await park()
        timer.cancel()
        await mutex.enter()
        return not expired

    def _leave(self, mutex: AnyMutex) -> None:
        mutex.exit()
        self._waiting[self._scheduler.running()] = None

    def signal(self) -> None:
        if self._waiting:
            task = next(iter(self._waiting))
            del self._waiting[task]
            self._scheduler.wake(task)

    def broadcast(self) -> None:
        while self._waiting:
            self.signal()

    @property
    def has_waiters(self) -> bool:
        return bool(self._waiting)


class SoftSync:
    """api.Sync."""

    def __init__(self, scheduler: Scheduler, clock: SoftClock) -> None:
        self._scheduler = scheduler
        self._clock = clock

    def mutex(self) -> Mutex:
        return Mutex(self._scheduler)

    def rwlock(self) -> Rwlock:
        return Rwlock(self._scheduler)

    def condvar(self) -> Condvar:
        return Condvar(self._scheduler, self._clock)
