"""Threads of the minion: the cooperative scheduler, fed by the interrupt controller."""

from __future__ import annotations

from hypercalls.bare.intr import Interrupts
from hypercalls.common.scheduler import Scheduler


def threads(interrupts: Interrupts) -> Scheduler:
    scheduler = Scheduler(interrupts.deliver)
    interrupts.crashed = lambda name, exc: scheduler.crashed(name, exc)
    return scheduler
