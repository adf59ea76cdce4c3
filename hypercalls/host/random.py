"""Randomness: the kernel's."""

from __future__ import annotations

import os


class OsRandom:
    """api.Random."""

    def getrandom(self, length: int) -> bytes:
        return os.urandom(length)
