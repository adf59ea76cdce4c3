"""The translator's tunables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Config:
    hot: int = 500
    """A block is translated when it has been executed that often."""
    warm: int = 125
    """It may be translated together with one that is hot."""
    small: int = 64
    """Instructions; what has a larger unit of its own is not included in others."""
    patience: int = 4
    """What a unit could include becomes one of its own when it has been met so much more often."""
    steady: int = 200
    """Instructions from one turn of a group of accesses to another, at least (access.py)."""
    most_units: int = 2000
    """Functions kept."""


DEFAULT: Final = Config()
