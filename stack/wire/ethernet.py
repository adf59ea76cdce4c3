"""Ethernet II (RFC 894)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from stack.wire import WireError

HEADER_BYTES = 14
IPV4 = 0x0800
ARP = 0x0806
BROADCAST = b"\xff" * 6


@dataclass(slots=True)
class Ethernet:
    dst: bytes
    src: bytes
    ethertype: int

    @classmethod
    def parse(cls, frame: memoryview) -> Self:
        if len(frame) < HEADER_BYTES:
            raise WireError("ethernet: short frame")
        ethertype = frame[12] << 8 | frame[13]
        if ethertype < 0x600:  # IEEE 802.3: a length, not a type
            raise WireError("ethernet: 802.3 length")
        return cls(bytes(frame[0:6]), bytes(frame[6:12]), ethertype)

    def emit(self) -> bytes:
        return self.dst + self.src + self.ethertype.to_bytes(2, "big")
