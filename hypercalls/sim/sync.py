"""Locks in a simulation."""

from __future__ import annotations

from hypercalls.common.sync import SoftSync as Sync

__all__ = ["Sync"]
