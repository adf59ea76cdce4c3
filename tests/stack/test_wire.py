"""Codecs: golden bytes, round trips, every truncation, and nothing but WireError on noise."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from stack.wire import WireError, dhcp, dns, dotted, icmp, ipv4, tcp, udp, undotted
from stack.wire.arp import REPLY, REQUEST, Arp
from stack.wire.checksum import checksum, fold, partial, pseudo_header
from stack.wire.dhcp import Dhcp
from stack.wire.dns import Dns, Question, Record
from stack.wire.ethernet import Ethernet
from stack.wire.icmp import Icmp
from stack.wire.ipv4 import Ipv4
from stack.wire.tcp import Options, Tcp
from stack.wire.udp import Udp

A, B = undotted("10.0.0.1"), undotted("192.168.0.199")
MACS = st.binary(min_size=6, max_size=6)
U8, U16, U32 = (st.integers(0, (1 << n) - 1) for n in (8, 16, 32))


# -- checksum


def rfc1071(data: bytes) -> int:
    """The loop of RFC 1071, 4.1, word by word."""
    total = 0
    for at in range(0, len(data) - 1, 2):
        total += data[at] << 8 | data[at + 1]
    if len(data) % 2:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@given(st.binary(max_size=200))
def test_checksum_is_rfc_1071s(data: bytes) -> None:
    assert checksum(data) == rfc1071(data)
    assert checksum(memoryview(data)) == rfc1071(data)
    assert partial(data) == ~rfc1071(data) & 0xFFFF


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 8, b"\xff" * 8, b"\xff\xff\0", b"\0\1\xff\xfe", b"\x01"]
)
def test_checksum_of_the_two_zeros(data: bytes) -> None:
    assert checksum(data) == rfc1071(data)


@given(st.binary(max_size=64).map(lambda b: b + bytes(len(b) % 2)), st.binary(max_size=64), U32)
def test_checksum_in_parts(first: bytes, second: bytes, pseudo: int) -> None:
    whole = checksum(first + second, pseudo)
    assert whole == ~fold(partial(first) + partial(second) + pseudo) & 0xFFFF


def test_checksum_of_rfc_1071s_example() -> None:
    assert partial(bytes.fromhex("0001f203f4f5f6f7")) == 0xDDF2


# -- addresses


@given(U32)
def test_dotted(address: int) -> None:
    assert undotted(dotted(address)) == address


@pytest.mark.parametrize(
    "text",
    ["", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.-4", "a.b.c.d", "1..2.3", "1.2.3.0004"],
)  # fmt: skip
def test_undotted_rejects(text: str) -> None:
    with pytest.raises(ValueError, match="not an IPv4 address"):
        undotted(text)


# -- golden bytes

ETHERNET = bytes.fromhex("ffffffffffff 0200000000010806".replace(" ", ""))
ARP = bytes.fromhex("0001080006040001 020000000001 0a000001 000000000000 0a000002".replace(" ", ""))
# The header that everybody's textbook has
IPV4 = bytes.fromhex("4500003c1c4640004006b1e6ac100a63ac100a0c")
UDP = bytes.fromhex("c0003039000b") + b"\x71\xf7" + b"abc"
ICMP = bytes.fromhex("08004d5a00010001") + b"\0" * 0


def test_golden_ethernet() -> None:
    assert Ethernet(b"\xff" * 6, bytes.fromhex("020000000001"), 0x806).emit() == ETHERNET
    assert Ethernet.parse(memoryview(ETHERNET)).ethertype == 0x806


def test_golden_arp() -> None:
    arp = Arp(REQUEST, bytes.fromhex("020000000001"), A, bytes(6), undotted("10.0.0.2"))
    assert arp.emit() == ARP
    assert Arp.parse(memoryview(ARP + bytes(18))) == arp


def test_golden_ipv4() -> None:
    header = Ipv4.parse(IPV4 + bytes(40))
    assert (dotted(header.src), dotted(header.dst)) == ("172.16.10.99", "172.16.10.12")
    assert (header.protocol, header.ttl, header.ident) == (6, 64, 0x1C46)
    assert (header.header_bytes, header.total_bytes) == (20, 60)
    assert header.fragment == ipv4.DONT_FRAGMENT
    assert header.emit() == IPV4


def test_golden_icmp_echo() -> None:
    data = bytes(range(0x61, 0x78)) + bytes(range(0x61, 0x6A))  # Windows' ping
    message = bytes.fromhex("08004d5a00010001") + data
    echo = Icmp.parse(message)
    assert (echo.type, echo.code, echo.rest) == (icmp.ECHO, 0, 0x10001)
    assert echo.emit() == message


def test_golden_udp() -> None:
    pseudo = pseudo_header(A, B, 17, 0)
    golden = Udp(49152, 12345, b"abc").emit(pseudo)
    assert golden[:6] == bytes.fromhex("c0003039000b")
    head = A.to_bytes(4, "big") + B.to_bytes(4, "big") + bytes((0, 17, 0, 11))
    assert int.from_bytes(golden[6:8], "big") == rfc1071(head + golden[:6] + b"\0\0abc")


def test_golden_tcp_syn() -> None:
    """A SYN of Linux's: MSS, SACK permitted, timestamps, NOP, window scale."""
    golden = bytes.fromhex(
        "c4880050 1f2e3d4c 00000000 a002faf0 0000 0000"
        "020405b4 0402 080a 0102030400000000 01 030307".replace(" ", "")
    )
    syn = Tcp.parse(memoryview(golden), 0, len(golden), 0, True)
    assert (syn.src, syn.dst, syn.seq) == (50312, 80, 0x1F2E3D4C)
    assert (syn.flags, syn.window, syn.length) == (tcp.SYN, 64240, 0)
    assert Options.parse(syn.options) == Options(1460, 7)
    assert tcp.emit(50312, 80, 0x1F2E3D4C, 0, tcp.SYN, 64240, 0, golden[20:]) == golden


