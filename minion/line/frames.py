"""Frames on the line: flag, stuffed body, flag; the body ends in its CRC-32 (as HDLC, RFC 1662).

body:  kind u8, number u16, seq u32, ack u32, payload, crc32 u32   (little-endian)
7e     starts and ends a frame; 7e and 7d in the body are sent as 7d 5e and 7d 5d
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

FLAG = b"\x7e"
HEADER = Struct("<BHII")
CRC = Struct("<I")
OVERHEAD_BYTES = HEADER.size + CRC.size
PAYLOAD_MAX = 8192
STUFFED_MAX = 2 * (PAYLOAD_MAX + OVERHEAD_BYTES)

Frame = tuple[int, int, int, int, bytes]
"""(kind, number, seq, ack, payload)"""


def emit(kind: int, number: int, seq: int, ack: int, payload: bytes) -> bytes:
    body = HEADER.pack(kind, number, seq, ack) + payload
    body += CRC.pack(crc32(body))
    return FLAG + body.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e") + FLAG


def parse(stuffed: bytes) -> Frame | None:
    """What stands between two flags; None if it is damaged."""
    body = stuffed
    if b"\x7d" in body:
        body = body.replace(b"\x7d\x5e", b"\x7e").replace(b"\x7d\x5d", b"\x7d")
    end = len(body) - CRC.size
    if end < HEADER.size or CRC.unpack_from(body, end)[0] != crc32(body[:end]):
        return None
    kind, number, seq, ack = HEADER.unpack_from(body)
    return kind, number, seq, ack, body[HEADER.size : end]


class Deframer:
    """Finds frames in a stream of bytes; damaged and endless ones are counted and skipped."""

    __slots__ = ("_rest", "bad_frames", "noise_bytes")

    def __init__(self) -> None:
        self._rest = b""
        self.bad_frames = 0
        self.noise_bytes = 0

    def input(self, data: bytes) -> list[Frame]:
        parts = (self._rest + data).split(FLAG)
        self._rest = parts.pop()
        if len(self._rest) > STUFFED_MAX:
            self.noise_bytes += len(self._rest)
            self._rest = b""
        frames: list[Frame] = []
        for part in parts:
            if not part:
                continue  # between the end of one frame and the start of the next
            frame = parse(part)
            if frame is None:
                self.bad_frames += 1
            else:
                frames.append(frame)
        return frames
