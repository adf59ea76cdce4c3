"""api.Clock above a source of time: any number of sleeping threads, and the one alarm."""

from __future__ import annotations

from collections.abc import Callable

from hypercalls.common.scheduler import Scheduler, Task, park
from hypercalls.common.timers import Timer, Timers


class SoftClock:
    """The owner calls `tick` when `next_ns` has come; there is no other timer interrupt."""

    def __init__(
        self, scheduler: Scheduler, now_ns: Callable[[], int], wall_ns: Callable[[], int]
    ) -> None:
        self.monotonic_ns = now_ns
        self.wall_ns = wall_ns
        self._scheduler = scheduler
        self._timers = Timers()
        self._alarm_ns: int | None = None
        self._on_alarm: Callable[[], None] | None = None
        self.changed = True
        """A deadline was set since the owner last took this back."""

    async def sleep(self, duration_ns: int) -> None:
        self.wake_at(self.monotonic_ns() + duration_ns, self._scheduler.running())
        await park()

    def wake_at(self, deadline_ns: int, task: Task) -> Timer:
        self.changed = True
        return self._timers.call_at(deadline_ns, lambda: self._scheduler.wake(task))

    def call_in(self, duration_ns: int, func: Callable[[], None]) -> Timer:
        """func is called in interrupt context."""
        self.changed = True
        return self._timers.call_at(self.monotonic_ns() + duration_ns, func)

    def on_alarm(self, handler: Callable[[], None]) -> None:
        self._on_alarm = handler

    def set_alarm(self, deadline_ns: int | None) -> None:
        self.changed = True
        self._alarm_ns = deadline_ns

    def next_ns(self) -> int | None:
        """When tick is to be called next."""
        alarm, timer = self._alarm_ns, self._timers.next_ns()
        if alarm is None or (timer is not None and timer < alarm):
            return timer
        return alarm

    def tick(self) -> None:
        """The timer interrupt: everything whose time has come."""
        now = self.monotonic_ns()
        alarm = self._alarm_ns
        if alarm is not None and alarm <= now:
            self._alarm_ns = None
            if self._on_alarm is not None:
                self._scheduler.interrupt(self._on_alarm)
        while (func := self._timers.pop_due(now)) is not None:
            self._scheduler.interrupt(func)
