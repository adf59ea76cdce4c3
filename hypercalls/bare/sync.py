"""Locks of the minion: one hart, cooperative threads, nothing to add."""

from __future__ import annotations

from hypercalls.common.sync import SoftSync as sync

__all__ = ["sync"]