def test_options_are_emitted_in_whole_words() -> None:
    assert Options(1460, 7).emit() == bytes.fromhex("020405b401030307")
    assert Options(536).emit() == bytes.fromhex("02040218")
    assert Options().emit() == b""


def test_golden_dns() -> None:
    query = Dns(0xABCD, dns.RECURSION_DESIRED, [Question("example.com", dns.A)]).emit()
    assert query == bytes.fromhex(
        "abcd01000001000000000001 07 6578616d706c65 03 636f6d 00 0001 0001"
        "00 0029 04d0 00000000 0000".replace(" ", "")
    )
    answer = bytes.fromhex(
        "abcd81800001000200000000 07 6578616d706c65 03 636f6d 00 0001 0001"
        "c00c 0005 0001 0000003c 0006 03 777777 c00c"
        "c029 0001 0001 0000003c 0004 5db8d822".replace(" ", "")
    )
    parsed = Dns.parse(answer)
    assert parsed.questions == [Question("example.com", dns.A)]
    assert parsed.answers == [
        Record("example.com", dns.CNAME, 60, "www.example.com"),
        Record("www.example.com", dns.A, 60, bytes.fromhex("5db8d822")),
    ]


def test_golden_dhcp() -> None:
    message = Dhcp(
        dhcp.BOOTREQUEST, 0x12345678, dhcp.DISCOVER, bytes.fromhex("020000000001")
    ).emit()
    assert len(message) == 300
    assert message[:8] == bytes.fromhex("0101060012345678")
    assert message[28:34] == bytes.fromhex("020000000001")
    assert message[236:244] == bytes.fromhex("63825363350101ff")


# -- round trips

PSEUDO = pseudo_header(A, B, 17, 0)


@given(MACS, MACS, st.integers(0x600, 0xFFFF))
def test_ethernet_round_trip(dst: bytes, src: bytes, ethertype: int) -> None:
    header = Ethernet(dst, src, ethertype)
    assert Ethernet.parse(memoryview(header.emit())) == header


