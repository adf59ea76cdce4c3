"""IPv4 (RFC 791).  Options are skipped on input (RFC 1122, 3.2.1.8) and never sent."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from stack.wire import WireError
from stack.wire.checksum import Bytes

HEADER = struct.Struct("!BBHHHBBHII")
HEADER_BYTES = HEADER.size
ICMP = 1
TCP = 6
UDP = 17
DONT_FRAGMENT = 0x4000
MORE_FRAGMENTS = 0x2000
OFFSET = 0x1FFF


@dataclass(slots=True)
class Ipv4:
    src: int
    dst: int
    protocol: int
    header_bytes: int
    total_bytes: int
    """Header and payload; link-layer padding excluded."""
    ident: int = 0
    fragment: int = 0
    """The flags and offset field, as on the wire."""
    ttl: int = 64
    tos: int = 0

    @classmethod
    def parse(cls, buf: Bytes, at: int = 0) -> Self:
        """Parse the header at buf[at]; the packet must lie within buf."""
        room = len(buf) - at
        if room < HEADER_BYTES:
            raise WireError("ipv4: short header")
        (version_ihl, tos, total, ident, fragment, ttl, protocol, _sum, src, dst) = (
            HEADER.unpack_from(buf, at)
        )
        header_bytes = (version_ihl & 15) * 4
        if version_ihl >> 4 != 4:
            raise WireError("ipv4: not version 4")
        if not HEADER_BYTES <= header_bytes <= total <= room:
            raise WireError("ipv4: bad length")
        # An intact header sums to 0xffff, which is 0 modulo 0xffff (see checksum.py)
        if int.from_bytes(buf[at : at + header_bytes], "big") % 0xFFFF:
            raise WireError("ipv4: bad header checksum")
        return cls(src, dst, protocol, header_bytes, total, ident, fragment, ttl, tos)

    def emit(self) -> bytes:
        """The header without options; total_bytes must count HEADER_BYTES and the payload."""
        return emit(
            self.src, self.dst, self.protocol, self.total_bytes, self.ident, self.fragment,
            self.ttl, self.tos,
        )  # fmt: skip


def emit(
    src: int, dst: int, protocol: int, total: int, ident: int, fragment: int, ttl: int, tos: int
) -> bytes:
    """A header without options, for the way out, where no object is needed."""
    ttl_protocol = ttl << 8 | protocol
    value = (
        (0x4500 | tos) + total + ident + fragment + ttl_protocol
        + (src >> 16) + (src & 0xFFFF) + (dst >> 16) + (dst & 0xFFFF)
    )  # fmt: skip
    value = (value & 0xFFFF) + (value >> 16)
    value = (value & 0xFFFF) + (value >> 16)
    return HEADER.pack(0x45, tos, total, ident, fragment, ttl, protocol, ~value & 0xFFFF, src, dst)


def is_multicast(address: int) -> bool:
    return address >> 28 == 0xE


def is_loopback(address: int) -> bool:
    return address >> 24 == 127
