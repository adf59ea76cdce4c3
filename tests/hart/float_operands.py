"""Operands that floating point goes wrong on: corners, and random patterns of several kinds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from random import Random

from float_model import Layout

LONG = "MINION_LONG" in os.environ
"""The long campaign: minutes, not seconds."""


def corners(layout: Layout) -> list[int]:
    """Both signs of each."""
    one = layout.bias << layout.fraction_bits
    least_normal = 1 << layout.fraction_bits
    infinity = layout.infinity(False)
    quiet = 1 << layout.fraction_bits - 1
    half = layout.fraction_bits // 2
    magnitudes = [
        0, 1, 2, 3, quiet, least_normal - 1, least_normal, least_normal + 1, 2 * least_normal - 1,
        2 * least_normal, one - least_normal, one - 1, one, one + 1, one + quiet, one + quiet + 1,
        one + least_normal, one + least_normal + quiet, one + (1 << half), one + (1 << half + 1),
        one + layout.fraction_bits * least_normal, one + (layout.fraction_bits + 1) * least_normal,
        one // 2 & -least_normal, (one // 2 & -least_normal) + quiet, infinity - least_normal,
        infinity - 2, infinity - 1, infinity, infinity + 1, infinity + quiet, infinity + quiet + 5,
    ]  # fmt: skip
    return [layout.zero(sign) + bits for bits in magnitudes for sign in (False, True)]


def few(layout: Layout) -> list[int]:
    """A third of the corners, for the oracles that are slow."""
    found = corners(layout)
    return found[::6] + found[1::6]


def pairs(values: list[int]) -> list[tuple[int, int]]:
    return list(product(values, repeat=2))


class Patterns:
    """Random operands; the same seed, the same operands."""

    def __init__(self, layout: Layout, seed: int) -> None:
        self.layout = layout
        self.random = Random(seed)
        self.corners = corners(layout)

    def one(self, near: int | None = None) -> int:
        """Any number; with `near`, often one of its order, so that sums cancel."""
        layout, random = self.layout, self.random
        top = (1 << layout.exponent_bits) - 1
        kind = random.randrange(8)
        if kind == 0:
            return random.choice(self.corners)
        if kind == 1:
            return random.getrandbits(layout.width)
        if near is not None and kind < 5:
            field = (near >> layout.fraction_bits & top) + random.randint(-3, 3)
        elif kind < 6:
            field = layout.bias + random.randint(-60, 60)
        elif kind == 6:  # products of these end near the limits
            field = (top >> 2 if random.random() < 0.5 else 3 * top >> 2) + random.randint(-3, 3)
        else:
            field = random.choice((0, 1, 2, 3, layout.fraction_bits, top - 2, top - 1))
        field = min(max(field, 0), top - 1)
        return (random.getrandbits(1) << layout.exponent_bits | field) << layout.fraction_bits | (
            self.fraction()
        )

    def fraction(self) -> int:
        """Random, sparse (halfway cases), or nearly all ones (carries)."""
        random, bits = self.random, self.layout.fraction_bits
        kind = random.randrange(4)
        if kind == 0:
            return random.getrandbits(bits)
        sparse = sum({1 << random.randrange(bits) for _ in range(random.randint(0, 3))})
        if kind == 1:
            return sparse
        if kind == 2:
            return (1 << bits) - 1 ^ sparse
        return random.getrandbits(bits) >> random.randrange(bits)

    def two(self) -> tuple[int, int]:
        a = self.one()
        return a, self.one(a)

    def three(self) -> tuple[int, int, int]:
        """For a * b + c: c is often of the order of the product."""
        layout, top = self.layout, (1 << self.layout.exponent_bits) - 1
        a, b = self.two()
        exponents = sum(bits >> layout.fraction_bits & top for bits in (a, b)) - layout.bias
        near = min(max(exponents, 0), top - 1) << layout.fraction_bits
        if self.random.randrange(3):
            near += (1 << layout.fraction_bits) * self.random.randint(-2, 2)
        return a, b, self.one(max(near, 0))

    def integer(self) -> int:
        """64 bits, of any length, often near a power of two."""
        bits = self.random.getrandbits(64) >> self.random.randrange(64)
        if self.random.randrange(3) == 0:
            bits = (1 << self.random.randrange(64)) + self.random.randint(-2, 2)
        if self.random.randrange(2):
            bits = -bits
        return bits % 2**64

    def stream(self, count: int) -> Iterator[tuple[int, int, int]]:
        for _ in range(count):
            yield self.three()
