"""What a real NIC does with an offloaded frame: complete its checksum, cut it into segments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from struct import pack_into, unpack_from
from typing import Final

ETHERNET: Final = 14
IPV4: Final = 0x0800
UDP_CSUM_OFFSET: Final = 6
TCP_CSUM_OFFSET: Final = 16
FIN_PSH: Final = 0x09
CWR: Final = 0x80


@dataclass(slots=True)
class Packet:
    """A frame on its way, as api.Net.send describes it."""

    data: bytes
    csum_start: int = 0
    csum_offset: int = 0
    gso_size: int = 0
    csum_ok: bool = False


def ones_sum(data: bytes) -> int:
    """RFC 1071's sum, before it is complemented."""
    if len(data) % 2:
        data += b"\0"
    total = int.from_bytes(data, "big")
    return total and (total % 0xFFFF or 0xFFFF)


def complete(packet: Packet) -> Packet:
    """Write the transport checksum the sender left open."""
    start = packet.csum_start
    if not start:
        return packet
    data = bytearray(packet.data)
    total = ~ones_sum(bytes(data[start:])) & 0xFFFF
    if not total and packet.csum_offset == UDP_CSUM_OFFSET:
        total = 0xFFFF  # RFC 768: 0 means that there is none
    pack_into("!H", data, start + packet.csum_offset, total)
    return replace(packet, data=bytes(data), csum_start=0, csum_offset=0)


def segment(packet: Packet) -> list[Packet]:
    """A TCP super-segment as the segments of gso_size bytes that go onto the wire."""
    if not packet.gso_size:
        return [complete(packet)]
    data, tcp = packet.data, packet.csum_start
    assert tcp, "gso: needs an open checksum"
    payload = tcp + (data[tcp + 12] >> 4) * 4
    seq = unpack_from("!I", data, tcp + 4)[0]
    segments = []
    count = max(-(-(len(data) - payload) // packet.gso_size), 1)
    for n in range(count):
        start = payload + n * packet.gso_size
        frame = bytearray(data[:payload] + data[start : start + packet.gso_size])
        pack_into("!I", frame, tcp + 4, seq + n * packet.gso_size & 0xFFFF_FFFF)
        if n:
            frame[tcp + 13] &= ~CWR & 0xFF
        if n < count - 1:
            frame[tcp + 13] &= ~FIN_PSH & 0xFF
        pseudo = _ip_header(frame, tcp, n)
        pack_into("!H", frame, tcp + TCP_CSUM_OFFSET, pseudo)
        segments.append(complete(Packet(bytes(frame), tcp, TCP_CSUM_OFFSET)))
    return segments


def _ip_header(frame: bytearray, tcp: int, n: int) -> int:
    """Fit the IP header to segment n; the pseudo-header's sum."""
    length = len(frame) - tcp
    tail = length.to_bytes(4, "big") + b"\0\0\0\6"
    if unpack_from("!H", frame, 12)[0] == IPV4:
        ident = unpack_from("!H", frame, ETHERNET + 4)[0]
        pack_into("!H", frame, ETHERNET + 2, len(frame) - ETHERNET)
        pack_into("!H", frame, ETHERNET + 4, ident + n & 0xFFFF)
        pack_into("!H", frame, ETHERNET + 10, 0)
        header = ones_sum(bytes(frame[ETHERNET:tcp]))
        pack_into("!H", frame, ETHERNET + 10, ~header & 0xFFFF)
        return ones_sum(bytes(frame[ETHERNET + 12 : ETHERNET + 20]) + tail)
    pack_into("!H", frame, ETHERNET + 4, len(frame) - ETHERNET - 40)
    return ones_sum(bytes(frame[ETHERNET + 8 : ETHERNET + 40]) + tail)
