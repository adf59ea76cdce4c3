"""DHCP messages (RFC 2131, figure 1; options: RFC 2132)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Self

from stack.wire import WireError
from stack.wire.checksum import Bytes

FIXED = struct.Struct("!BBBBIHHIIII16s64s128sI")
COOKIE = 0x63825363
SERVER_PORT, CLIENT_PORT = 67, 68
BOOTREQUEST, BOOTREPLY = 1, 2
BROADCAST = 0x8000
"""The flag of a client that has no address yet, or not the one it will be given."""
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
PAD, NETMASK, ROUTER, DNS, HOSTNAME, REQUESTED, LEASE, KIND, SERVER, WANTED, END = (
    0, 1, 3, 6, 12, 50, 51, 53, 54, 55, 255,
)  # fmt: skip


@dataclass(slots=True)
class Dhcp:
    op: int
    xid: int
    kind: int
    mac: bytes
    your_ip: int = 0
    server_ip: int = 0
    client_ip: int = 0
    options: dict[int, bytes] = field(default_factory=dict)
    """All but the message type."""

    @classmethod
    def parse(cls, buf: Bytes) -> Self:
        if len(buf) < FIXED.size:
            raise WireError("dhcp: short message")
        op, htype, hlen, _, xid, _, _, client, your, server, _, chaddr, _, _, cookie = (
            FIXED.unpack_from(buf)
        )
        if op not in (BOOTREQUEST, BOOTREPLY) or (htype, hlen) != (1, 6) or cookie != COOKIE:
            raise WireError("dhcp: not DHCP over Ethernet")
        options: dict[int, bytes] = {}
        at = FIXED.size
        while at < len(buf) and buf[at] != END:
            code = buf[at]
            if code == PAD:
                at += 1
                continue
            if at + 2 > len(buf) or at + 2 + buf[at + 1] > len(buf):
                raise WireError("dhcp: bad option length")
            options[code] = options.get(code, b"") + bytes(buf[at + 2 : at + 2 + buf[at + 1]])
            at += 2 + buf[at + 1]
        kind = options.pop(KIND, b"")
        if len(kind) != 1:
            raise WireError("dhcp: no message type")
        return cls(op, xid, kind[0], chaddr[:6], your, server, client, options)

    def emit(self) -> bytes:
        out = FIXED.pack(
            self.op, 1, 6, 0, self.xid, 0, 0 if self.client_ip else BROADCAST,
            self.client_ip, self.your_ip, self.server_ip, 0, self.mac, b"", b"", COOKIE,
        )  # fmt: skip
        out += bytes((KIND, 1, self.kind))
        for code, value in self.options.items():
            out += bytes((code, len(value))) + value
        out += bytes((END,))
        return out.ljust(300, b"\0")  # RFC 951: BOOTP relays expect 300 bytes

    def address(self, code: int) -> int | None:
        """The first address of an option."""
        value = self.options.get(code, b"")
        return int.from_bytes(value[:4], "big") if len(value) >= 4 else None
