"""The Internet checksum (RFC 1071).

Theory of operation.  The one's complement sum of 16-bit words is the number that the bytes spell,
modulo 2**16 - 1, because 2**16 is 1 there.  One big-integer division in C replaces the loop.
"""

from __future__ import annotations

Bytes = bytes | bytearray | memoryview


def partial(data: Bytes) -> int:
    """The folded one's complement sum of data, an odd last byte padded with zero: 0 to 0xffff."""
    value = int.from_bytes(data, "big")
    if len(data) & 1:
        value <<= 8
    # 0xffff and 0 are the same number; only all-zero data sums to 0 in the RFC's loop.
    return value % 0xFFFF or (0xFFFF if value else 0)


def fold(value: int) -> int:
    """A sum of 16-bit words folded to 16 bits."""
    while value > 0xFFFF:
        value = (value & 0xFFFF) + (value >> 16)
    return value


def checksum(data: Bytes, pseudo: int = 0) -> int:
    """What goes into a checksum field; 0 when data with its checksum in place is intact."""
    return ~fold(partial(data) + pseudo) & 0xFFFF


def pseudo_header(src: int, dst: int, protocol: int, length: int) -> int:
    """The unfolded sum of the pseudo-header (RFC 9293, 3.1; RFC 768)."""
    return (src >> 16) + (src & 0xFFFF) + (dst >> 16) + (dst & 0xFFFF) + protocol + length
