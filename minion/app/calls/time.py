"""Clocks and sleeping."""

from __future__ import annotations

from errno import EINVAL
from struct import pack, unpack
from typing import TYPE_CHECKING, Final

from minion.app.process import Thread

if TYPE_CHECKING:
    from minion.app.calls.table import Call

SECOND: Final = 1_000_000_000
REALTIME: Final = frozenset({0, 5, 11})
"""CLOCK_REALTIME, _COARSE, CLOCK_TAI"""
MONOTONIC: Final = frozenset({1, 4, 6, 7})
"""CLOCK_MONOTONIC, _RAW, _COARSE, CLOCK_BOOTTIME"""
CPU: Final = frozenset({2, 3})
"""CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID"""
TIMER_ABSTIME: Final = 1


def timespec_ns(thread: Thread, addr: int) -> int:
    """EFAULT, EINVAL."""
    seconds, nanoseconds = unpack("<qq", thread.app.space.read(addr, 16))
    if seconds < 0 or not 0 <= nanoseconds < SECOND:
        raise OSError(EINVAL, "bad timespec")
    return int(seconds) * SECOND + int(nanoseconds)


def now_ns(thread: Thread, clock: int) -> int:
    """EINVAL."""
    source = thread.app.kernel.hyper.clock
    if clock in REALTIME:
        return source.wall_ns()
    if clock in MONOTONIC:
        return source.monotonic_ns()
    if clock in CPU:  # of the modelled core
        hart = thread.app.hart
        return hart.cycles * SECOND // hart.cost.clock_hz
    raise OSError(EINVAL, "no such clock")


def put_timespec(thread: Thread, addr: int, value_ns: int) -> None:
    thread.app.space.write(addr, pack("<qq", *divmod(value_ns, SECOND)))


def clock_gettime(thread: Thread, clock: int, addr: int, *_: int) -> int:
    put_timespec(thread, addr, now_ns(thread, clock))
    return 0


def clock_getres(thread: Thread, clock: int, addr: int, *_: int) -> int:
    now_ns(thread, clock)
    if addr:
        put_timespec(thread, addr, 100)  # mtime counts at 10 MHz
    return 0


def gettimeofday(thread: Thread, addr: int, *_: int) -> int:
    if addr:
        seconds, rest = divmod(thread.app.kernel.hyper.clock.wall_ns(), SECOND)
        thread.app.space.write(addr, pack("<qq", seconds, rest // 1000))
    return 0


async def clock_nanosleep(thread: Thread, clock: int, flags: int, request: int, *_: int) -> int:
    span = timespec_ns(thread, request)
    if flags & TIMER_ABSTIME:
        span -= now_ns(thread, clock)
    deadline = thread.sleeper.now() + span
    while await thread.sleeper.sleep(deadline):
        pass  # woken by a file it watched before: not what it waits for now
    return 0


async def nanosleep(thread: Thread, request: int, *_: int) -> int:
    return await clock_nanosleep(thread, 1, 0, request)


def times(thread: Thread, addr: int, *_: int) -> int:
    if addr:
        ticks = now_ns(thread, 2) // (SECOND // 100)
        thread.app.space.write(addr, pack("<4q", ticks, 0, 0, 0))
    return thread.app.kernel.hyper.clock.monotonic_ns() // (SECOND // 100)


def getrusage(thread: Thread, _who: int, addr: int, *_: int) -> int:
    seconds, rest = divmod(now_ns(thread, 2), SECOND)
    words = [seconds, rest // 1000, 0, 0, thread.app.space.resident_bytes >> 10, *[0] * 13]
    thread.app.space.write(addr, pack("<18q", *words))
    return 0


TABLE: Final[dict[int, Call]] = {
    101: nanosleep,
    113: clock_gettime,
    114: clock_getres,
    115: clock_nanosleep,
    153: times,
    165: getrusage,
    169: gettimeofday,
}