@given(st.sampled_from([REQUEST, REPLY]), MACS, U32, MACS, U32)
def test_arp_round_trip(op: int, smac: bytes, sip: int, tmac: bytes, tip: int) -> None:
    arp = Arp(op, smac, sip, tmac, tip)
    assert Arp.parse(memoryview(arp.emit())) == arp


@given(U32, U32, U8, st.binary(max_size=64), U16, U16, U8, U8)
def test_ipv4_round_trip(
    src: int, dst: int, protocol: int, data: bytes, ident: int, fragment: int, ttl: int, tos: int
) -> None:
    header = Ipv4(src, dst, protocol, 20, 20 + len(data), ident, fragment, ttl, tos)
    raw = header.emit()
    assert rfc1071(raw) == 0
    assert Ipv4.parse(raw + data + b"padding") == header
    assert Ipv4.parse(b"shift" + raw + data, 5) == header


@given(U16, U16.filter(bool), st.binary(max_size=100))
def test_udp_round_trip(src: int, dst: int, payload: bytes) -> None:
    raw = Udp(src, dst, payload).emit(PSEUDO)
    assert raw[6:8] != b"\0\0"  # 0 would say that there is no checksum
    assert Udp.parse(raw, PSEUDO) == Udp(src, dst, payload)
    unsummed = raw[:6] + b"\0\0" + raw[8:]
    assert Udp.parse(unsummed, PSEUDO).payload == payload
    for bit in (0, 17, 33):
        spoilt = bytearray(raw)
        spoilt[bit // 8] ^= 1 << bit % 8
        with pytest.raises(WireError):
            Udp.parse(bytes(spoilt), PSEUDO)


@given(U8, U8, U32, st.binary(max_size=100))
def test_icmp_round_trip(kind: int, code: int, rest: int, payload: bytes) -> None:
    message = Icmp(kind, code, rest, payload)
    assert Icmp.parse(message.emit()) == message


@given(
    U16.filter(bool), U16.filter(bool), U32, U32, st.integers(0, 63), U16, st.binary(max_size=99),
    st.sampled_from([b"", b"\2\4\5\xb4", b"\1\1\1\0"]),
)  # fmt: skip
def test_tcp_round_trip(
    src: int, dst: int, seq: int, ack: int, flags: int, window: int, data: bytes, options: bytes
) -> None:
    blank = tcp.emit(src, dst, seq, ack, flags, window, 0, options) + data
    pseudo = pseudo_header(A, B, 6, len(blank))
    total = checksum(blank, pseudo)
    raw = memoryview(b"??" + tcp.emit(src, dst, seq, ack, flags, window, total, options) + data)
    segment = Tcp.parse(raw, 2, len(raw), pseudo, False)
    assert (segment.src, segment.dst, segment.seq, segment.ack) == (src, dst, seq, ack)
    assert (segment.flags, segment.window, bytes(segment.options)) == (flags, window, options)
    assert bytes(raw[segment.at :]) == data
    assert segment.length == len(data)
    with pytest.raises(WireError):
        Tcp.parse(raw, 2, len(raw), pseudo + 1, False)


LABELS = st.text("abcdefghijklmnopqrstuvwxyz-_0123456789", min_size=1, max_size=63)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join).filter(lambda n: len(n) < 250)
RECORDS = st.one_of(
    st.builds(Record, NAMES, st.just(dns.A), U32, st.binary(min_size=4, max_size=4)),
    st.builds(Record, NAMES, st.sampled_from([dns.CNAME, dns.PTR]), U32, NAMES),
    st.builds(Record, NAMES, st.just(16), U32, st.binary(max_size=50)),
)


@given(
    U16, U16, st.lists(st.builds(Question, NAMES, U16), max_size=2), st.lists(RECORDS, max_size=3)
)
def test_dns_round_trip(
    ident: int, flags: int, questions: list[Question], answers: list[Record]
) -> None:
    message = Dns(ident, flags, questions, answers)
    assert Dns.parse(message.emit()) == message


