"""Locks of the minion: one hart and cooperative threads, so nothing to add."""

from __future__ import annotations

from hypercalls.common.sync import SoftSync as Sync

__all__ = ["Sync"]
