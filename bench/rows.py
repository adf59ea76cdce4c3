"""What is measured: rows of work, and the ways it can go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Result = dict[str, float]


def gbit(result: Result) -> float:
    return result["bytes"] * 8 / result["seconds"] / 1e9


def rate(result: Result) -> float:
    return result["count"] / result["seconds"]


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    mode: str
    count: int
    """Of MB, round trips, connections or calls, in one run on the minion."""
    unit: str
    value: Callable[[Result], float]
    higher_is_better: bool
    pinned: bool = False
    """Everything (client, server, minion) on one CPU."""


ROWS = [
    Row("bulk out", "out", 2000, "Gbit/s", gbit, True),
    Row("bulk in", "in", 2000, "Gbit/s", gbit, True),
    Row("round trip p50", "rr", 20000, "us", lambda r: r["p50_us"], False),
    Row("round trip p99", "rr", 20000, "us", lambda r: r["p99_us"], False),
    Row("round trip p50, one CPU", "rr", 20000, "us", lambda r: r["p50_us"], False, True),
    Row("round trip p99, one CPU", "rr", 20000, "us", lambda r: r["p99_us"], False, True),
    Row("connections", "conn", 5000, "1/s", rate, True),
    Row("control calls", "ctl", 20000, "1/s", rate, True),
]


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that is to be reached (issue: the spine)."""

    way: str
    row: str
    value: float


TARGETS = [
    Target("tap", "bulk out", 8),
    Target("tap", "bulk in", 5),
    Target("tap", "round trip p50, one CPU", 60),
    Target("tap", "connections", 2500),
    Target("user", "bulk out", 3),
    Target("user", "bulk in", 3),
]
