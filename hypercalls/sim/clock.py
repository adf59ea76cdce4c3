"""Virtual time: it stands still while anybody has work, and then jumps to the next deadline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hypercalls.common.clock import SoftClock
from hypercalls.common.scheduler import Scheduler

EPOCH_NS: Final = 1_700_000_000_000_000_000
"""The wall time at which every simulation starts."""


def clock(scheduler: Scheduler, now_ns: Callable[[], int]) -> SoftClock:
    return SoftClock(scheduler, now_ns, lambda: EPOCH_NS + now_ns())
