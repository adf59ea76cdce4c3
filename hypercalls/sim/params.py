"""Parameters of a simulated host; its name is the one it has in its world."""

from __future__ import annotations

from collections.abc import Mapping

from hypercalls.common.params import DictParams


def params(values: Mapping[str, str], name: str) -> DictParams:
    return DictParams(values, hostname=name)
