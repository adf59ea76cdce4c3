"""TCP segments (RFC 9293, 3.1; window scale: RFC 7323, section 2)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from stack.wire import WireError
from stack.wire.checksum import Bytes, checksum

HEADER = struct.Struct("!HHIIHHHH")
HEADER_BYTES = HEADER.size
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
FLAGS = 0x3F

END, NOP, MSS, WINDOW_SCALE = 0, 1, 2, 3
WINDOW_SCALE_MAX = 14  # RFC 7323, 2.3


@dataclass(slots=True)
class Options:
    """What a SYN says about its sender; None: not said."""

    mss: int | None = None
    window_scale: int | None = None

    @classmethod
    def parse(cls, buf: Bytes) -> Self:
        options = cls()
        at, end = 0, len(buf)
        while at < end:
            kind = buf[at]
            if kind == END:
                break
            if kind == NOP:
                at += 1
                continue
            if at + 2 > end or not 2 <= (length := buf[at + 1]) <= end - at:
                break  # MUST-7: what is before it counts, as on Linux
            if kind == MSS and length == 4:
                options.mss = buf[at + 2] << 8 | buf[at + 3]
            elif kind == WINDOW_SCALE and length == 3:
                options.window_scale = min(buf[at + 2], WINDOW_SCALE_MAX)
            at += length  # MUST-6: others are ignored
        return options

    def emit(self) -> bytes:
        out = b""
        if self.mss is not None:
            out += bytes((MSS, 4)) + self.mss.to_bytes(2, "big")
        if self.window_scale is not None:
            out += bytes((NOP, WINDOW_SCALE, 3, self.window_scale))
        return out


@dataclass(slots=True)
class Tcp:
    src: int
    dst: int
    seq: int
    ack: int
    flags: int
    window: int
    urgent: int
    options: Bytes
    """Unparsed: a segment after the handshake has none that matter here."""
    at: int
    """Where the payload starts in the buffer that was parsed."""
    length: int
    """Bytes of payload."""

    @classmethod
    def parse(cls, buf: memoryview, at: int, end: int, pseudo: int, csum_ok: bool) -> Self:
        """Parse the segment buf[at:end]; pseudo: pseudo-header sum, the length included."""
        if end - at < HEADER_BYTES:
            raise WireError("tcp: short header")
        src, dst, seq, ack, offset_flags, window, _sum, urgent = HEADER.unpack_from(buf, at)
        payload_at = at + (offset_flags >> 12) * 4
        if not at + HEADER_BYTES <= payload_at <= end:
            raise WireError("tcp: bad data offset")
        if not csum_ok and checksum(buf[at:end], pseudo):
            raise WireError("tcp: bad checksum")  # MUST-3
        if not src or not dst:
            raise WireError("tcp: port 0")
        options: Bytes = b""
        if payload_at > at + HEADER_BYTES:
            options = buf[at + HEADER_BYTES : payload_at]
        return cls(src, dst, seq, ack, offset_flags & FLAGS, window, urgent, options,
                   payload_at, end - payload_at)  # fmt: skip


def emit(
    src: int, dst: int, seq: int, ack: int, flags: int, window: int, total: int,
    options: bytes = b"",
) -> bytes:  # fmt: skip
    """A header; total is what goes into the checksum field, options a multiple of 4 bytes."""
    offset_flags = (HEADER_BYTES + len(options)) << 10 | flags
    return HEADER.pack(src, dst, seq, ack, offset_flags, window, total, 0) + options