@given(
    st.sampled_from([1, 2]), U32, st.integers(1, 8), MACS, U32, U32, U32,
    st.dictionaries(st.integers(1, 254).filter(lambda n: n != 53), st.binary(max_size=40)),
)  # fmt: skip
def test_dhcp_round_trip(
    op: int, xid: int, kind: int, mac: bytes, your: int, server: int, client: int,
    options: dict[int, bytes],
) -> None:  # fmt: skip
    message = Dhcp(op, xid, kind, mac, your, server, client, options)
    assert Dhcp.parse(message.emit()) == message


def test_dhcp_long_options_are_joined() -> None:
    """RFC 3396."""
    raw = Dhcp(2, 1, dhcp.ACK, bytes(6), options={6: b"\1\2\3\4"}).emit()
    end = raw.index(b"\xff", 240)
    twice = raw[:end] + b"\0\x06\4\5\6\7\x08\xff"
    assert Dhcp.parse(twice).options[6] == b"\1\2\3\4\5\6\7\x08"


# -- truncations and noise


def parse_tcp(raw: bytes) -> Tcp:
    return Tcp.parse(memoryview(raw), 0, len(raw), 0, True)


def parse_udp(raw: bytes) -> Udp:
    return Udp.parse(raw, 0, True)


def parse_options(raw: bytes) -> Options:
    return Options.parse(raw)


PARSERS: dict[str, tuple[Callable[[Any], object], bytes]] = {
    "ethernet": (lambda raw: Ethernet.parse(memoryview(raw)), ETHERNET),
    "arp": (lambda raw: Arp.parse(memoryview(raw)), ARP),
    "ipv4": (Ipv4.parse, IPV4 + bytes(40)),
    "icmp": (Icmp.parse, Icmp(8, 0, 1, b"payload").emit()),
    "udp": (parse_udp, Udp(1, 2, b"payload").emit(0)),
    "tcp": (parse_tcp, tcp.emit(1, 2, 3, 4, tcp.SYN, 5, 0, Options(1460, 7).emit())),
    "dns": (
        Dns.parse,
        Dns(1, 0x8180, [Question("a.example", 1)], [Record("a.example", 5, 1, "b.example")]).emit(),
    ),
    "dhcp": (Dhcp.parse, Dhcp(2, 1, 2, bytes(6), options={54: b"\1\2\3\4"}).emit()[:254]),
}


@pytest.mark.parametrize("name", PARSERS)
def test_every_truncation_is_rejected(name: str) -> None:
    parse, golden = PARSERS[name]
    parse(golden)
    for length in range(len(golden)):
        if name == "dhcp" and length in (243, *range(249, 254)):
            continue  # only the end option is missing
        with pytest.raises(WireError):
            parse(golden[:length])


@pytest.mark.parametrize("name", [*PARSERS, "options"])
def test_noise_gives_nothing_but_wire_errors(name: str) -> None:
    parse, golden = (parse_options, b"\2\4\5\xb4\1\3\3\7") if name == "options" else PARSERS[name]

    @given(st.one_of(st.binary(max_size=400), st.lists(st.tuples(U16, U8), max_size=8)))
    def noise(what: bytes | list[tuple[int, int]]) -> None:
        raw = bytearray(golden)
        if isinstance(what, bytes):
            raw[:] = what
        else:  # a legal message with some bytes changed reaches deeper
            for at, value in what:
                raw[at % len(raw)] = value
        try:
            parse(bytes(raw))
        except WireError:
            pass

    noise()


# -- particular malice


def name_at_12(raw: bytes) -> bytes:
    return struct.pack("!HHHHHH", 1, 0x8180, 1, 0, 0, 0) + raw


