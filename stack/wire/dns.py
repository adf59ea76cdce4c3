"""DNS messages (RFC 1035; EDNS(0): RFC 6891)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Self

from stack.wire import WireError
from stack.wire.checksum import Bytes

HEADER = struct.Struct("!HHHHHH")
A, CNAME, PTR, AAAA, OPT = 1, 5, 12, 28, 41
IN = 1
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
RESPONSE, TRUNCATED, RECURSION_DESIRED, RECURSION_AVAILABLE = 0x8000, 0x0200, 0x0100, 0x0080
UDP_BYTES = 1232
"""What we say we can take (RFC 6891, 6.2.5; the value agreed on DNS flag day 2020)."""


@dataclass(slots=True)
class Question:
    name: str
    """Labels joined by dots, without the last dot."""
    type: int


@dataclass(slots=True)
class Record:
    name: str
    type: int
    ttl_s: int
    data: bytes | str
    """A name for CNAME and PTR, else the raw bytes."""


@dataclass(slots=True)
class Dns:
    ident: int
    flags: int
    questions: list[Question]
    answers: list[Record] = field(default_factory=list)

    @property
    def rcode(self) -> int:
        return self.flags & 15

    @classmethod
    def parse(cls, buf: Bytes) -> Self:
        if len(buf) < HEADER.size:
            raise WireError("dns: short header")
        ident, flags, questions, answers, _authority, _additional = HEADER.unpack_from(buf)
        message = cls(ident, flags, [])
        at = HEADER.size
        for _ in range(questions):
            name, at = _parse_name(buf, at)
            if at + 4 > len(buf):
                raise WireError("dns: short question")
            message.questions.append(Question(name, int.from_bytes(buf[at : at + 2], "big")))
            at += 4
        for _ in range(answers):
            record, at = _parse_record(buf, at)
            message.answers.append(record)
        return message

    def emit(self) -> bytes:
        edns = not self.flags & RESPONSE
        out = HEADER.pack(
            self.ident, self.flags, len(self.questions), len(self.answers), 0, int(edns)
        )
        for question in self.questions:
            out += _emit_name(question.name) + struct.pack("!HH", question.type, IN)
        for record in self.answers:
            data = record.data if isinstance(record.data, bytes) else _emit_name(record.data)
            out += _emit_name(record.name)
            out += struct.pack("!HHIH", record.type, IN, record.ttl_s, len(data)) + data
        if edns:
            out += b"\0" + struct.pack("!HHIH", OPT, UDP_BYTES, 0, 0)
        return out


def valid_name(name: str) -> bool:
    """Whether a host name can be asked for (RFC 1035, 2.3.4)."""
    if not name or len(name) > 253 or not name.isascii() or not name.isprintable():
        return False
    return all(0 < len(label) <= 63 for label in name.removesuffix(".").split("."))


def _emit_name(name: str) -> bytes:
    out = b""
    for label in name.removesuffix(".").split(".") if name else ():
        raw = label.encode("ascii")
        out += bytes((len(raw),)) + raw
    return out + b"\0"


def _parse_name(buf: Bytes, at: int) -> tuple[str, int]:
    """A name and where it ends; compression pointers may only point backwards."""
    labels: list[str] = []
    end, total, limit = 0, 0, at
    while True:
        if at >= len(buf):
            raise WireError("dns: name runs out of the message")
        length = buf[at]
        if length >= 0xC0:
            if at + 2 > len(buf):
                raise WireError("dns: short pointer")
            target = (length & 0x3F) << 8 | buf[at + 1]
            end = end or at + 2
            if target >= limit:
                raise WireError("dns: pointer does not point back")
            at = limit = target
            continue
        if length > 63:
            raise WireError("dns: bad label")
        if not length:
            return ".".join(labels), end or at + 1
        label = bytes(buf[at + 1 : at + 1 + length])
        total += length + 1
        if len(label) < length or total > 254:
            raise WireError("dns: bad name")
        try:
            labels.append(label.decode("ascii"))
        except UnicodeDecodeError:
            raise WireError("dns: name is not ASCII") from None
        at += 1 + length


def _parse_record(buf: Bytes, at: int) -> tuple[Record, int]:
    name, at = _parse_name(buf, at)
    if at + 10 > len(buf):
        raise WireError("dns: short record")
    kind, _class, ttl, length = struct.unpack_from("!HHIH", buf, at)
    at += 10
    if at + length > len(buf):
        raise WireError("dns: short data")
    data: bytes | str = bytes(buf[at : at + length])
    if kind in (CNAME, PTR):
        data, _ = _parse_name(buf, at)
    elif kind == A and length != 4:
        raise WireError("dns: bad address")
    return Record(name, kind, ttl, data), at + length
