"""Codecs.  An object that exists is legal: `parse` rejects everything else, `emit` cannot fail."""

from __future__ import annotations


class WireError(Exception):
    """The peer sent something that is not what its header says.  Counted, and dropped."""


def dotted(address: int) -> str:
    """An IPv4 address in text."""
    return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def undotted(text: str) -> int:
    """An IPv4 address from its four decimal parts.  ValueError on anything else."""
    parts = text.split(".")
    if len(parts) != 4 or not all(p.isascii() and p.isdigit() and len(p) <= 3 for p in parts):
        raise ValueError(f"not an IPv4 address: {text!r}")
    value = 0
    for part in parts:
        if int(part) > 255:
            raise ValueError(f"not an IPv4 address: {text!r}")
        value = value << 8 | int(part)
    return value
