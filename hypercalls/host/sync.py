"""Locks on the host: threads are cooperative here too."""

from __future__ import annotations

from hypercalls.common.sync import SoftSync as Sync

__all__ = ["Sync"]
