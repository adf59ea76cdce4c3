"""ARP for IPv4 over Ethernet (RFC 826)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from stack.wire import WireError

PACKET = struct.Struct("!HHBBH6sI6sI")  # hardware, protocol, their lengths, operation, addresses
REQUEST = 1
REPLY = 2


@dataclass(slots=True)
class Arp:
    operation: int
    sender_mac: bytes
    sender_ip: int
    target_mac: bytes
    target_ip: int

    @classmethod
    def parse(cls, buf: memoryview) -> Self:
        if len(buf) < PACKET.size:
            raise WireError("arp: short packet")
        hardware, protocol, hlen, plen, operation, smac, sip, tmac, tip = PACKET.unpack_from(buf)
        if (hardware, protocol, hlen, plen) != (1, 0x0800, 6, 4):
            raise WireError("arp: not IPv4 over Ethernet")
        if operation not in (REQUEST, REPLY):
            raise WireError("arp: unknown operation")
        return cls(operation, smac, sip, tmac, tip)

    def emit(self) -> bytes:
        return PACKET.pack(
            1, 0x0800, 6, 4, self.operation,
            self.sender_mac, self.sender_ip, self.target_mac, self.target_ip,
        )  # fmt: skip
