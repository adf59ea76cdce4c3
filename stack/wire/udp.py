"""UDP (RFC 768)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from stack.wire import WireError
from stack.wire.checksum import Bytes, checksum

HEADER = struct.Struct("!HHHH")  # source, destination, length, checksum
HEADER_BYTES = HEADER.size


@dataclass(slots=True)
class Udp:
    src: int
    dst: int
    payload: Bytes

    @classmethod
    def parse(cls, buf: Bytes, pseudo: int, csum_ok: bool = False) -> Self:
        """buf: the IP payload; pseudo: pseudo-header sum with buf's length left out."""
        if len(buf) < HEADER_BYTES:
            raise WireError("udp: short header")
        src, dst, length, sent = HEADER.unpack_from(buf)
        if not HEADER_BYTES <= length <= len(buf):
            raise WireError("udp: bad length")
        # 0 on the wire: the sender computed none
        if sent and not csum_ok and checksum(buf[:length], pseudo + length):
            raise WireError("udp: bad checksum")
        if not dst:
            raise WireError("udp: destination port 0")
        return cls(src, dst, buf[HEADER_BYTES:length])

    def emit(self, pseudo: int) -> bytes:
        length = HEADER_BYTES + len(self.payload)
        payload = bytes(self.payload)
        total = checksum(HEADER.pack(self.src, self.dst, length, 0) + payload, pseudo + length)
        return HEADER.pack(self.src, self.dst, length, total or 0xFFFF) + payload
