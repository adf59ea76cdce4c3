"""The host's clocks, CLOCK_MONOTONIC and CLOCK_REALTIME; the reactor keeps the deadlines."""

from __future__ import annotations

import time

from hypercalls.common.clock import SoftClock
from hypercalls.common.scheduler import Scheduler


def clock(scheduler: Scheduler) -> SoftClock:
    return SoftClock(scheduler, time.monotonic_ns, time.time_ns)
