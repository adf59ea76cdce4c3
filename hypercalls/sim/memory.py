"""Memory in a simulation: the same as on the host, so that running out of it can be tested."""

from __future__ import annotations

from hypercalls.common.memory import HeapMemory as Memory

__all__ = ["Memory"]
