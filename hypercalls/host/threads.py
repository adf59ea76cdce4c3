"""Threads on the host: one scheduler, whose interrupts are the reactor's handlers."""

from __future__ import annotations

from hypercalls.common.scheduler import Scheduler as Threads

__all__ = ["Threads"]
