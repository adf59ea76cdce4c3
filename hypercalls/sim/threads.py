"""Threads in a simulation: one scheduler per host, run by the world in a fixed order."""

from __future__ import annotations

from hypercalls.common.scheduler import Scheduler as Threads

__all__ = ["Threads"]
