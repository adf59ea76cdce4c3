"""Parameters of the minion, handed over by the board as a boot loader hands over a command line."""

from __future__ import annotations

from collections.abc import Mapping

from hypercalls.common.params import DictParams


def params(values: Mapping[str, str]) -> DictParams:
    return DictParams(values, hostname="minion")
