"""Where the machine for machine code has what the rump kernel's board lacks."""

from __future__ import annotations

from typing import Final

ROM: Final = 0x1000
ROM_LENGTH: Final = 0xF000
FINISHER: Final = 0x10_0000
"""QEMU's places."""
