"""Randomness from a seed: the same in every run, and not for keys."""

from __future__ import annotations

from random import Random


class SeededRandom:
    """api.Random."""

    def __init__(self, seed: str) -> None:
        self._random = Random(seed)

    def getrandom(self, length: int) -> bytes:
        return self._random.randbytes(length)