@pytest.mark.parametrize(
    "raw",
    [
        b"\xc0\x0c\0\1\0\1",  # points at itself
        b"\xc0\x0e\xc0\x0c\0\1\0\1",  # two that point at each other
        b"\1a\xc0\x0c\0\1\0\1",  # grows at each turn
        b"\xc0\xff\0\1\0\1",  # points forward, out of the message
        b"\x40abc\0\0\1\0\1",  # reserved label types
        b"\x80abc\0\0\1\0\1",
        b"\xc0",
        b"\x3f" + b"a" * 62,
        b"\3a\xffc\0\0\1\0\1",  # not ASCII
        (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1",  # 256 bytes
    ],
)
def test_hostile_dns_names(raw: bytes) -> None:
    with pytest.raises(WireError):
        Dns.parse(name_at_12(raw))


def test_dns_names_may_be_255_bytes() -> None:
    raw = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0\0\1\0\1"
    assert len(Dns.parse(name_at_12(raw)).questions[0].name) == 253


def test_dns_counts_are_not_believed() -> None:
    with pytest.raises(WireError):
        Dns.parse(struct.pack("!HHHHHH", 1, 0x8180, 0xFFFF, 0xFFFF, 0, 0))


def test_many_pointers_take_no_long_time() -> None:
    """Each points to the one before: quadratic at worst, in a message of 64 kB."""
    raw = b"\0" + b"".join(
        struct.pack("!H", 0xC000 | max(12, 13 + 2 * (n - 1))) for n in range(8000)
    )
    with pytest.raises(WireError):
        Dns.parse(struct.pack("!HHHHHH", 1, 0x8180, 0, 3, 0, 0) + raw[:1] + raw)


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("localhost", True), ("a.b.c.", True), ("", False), (".", False), ("a..b", False),
        ("a" * 63, True), ("a" * 64, False), (".".join(["a" * 50] * 5), False), ("ä.de", False),
        ("a b", True), ("a\nb", False), ("x" * 254, False),
    ],
)  # fmt: skip
def test_valid_names(name: str, valid: bool) -> None:
    assert dns.valid_name(name) == valid


@pytest.mark.parametrize("at", range(20))
def test_ipv4_header_bits_are_summed(at: int) -> None:
    spoilt = bytearray(IPV4 + bytes(40))
    spoilt[at] ^= 0x10
    with pytest.raises(WireError):
        Ipv4.parse(spoilt)


def test_ipv4_options_are_skipped() -> None:
    """MUST-50."""
    raw = bytearray(IPV4[:20] + b"\x83\x03\x04\0" + bytes(36))
    raw[0] = 0x46
    raw[10:12] = b"\0\0"
    raw[10:12] = rfc1071(bytes(raw[:24])).to_bytes(2, "big")
    assert Ipv4.parse(raw).header_bytes == 24


def test_udp_length_beyond_the_packet() -> None:
    raw = bytearray(Udp(1, 2, b"abc").emit(0))
    for length in (0, 7, 12, 0xFFFF):
        raw[4:6] = length.to_bytes(2, "big")
        with pytest.raises(WireError):
            parse_udp(bytes(raw))


def test_udp_padding_is_left_out() -> None:
    raw = Udp(1, 2, b"abc").emit(PSEUDO) + b"padding"
    assert Udp.parse(raw, PSEUDO).payload == b"abc"


@pytest.mark.parametrize("offset", [0, 4, 6, 15])
def test_tcp_data_offset(offset: int) -> None:
    raw = bytearray(tcp.emit(1, 2, 3, 4, tcp.ACK, 5, 0))
    raw[12] = offset << 4
    with pytest.raises(WireError):
        parse_tcp(bytes(raw))


def test_port_0_is_nobodys() -> None:
    for ports in ((0, 5), (5, 0)):
        with pytest.raises(WireError):
            parse_tcp(tcp.emit(*ports, 3, 4, tcp.ACK, 5, 0))
    with pytest.raises(WireError):
        parse_udp(Udp(5, 0, b"").emit(0))


def test_udp_ipv4_protocol_numbers() -> None:
    assert (ipv4.ICMP, ipv4.TCP, ipv4.UDP, udp.HEADER_BYTES) == (1, 6, 17, 8)
