"""NaNs: what is one, which ones signal, and the one answer to them."""

from __future__ import annotations

from collections.abc import Callable

from minion.hart.softfloat.format import NV, Environment, Format


def signalling(fmt: Format) -> Callable[[int], bool]:
    magnitude, inf, quiet = fmt.magnitude, fmt.inf, fmt.quiet

    def is_signalling(a: int) -> bool:
        return a & magnitude > inf and not a & quiet

    return is_signalling


def nan_answer(fmt: Format) -> Callable[..., int]:
    """RISC-V never propagates a payload (F extension, section "NaN Generation and Propagation")."""
    is_signalling, default_nan = signalling(fmt), fmt.default_nan

    def answer(env: Environment, *operands: int) -> int:
        """The result of an operation one of whose operands is a NaN."""
        if any(map(is_signalling, operands)):
            env.fflags |= NV
        return default_nan

    return answer
