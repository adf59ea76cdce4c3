"""Memory on the host: Python's own, within a limit."""

from __future__ import annotations

from hypercalls.common.memory import HeapMemory as Memory

__all__ = ["Memory"]
