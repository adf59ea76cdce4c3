"""Binary interchange formats and what every operation shares: modes, flags, the environment.

Theory of operation.  A number is its bit pattern, an unsigned int.  `Format` derives every
constant from the two widths (IEEE 754-2019, section 3.4); each operation is a factory that takes a
format and returns a function closed over the constants it needs, for a closure variable is as fast
as a local and an attribute is not.

A finite number's magnitude is `mag * 2**(exp - bias - fraction_bits)`: `exp` the biased exponent
field, but 1 for subnormal numbers, and `mag` the fraction with the hidden bit where there is one.
Results leave the same way, with `mag` of any size, through rounding.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

# Rounding modes, in RISC-V's encoding (the rm field; F extension, section "Control and Status")
RNE: Final = 0
"""To nearest, ties to even."""
RTZ: Final = 1
"""Towards zero."""
RDN: Final = 2
"""Down."""
RUP: Final = 3
"""Up."""
RMM: Final = 4
"""To nearest, ties to max magnitude."""

# Flags, in the places they have in fcsr
NX: Final = 1
UF: Final = 2
OF: Final = 4
DZ: Final = 8
NV: Final = 16


class Environment(Protocol):
    """Operations OR the exceptions they raise into `fflags`.  A hart is one."""

    fflags: int


Unary = Callable[[Environment, int, int], int]
"""(environment, a, rounding mode) -> bits"""
Binary = Callable[[Environment, int, int, int], int]
"""(environment, a, b, rounding mode) -> bits"""
Ternary = Callable[[Environment, int, int, int, int], int]
"""(environment, a, b, c, rounding mode) -> bits"""
Compare = Callable[[Environment, int, int], int]
"""(environment, a, b) -> 0 or 1; or, for min and max, bits"""


class Format:
    """The constants of one binary format.  Masks and limits are bit patterns."""

    __slots__ = (
        "bias", "default_nan", "exponent_max", "fraction", "fraction_bits", "hidden", "inf",
        "largest", "magnitude", "precision", "quiet", "sign", "sign_shift",
    )  # fmt: skip

    def __init__(self, exponent_bits: int, fraction_bits: int) -> None:
        self.fraction_bits = fraction_bits
        self.precision = fraction_bits + 1
        self.bias = (1 << exponent_bits - 1) - 1
        self.exponent_max = (1 << exponent_bits) - 1
        """The exponent field of infinities and NaNs."""
        self.sign_shift = exponent_bits + fraction_bits
        self.sign = 1 << self.sign_shift
        self.magnitude = self.sign - 1
        self.hidden = 1 << fraction_bits
        self.fraction = self.hidden - 1
        self.quiet = self.hidden >> 1
        """The bit that tells a quiet NaN from a signalling one."""
        self.inf = self.exponent_max << fraction_bits
        self.largest = self.inf - 1
        self.default_nan = self.inf | self.quiet
        """The canonical NaN: what every operation answers that has to make one."""


F32: Final = Format(8, 23)
F64: Final = Format(11, 52)
