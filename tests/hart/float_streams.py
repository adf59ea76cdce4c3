"""Blocks of operands to an oracle's stdin, results from its stdout."""

from __future__ import annotations

import subprocess
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import NamedTuple


class Block(NamedTuple):
    operation: int
    mode: int
    cases: Sequence[tuple[int, int, int]]


def ask(command: Sequence[str], blocks: Sequence[Block], answers: int) -> list[list[array[int]]]:
    """The answers to each case of each block: so many 64-bit words."""
    assert sys.byteorder == "little"
    sent = array("Q")
    for operation, mode, cases in blocks:
        sent.extend((operation, mode, len(cases)))
        sent.extend(chain.from_iterable(cases))
    run = subprocess.run(command, input=sent.tobytes(), stdout=subprocess.PIPE, check=True)
    words = array("Q", run.stdout)
    assert len(words) == answers * sum(len(block.cases) for block in blocks)
    each = (words[i : i + answers] for i in range(0, len(words), answers))
    return [list(islice(each, len(block.cases))) for block in blocks]


def padded(cases: Iterable[tuple[int, ...]]) -> list[tuple[int, int, int]]:
    """Three operands, whatever an operation has."""
    return [(*case, 0, 0, 0)[:3] for case in cases]
