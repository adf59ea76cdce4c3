"""Packets of GDB's remote serial protocol (the GDB manual, appendix E.1): $data#checksum."""

from __future__ import annotations

from typing import Final

PACKET_MAX: Final = 0x4000
"""What qSupported says; a longer packet is dropped."""
ACK: Final = b"+"
NAK: Final = b"-"
INTERRUPT: Final = b"\x03"
DAMAGED: Final = b"!"
TOO_LONG: Final = b"?"
START: Final = ord("$")
END: Final = ord("#")
ESCAPE: Final = ord("}")
REPEAT: Final = ord("*")
SPECIAL: Final = frozenset((START, END, ESCAPE, REPEAT))


def escape(data: bytes) -> bytes:
    """Binary data for a packet."""
    if not any(byte in SPECIAL for byte in data):
        return data
    out = bytearray()
    for byte in data:
        out += bytes((ESCAPE, byte ^ 0x20)) if byte in SPECIAL else bytes((byte,))
    return bytes(out)


def unescape(data: bytes) -> bytes:
    out = bytearray()
    escaped = False
    for byte in data:
        if escaped:
            out.append(byte ^ 0x20)
            escaped = False
        elif byte == ESCAPE:
            escaped = True
        else:
            out.append(byte)
    return bytes(out)


def frame(payload: bytes) -> bytes:
    return b"$%b#%02x" % (payload, sum(payload) & 0xFF)


class Receiver:
    """Bytes to packets.  Whatever arrives, it holds no more than one packet."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inside = False
        self._tail = 0
        """How many of the two digits of the checksum are still to come."""
        self._dropped = False

    def feed(self, data: bytes) -> list[bytes]:
        """In order: packets ($ and what it held), ACK, NAK, INTERRUPT, DAMAGED, TOO_LONG."""
        found: list[bytes] = []
        for byte in data:
            if self._tail:
                self._checksum(byte, found)
            elif self._inside:
                self._body(byte)
            elif byte == START:
                self._buffer.clear()
                self._inside, self._dropped = True, False
            elif byte in b"+-\x03":
                found.append(bytes((byte,)))
        return found

    def _body(self, byte: int) -> None:
        if byte == START:  # the other side gave up on the packet and starts anew
            self._buffer.clear()
            self._dropped = False
        elif byte == END:
            self._inside, self._tail = False, 2
            self._buffer.append(byte)
        elif len(self._buffer) < PACKET_MAX:
            self._buffer.append(byte)
        else:
            self._dropped = True

    def _checksum(self, byte: int, found: list[bytes]) -> None:
        self._buffer.append(byte)
        self._tail -= 1
        if self._tail:
            return
        payload, digits = bytes(self._buffer[:-3]), bytes(self._buffer[-2:])
        self._buffer.clear()
        if self._dropped:
            found.append(TOO_LONG)
        elif digits.lower() == b"%02x" % (sum(payload) & 0xFF):
            found.append(b"$" + payload)
        else:
            found.append(DAMAGED)
