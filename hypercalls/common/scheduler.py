"""Cooperative threads and softints on one rump CPU, shared by all three implementations.

Theory of operation.  A thread is a coroutine; it runs when the scheduler sends None into it, and it
blocks by `await park()`, which yields None up to the scheduler.  Whoever unblocks it calls `wake`,
exactly once per park, so nobody has to loop on a condition.  One round of `run` delivers
interrupts, then runs the softints that were scheduled by then, and one thread when no softint is
left.  The number of rounds is bounded: a machine under endless load still lets its host poll.
"""

from __future__ import annotations

import sys
import traceback
from collections import deque
from collections.abc import Callable, Generator
from types import coroutine
from typing import Protocol

from hypercalls.api import Main

ROUNDS = 512
"""Rounds before run() gives its caller a turn: some milliseconds of ordinary work."""


@coroutine
def park() -> Generator[None, None, None]:
    """Block the calling thread until somebody passes it to Scheduler.wake."""
    yield


def print_crash(name: str, exc: BaseException) -> None:
    """The default of every `crashed` hook."""
    print(f"{name} crashed:", file=sys.stderr)
    traceback.print_exception(exc, file=sys.stderr)


class Task:
    """api.Thread."""

    __slots__ = ("_joiners", "_scheduler", "finished", "main", "name")

    def __init__(self, scheduler: Scheduler, main: Main, name: str) -> None:
        self._scheduler = scheduler
        self._joiners: list[Task] = []
        self.main = main
        self.name = name
        self.finished = False

    async def join(self) -> None:
        if not self.finished:
            self._joiners.append(self._scheduler.running())
            await park()

    def finish(self) -> None:
        self.finished = True
        for joiner in self._joiners:
            self._scheduler.wake(joiner)
        self._joiners.clear()


class Softint:
    """api.Softint."""

    __slots__ = ("_append", "handler", "pending")

    def __init__(self, append: Callable[[Softint], None], handler: Callable[[], None]) -> None:
        self._append = append
        self.handler = handler
        self.pending = False

    def schedule(self) -> None:
        if not self.pending:
            self.pending = True
            self._append(self)


class Signals(Protocol):
    """What says that interrupts are pending: on the minion, the hart."""

    mip: int


class AlwaysLook:
    """Where there is nothing to look at, `deliver` finds out."""

    mip = 1


class Scheduler:
    """api.Threads."""

    def __init__(self, deliver: Callable[[], bool] | None = None) -> None:
        """deliver runs the handlers of pending interrupts; True if there were any."""
        self.crashed: Callable[[str, BaseException], None] = print_crash
        self.current: Task | None = None
        self._deliver = deliver or self._deliver_posted
        self.signals: Signals = AlwaysLook()
        """Interrupts are only delivered while its mip is not 0."""
        self._posted: deque[Callable[[], None]] = deque()
        self._softints: deque[Softint] = deque()
        self._runnable: deque[Task] = deque()
        self._live: dict[Task, None] = {}
        self._paused = False

    def create(self, main: Main, name: str) -> Task:
        task = Task(self, main, name)
        self._live[task] = None
        self._runnable.append(task)
        return task

    def softint(self, handler: Callable[[], None]) -> Softint:
        return Softint(self._softints.append, handler)

    async def yield_(self) -> None:
        self._runnable.append(self.running())
        await park()

    async def pause(self) -> None:
        self._paused = True
        await self.yield_()

    def running(self) -> Task:
        """The calling thread; RuntimeError in interrupt context and in softints."""
        if self.current is None:
            raise RuntimeError("only a thread may block or own a lock")
        return self.current

    def wake(self, task: Task) -> None:
        """Make a parked thread runnable."""
        self._runnable.append(task)

    def post(self, handler: Callable[[], None]) -> None:
        """Have handler called in interrupt context, where there is no interrupt controller."""
        self._posted.append(handler)

    @property
    def idle(self) -> bool:
        """Nothing to do until the next interrupt."""
        return not (self._posted or self._softints or self._runnable)

    def run(self) -> bool:
        """Interrupts, softints, threads, until nothing is left; True: call again, there is more."""
        deliver = self._deliver
        softints = self._softints
        runnable = self._runnable
        signals = self.signals
        rounds = 0
        while rounds < ROUNDS:
            rounds += 1
            interrupted = deliver() if signals.mip else False
            worked = False
            if softints:
                worked = True
                for _ in range(len(softints)):
                    softint = softints.popleft()
                    softint.pending = False
                    try:
                        softint.handler()
                    except Exception as exc:
                        self.crashed(f"softint {softint.handler.__qualname__}", exc)
                if softints:
                    continue
            if runnable:
                self._step(runnable.popleft())
                if self._paused:
                    self._paused = False
                    return True
            elif not interrupted and not (worked and signals.mip):
                return False  # what a softint does may raise an interrupt within this very call
        return True

    def _step(self, task: Task) -> None:
        """Run a thread until it blocks or ends."""
        self.current = task
        try:
            task.main.send(None)
        except StopIteration:
            self._end(task)
        except Exception as exc:
            self._end(task)
            self.crashed(f"thread {task.name}", exc)
        except BaseException:  # KeyboardInterrupt: not the thread's, and not ours to hold up
            self._end(task)
            raise
        finally:
            self.current = None

    def _end(self, task: Task) -> None:
        del self._live[task]
        task.finish()

    def _deliver_posted(self) -> bool:
        posted = self._posted
        if not posted:
            return False
        for _ in range(len(posted)):
            self.interrupt(posted.popleft())
        return True

    def interrupt(self, handler: Callable[[], None]) -> None:
        """Call an interrupt handler; if it fails, only that is lost."""
        try:
            handler()
        except Exception as exc:
            self.crashed(f"interrupt {getattr(handler, '__qualname__', handler)}", exc)

    def close(self) -> None:
        """End all threads where they stand (power off)."""
        self._softints.clear()
        self._posted.clear()
        self._runnable.clear()
        for task in list(self._live):
            task.main.close()
        self._live.clear()
        self._runnable.clear()
