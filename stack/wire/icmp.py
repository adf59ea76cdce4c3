"""ICMP (RFC 792): echo and errors."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from stack.wire import WireError
from stack.wire.checksum import Bytes, checksum

HEADER = struct.Struct("!BBHI")
ECHO_REPLY = 0
UNREACHABLE = 3
SOURCE_QUENCH = 4
REDIRECT = 5
ECHO = 8
TIME_EXCEEDED = 11
PARAMETER_PROBLEM = 12
ERRORS = frozenset((UNREACHABLE, SOURCE_QUENCH, REDIRECT, TIME_EXCEEDED, PARAMETER_PROBLEM))

NET_UNREACHABLE, HOST_UNREACHABLE, PROTOCOL_UNREACHABLE, PORT_UNREACHABLE = 0, 1, 2, 3
FRAGMENTATION_NEEDED, ADMIN_PROHIBITED = 4, 13


@dataclass(slots=True)
class Icmp:
    type: int
    code: int
    rest: int
    """The header's second word: identifier and sequence, or unused and next-hop MTU."""
    payload: Bytes

    @classmethod
    def parse(cls, buf: Bytes) -> Self:
        if len(buf) < HEADER.size:
            raise WireError("icmp: short header")
        if checksum(buf):
            raise WireError("icmp: bad checksum")
        kind, code, _sum, rest = HEADER.unpack_from(buf)
        return cls(kind, code, rest, buf[HEADER.size :])

    def emit(self) -> bytes:
        payload = bytes(self.payload)
        total = checksum(HEADER.pack(self.type, self.code, 0, self.rest) + payload)
        return HEADER.pack(self.type, self.code, total, self.rest) + payload
