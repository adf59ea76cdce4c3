"""IPv4, ARP, ICMP and UDP of one stack against a bare NIC."""

from __future__ import annotations

import struct
from errno import EADDRINUSE, EADDRNOTAVAIL, ECONNREFUSED, EDESTADDRREQ, EMSGSIZE, ENETUNREACH
from itertools import pairwise, permutations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from script import PEER, US, Lab, lab

from stack.config import MS, SECOND, Config
from stack.wire import dotted, ethernet, icmp, ipv4, undotted
from stack.wire.arp import REPLY, REQUEST, Arp
from stack.wire.checksum import pseudo_header
from stack.wire.ethernet import Ethernet
from stack.wire.icmp import Icmp
from stack.wire.ipv4 import Ipv4
from stack.wire.udp import Udp

BROADCAST = undotted("255.255.255.255")
DIRECTED = undotted("10.0.0.255")


def packet(
    payload: bytes, protocol: int = ipv4.UDP, src: int = PEER, dst: int = US, ident: int = 7,
    fragment: int = 0, ttl: int = 64,
) -> bytes:  # fmt: skip
    return Ipv4(src, dst, protocol, 20, 20 + len(payload), ident, fragment, ttl).emit() + payload


def datagram(
    payload: bytes, port: int = 9, src: int = PEER, dst: int = US, source_port: int = 4000
) -> bytes:
    return Udp(source_port, port, payload).emit(pseudo_header(src, dst, ipv4.UDP, 0))


def send_udp(
    t: Lab, payload: bytes, port: int = 9, src: int = PEER, dst: int = US, **kw: int
) -> None:
    t.wire.send_ip(packet(datagram(payload, port, src, dst, **kw), src=src, dst=dst))


def fragments(
    data: bytes, cuts: list[int], ident: int = 7, protocol: int = ipv4.UDP
) -> list[bytes]:
    """data cut at multiples of 8 bytes."""
    edges = [0, *[c * 8 for c in cuts], len(data)]
    out = []
    for start, end in pairwise(edges):
        more = ipv4.MORE_FRAGMENTS if end < len(data) else 0
        piece = data[start:end]
        out.append(packet(piece, protocol, ident=ident, fragment=more | start // 8))
    return out


def icmps(t: Lab) -> list[Icmp]:
    out = []
    for raw in t.wire.take():
        header = Ipv4.parse(raw)
        if header.protocol == ipv4.ICMP:
            out.append(Icmp.parse(raw[20 : header.total_bytes]))
    return out


# -- reassembly


def test_fragments_in_every_order() -> None:
    data = datagram(bytes(range(256)))
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        pieces = fragments(data, [5, 11, 24])
        for n, order in enumerate(permutations(pieces)):
            for one in order:
                t.wire.send_ip(one)
            assert len(endpoint.queue) == n + 1
        assert {payload for _, payload in endpoint.queue} == {bytes(range(256))}
        assert not len(t.net.ip.reassembly)
        assert len(t.net.callouts) == 0


def test_repeated_fragments_do_no_harm_and_overlaps_end_the_datagram() -> None:
    data = datagram(bytes(100))
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        first, second, third = fragments(data, [4, 8])
        for one in (first, first, second, first, third):
            t.wire.send_ip(one)
        assert len(endpoint.queue) == 1
        overlap = packet(bytes(32), ident=7, fragment=ipv4.MORE_FRAGMENTS | 2)
        for one in (first, overlap, second, third):
            t.wire.send_ip(one)
        assert len(endpoint.queue) == 1
        assert t.net.ip.reassembly.counters["refused"] >= 1


def test_interleaved_datagrams_stay_apart() -> None:
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        one = fragments(datagram(b"1" * 100), [4, 8], ident=1)
        two = fragments(datagram(b"2" * 100), [4, 8], ident=2)
        for a, b in zip(one, reversed(two), strict=True):
            t.wire.send_ip(a)
            t.wire.send_ip(b)
        assert sorted(payload[:1] for _, payload in endpoint.queue) == [b"1", b"2"]


def test_reassembly_gives_up() -> None:
    with lab() as t:
        t.wire.send_ip(fragments(datagram(bytes(100)), [4, 8])[0])
        assert len(t.net.ip.reassembly) == 1
        t.run_ms(30_001)
        assert len(t.net.ip.reassembly) == 0
        assert t.net.ip.reassembly.counters["timed_out"] == 1


def test_reassembly_memory_is_bounded() -> None:
    with lab(Config(reassembly_bytes=20_000)) as t:
        for ident in range(1000):
            t.wire.send_ip(packet(bytes(1000), ident=ident, fragment=ipv4.MORE_FRAGMENTS), mac=None)
        assert t.net.ip.reassembly._bytes <= 20_000
        assert len(t.net.ip.reassembly) <= 20
        assert len(t.net.callouts) <= 20


def test_the_ping_of_death() -> None:
    with lab() as t:
        for offset in (8189, 8191, 8000):
            t.wire.send_ip(packet(bytes(1480), ipv4.ICMP, fragment=offset))
        t.wire.send_ip(packet(b"", ipv4.ICMP, fragment=ipv4.MORE_FRAGMENTS))
        t.wire.send_ip(packet(bytes(7), ipv4.ICMP, fragment=ipv4.MORE_FRAGMENTS))
        assert t.net.ip.reassembly._bytes <= 1480
        t.wire.send_ip(packet(Icmp(icmp.ECHO, 0, 1, b"alive?").emit(), ipv4.ICMP))
        assert [m.type for m in icmps(t)] == [icmp.ECHO_REPLY]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 64), st.booleans()), max_size=30))
def test_any_fragments_do_no_harm(pieces: list[tuple[int, int, bool]]) -> None:
    with lab() as t:
        for offset, length, more in pieces:
            bits = ipv4.MORE_FRAGMENTS if more else 0
            t.wire.send_ip(packet(bytes(length), fragment=bits | offset))
        t.run_ms(31_000)
        assert t.net.ip.reassembly._bytes == 0
        assert len(t.net.ip.reassembly) == 0


@pytest.mark.parametrize("protocol", [99, ipv4.UDP])
def test_errors_about_reassembled_packets_quote_the_whole(protocol: int) -> None:
    data = datagram(bytes(range(100)), port=10) if protocol == ipv4.UDP else bytes(range(100))
    with lab() as t:
        for one in fragments(data, [4, 8], protocol=protocol):
            t.wire.send_ip(one)
        (message,) = icmps(t)
        assert message.type == icmp.UNREACHABLE
        assert message.payload == packet(data, protocol)


# -- output


def test_large_datagrams_are_fragmented() -> None:
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        payload = bytes(n % 251 for n in range(5000))
        endpoint.send(payload, (PEER, 9))
        raw = t.wire.take()
        headers = [Ipv4.parse(one) for one in raw]
        assert len(raw) == 4
        assert all(len(one) <= 1500 for one in raw)
        assert len({h.ident for h in headers}) == 1
        assert all((h.total_bytes - 20) % 8 == 0 for h in headers[:-1])
        whole = b"".join(one[20:] for one in raw)
        assert Udp.parse(whole, pseudo_header(US, PEER, 17, 0)).payload == payload


def test_the_largest_datagram_crosses_and_a_larger_is_refused() -> None:
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        other = t.net.udp.endpoint()
        payload = bytes(65507)
        other.send(payload, (US, 9))  # over loopback
        t.world.work()
        assert [len(p) for _, p in endpoint.queue] == [65507]
        with pytest.raises(OSError, match="too long") as raised:
            other.send(payload + b"!", (US, 9))
        assert raised.value.errno == EMSGSIZE


def test_identifications_differ() -> None:
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        for _ in range(5):
            endpoint.send(b"x", (PEER, 9))
        assert len({Ipv4.parse(one).ident for one in t.wire.take()}) == 5


def test_routes() -> None:
    with lab() as t:
        path = t.net.ip.path
        assert path(undotted("8.8.8.8")).next_hop == PEER  # the gateway
        assert path(undotted("10.0.0.77")).next_hop == undotted("10.0.0.77")
        assert path(US).interface is t.net.loopback
        assert path(undotted("127.1.2.3")).interface is t.net.loopback
        t.net.ip.routes.add(
            undotted("8.8.0.0"), 0xFFFF0000, t.net.ethernet[0], undotted("10.0.0.9")
        )
        assert path(undotted("8.8.8.8")).next_hop == undotted("10.0.0.9")
        assert path(undotted("8.9.8.8")).next_hop == PEER


def test_no_route() -> None:
    with lab(configured=False) as t:
        t.net.configure(US, 0xFFFFFF00)
        with pytest.raises(OSError, match="no route") as raised:
            t.net.udp.endpoint().send(b"x", (undotted("8.8.8.8"), 9))
        assert raised.value.errno == ENETUNREACH


# -- input


@pytest.mark.parametrize(
    "src", ["127.0.0.1", "224.0.0.1", "255.255.255.255", "10.0.0.255", "10.0.0.1"]
)
def test_martians_are_dropped(src: str) -> None:
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        send_udp(t, b"x", src=undotted(src))
        send_udp(t, b"x", port=10, src=undotted(src))
        assert not endpoint.queue
        assert t.wire.take() == []


def test_what_is_not_for_us_is_dropped() -> None:
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        for dst in ("10.0.0.3", "127.0.0.1", "224.0.0.5", "8.8.8.8"):
            send_udp(t, b"x", dst=undotted(dst))
        t.wire.send_ip(packet(datagram(b"x")), mac=b"\2\2\2\2\2\2")
        assert not endpoint.queue
        assert t.wire.take() == []


def test_loopback_addresses_do_not_come_over_a_wire_before_dhcp_either() -> None:
    with lab(configured=False) as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        send_udp(t, b"x", dst=undotted("127.0.0.1"))
        assert not endpoint.queue
        send_udp(t, b"offer", dst=undotted("10.0.0.44"))
        assert len(endpoint.queue) == 1


def test_broadcasts_reach_udp_but_get_no_errors() -> None:
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        for dst in (BROADCAST, DIRECTED):
            send_udp(t, b"x", dst=dst)
            send_udp(t, b"x", port=10, dst=dst)
        assert len(endpoint.queue) == 2
        assert t.wire.take() == []


def test_must50_ip_options_are_skipped() -> None:
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        data = datagram(b"x")
        raw = bytearray(packet(data)[:20] + b"\x07\x07\x04\0\0\0\0\0" + data)
        raw[0] = 0x47
        raw[2:4] = len(raw).to_bytes(2, "big")
        raw[10:12] = b"\0\0"
        total = sum(struct.unpack("!14H", raw[:28]))
        total = (total & 0xFFFF) + (total >> 16)
        raw[10:12] = (~total & 0xFFFF).to_bytes(2, "big")
        t.wire.send_ip(bytes(raw))
        assert [p for _, p in endpoint.queue] == [b"x"]


def test_bad_frames_are_counted_and_harm_nobody() -> None:
    with lab() as t:
        for raw in (
            b"",
            b"\x45",
            b"\x65" + bytes(30),
            bytes(20),
            packet(b"abc")[:21],
            packet(b"\1"),
        ):
            t.wire.send_ip(raw)
        t.wire.net.send(b"\xff" * 12 + b"\x08\x06" + bytes(10))
        t.wire.net.send(b"\xff" * 12 + b"\x00\x10" + bytes(60))
        t.wire.net.send(b"\xff" * 12 + b"\x86\xdd" + bytes(60))
        t.wire.net.send(b"\xff" * 5)
        t.wire.net.send(t.wire.us_mac + b"\2" * 6 + b"\x08")
        t.world.work()
        assert t.net.ethernet[0].counters["rx_bad"] >= 5
        t.wire.send_ip(packet(Icmp(icmp.ECHO, 0, 1, b"").emit(), ipv4.ICMP))
        assert len(icmps(t)) == 1


# -- ARP


def test_arp_request_and_reply() -> None:
    with lab() as t:
        t.wire.arps.clear()
        endpoint = t.net.udp.endpoint()
        endpoint.send(b"one", (PEER, 9))
        endpoint.send(b"two", (PEER, 9))
        raw = t.wire.take()
        assert [one[28:] for one in raw] == [b"one", b"two"]
        assert [a.operation for a in t.wire.arps] == [REQUEST]
        assert (t.wire.arps[0].sender_ip, t.wire.arps[0].target_ip) == (US, PEER)


def arp(t: Lab, message: Arp, dst: bytes = ethernet.BROADCAST) -> None:
    frame = Ethernet(dst, t.wire.net.mac, ethernet.ARP).emit() + message.emit()
    t.wire.net.send(frame.ljust(60, b"\0"))
    t.world.work()


def test_arp_answers_for_us_only() -> None:
    with lab() as t:
        t.wire.arps.clear()
        arp(t, Arp(REQUEST, t.wire.net.mac, PEER, bytes(6), US))
        reply = t.wire.arps.pop()
        assert (reply.operation, reply.sender_ip, reply.target_ip) == (REPLY, US, PEER)
        assert reply.sender_mac == t.hyper.nets[0].mac
        arp(t, Arp(REQUEST, t.wire.net.mac, PEER, bytes(6), undotted("10.0.0.3")))
        arp(t, Arp(REQUEST, t.wire.net.mac, PEER, bytes(6), undotted("127.0.0.1")))
        assert t.wire.arps == []
        assert PEER in t.net.ethernet[0].arp.entries  # learnt from who asked us (RFC 826)


def test_arp_learns_nothing_that_nobody_asked_for() -> None:
    with lab() as t:
        entries = t.net.ethernet[0].arp.entries
        entries.clear()
        stranger = undotted("10.0.0.66")
        arp(t, Arp(REPLY, b"\2\0\0\0\0\x66", stranger, t.wire.us_mac, 0))
        arp(t, Arp(REQUEST, b"\2\0\0\0\0\x66", stranger, bytes(6), stranger))
        arp(t, Arp(REPLY, b"\3\0\0\0\0\x66", stranger, t.wire.us_mac, US))  # a multicast MAC
        arp(t, Arp(REQUEST, b"\2\0\0\0\0\x66", US, bytes(6), PEER))  # our own address
        assert not entries


def test_a_gratuitous_arp_moves_a_neighbour() -> None:
    with lab() as t:
        t.net.udp.endpoint().send(b"x", (PEER, 9))
        t.wire.take()
        new = b"\2\0\0\0\0\x77"
        arp(t, Arp(REQUEST, new, PEER, bytes(6), PEER))
        assert t.net.ethernet[0].arp.lookup(PEER, t.world.now_ns) == new


def test_arp_entries_expire() -> None:
    with lab() as t:
        t.net.udp.endpoint().send(b"x", (PEER, 9))
        t.wire.take()
        t.run_ms(61_000)
        t.wire.arps.clear()
        t.net.udp.endpoint().send(b"x", (PEER, 9))
        t.wire.take()
        assert len(t.wire.arps) == 1


def test_arp_asks_three_times_and_then_reports() -> None:
    with lab() as t:
        nobody = undotted("10.0.0.77")
        t.wire.arps.clear()
        endpoint = t.net.udp.endpoint()
        endpoint.connect((nobody, 9))
        for _ in range(5):
            endpoint.send(b"x")
        t.run_ms(2_999)
        assert len(t.wire.arps) == 3
        assert not endpoint.error
        t.run_ms(1)
        with pytest.raises(OSError, match="ICMP"):
            endpoint.send(b"x")
        assert nobody not in t.net.ethernet[0].arp.entries
        assert len(t.net.callouts) == 0


def test_arp_keeps_the_newest_packets() -> None:
    with lab(Config(arp_queue=4)) as t:
        t.wire.answers = False
        endpoint = t.net.udp.endpoint()
        for n in range(10):
            endpoint.send(bytes([n]), (PEER, 9))
        t.world.work()
        arp(t, Arp(REPLY, t.wire.net.mac, PEER, t.wire.us_mac, US), t.wire.us_mac)
        assert [one[28] for one in t.wire.take()] == [6, 7, 8, 9]


def test_the_arp_cache_is_bounded() -> None:
    """Anybody on the link can ask us with any sender address."""
    with lab() as t:
        for n in range(5000):
            frame = Ethernet(ethernet.BROADCAST, t.wire.net.mac, ethernet.ARP).emit()
            ask = Arp(REQUEST, t.wire.net.mac, undotted("10.0.0.0") + (n << 8), bytes(6), US)
            t.wire.net.send(frame + ask.emit())
            if n % 500 == 0:
                t.world.work()
        t.world.work()
        assert len(t.net.ethernet[0].arp.entries) <= 1024


# -- ICMP


def test_echo() -> None:
    with lab() as t:
        data = bytes(range(200))
        t.wire.send_ip(packet(Icmp(icmp.ECHO, 0, 0x12345678, data).emit(), ipv4.ICMP))
        (raw,) = t.wire.take()
        header, reply = Ipv4.parse(raw), Icmp.parse(raw[20:])
        assert (header.src, header.dst) == (US, PEER)
        assert (reply.type, reply.code, reply.rest, reply.payload) == (0, 0, 0x12345678, data)


def test_a_large_echo_is_reassembled_and_fragmented() -> None:
    with lab() as t:
        message = Icmp(icmp.ECHO, 0, 1, bytes(n % 256 for n in range(4000))).emit()
        for one in fragments(message, [100, 200, 350], protocol=ipv4.ICMP):
            t.wire.send_ip(one)
        raw = t.wire.take()
        assert len(raw) == 3
        reply = Icmp.parse(b"".join(one[20:] for one in raw))
        assert reply.payload == message[8:]


def test_broadcast_echo_is_ignored() -> None:
    with lab() as t:
        for dst in (BROADCAST, DIRECTED):
            t.wire.send_ip(packet(Icmp(icmp.ECHO, 0, 1, b"").emit(), ipv4.ICMP, dst=dst))
        assert t.wire.take() == []


def test_port_unreachable_quotes_the_datagram() -> None:
    with lab() as t:
        send_udp(t, b"to nobody", port=33434)
        (message,) = icmps(t)
        assert (message.type, message.code) == (icmp.UNREACHABLE, icmp.PORT_UNREACHABLE)
        assert message.payload == packet(datagram(b"to nobody", 33434))


def test_protocol_unreachable() -> None:
    with lab() as t:
        t.wire.send_ip(packet(b"?" * 600, protocol=99))
        (message,) = icmps(t)
        assert (message.type, message.code) == (icmp.UNREACHABLE, icmp.PROTOCOL_UNREACHABLE)
        assert len(message.payload) == 548  # RFC 1812: 576 bytes in all


def test_rfc1122_3_2_2_no_errors_about_these() -> None:
    with lab() as t:
        error = Icmp(icmp.UNREACHABLE, 1, 0, packet(bytes(8))).emit()
        t.wire.send_ip(packet(error, ipv4.ICMP))  # an ICMP error
        send_udp(t, b"x", port=10, dst=BROADCAST)
        send_udp(t, b"x", port=10, dst=DIRECTED)
        send_udp(t, b"x", port=10, src=0)  # not a single host
        t.wire.send_ip(packet(b"?" * 64, protocol=99, fragment=8 | ipv4.MORE_FRAGMENTS))
        t.wire.send_ip(packet(b"?", protocol=99), mac=ethernet.BROADCAST)  # link-layer broadcast
        assert t.wire.take() == []


def test_icmp_errors_are_limited() -> None:
    with lab(Config(icmp_rate_per_s=10)) as t:
        for _ in range(50):
            send_udp(t, b"x", port=10)
        assert len(icmps(t)) == 10
        assert t.net.icmp.counters["limited"] == 40
        t.run_ms(1000)
        send_udp(t, b"x", port=10)
        assert len(icmps(t)) == 1


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=80))
def test_any_icmp_does_no_harm(kind: int, code: int, payload: bytes) -> None:
    with lab() as t:
        quoted = packet(payload, src=US, dst=PEER)
        for body in (payload, quoted):
            t.wire.send_ip(packet(Icmp(kind, code, 0, body).emit(), ipv4.ICMP))
        t.wire.take()


# -- UDP


def test_demultiplexing() -> None:
    with lab() as t:
        any_, ours, connected = (t.net.udp.endpoint() for _ in range(3))
        any_.bind(0, 9)
        ours.bind(US, 10)
        connected.bind(0, 11)
        connected.connect((PEER, 4000))
        for port in (9, 10, 11):
            send_udp(t, bytes([port]), port=port)
        send_udp(t, b"stranger", port=11, source_port=4001)
        assert [p for _, p in any_.queue] == [b"\x09"]
        assert [p for _, p in ours.queue] == [b"\x0a"]
        assert list(connected.queue) == [((PEER, 4000), b"\x0b")]


def test_errors_reach_connected_endpoints_only() -> None:
    with lab() as t:
        for connect in (True, False):
            endpoint = t.net.udp.endpoint()
            endpoint.bind(0, 5000)
            if connect:
                endpoint.connect((PEER, 9))
            endpoint.send(b"x", (PEER, 9))
            (sent,) = t.wire.take()
            refused = Icmp(icmp.UNREACHABLE, icmp.PORT_UNREACHABLE, 0, sent)
            t.wire.send_ip(packet(refused.emit(), ipv4.ICMP))
            assert endpoint.error == (ECONNREFUSED if connect else 0)
            if connect:
                with pytest.raises(OSError, match="ICMP"):
                    endpoint.send(b"x")
                endpoint.send(b"y")  # told once
                t.wire.take()
            endpoint.close()


def test_the_queue_is_bounded() -> None:
    with lab(Config(udp_queue=10)) as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        for _ in range(50):
            send_udp(t, b"x")
        assert len(endpoint.queue) == 10
        assert t.net.udp.counters["full"] == 40


def test_bind_conflicts() -> None:
    with lab() as t:
        first = t.net.udp.endpoint()
        first.bind(US, 9)
        for address in (US, 0):
            with pytest.raises(OSError, match="in use") as raised:
                t.net.udp.endpoint().bind(address, 9)
            assert raised.value.errno == EADDRINUSE
        t.net.udp.endpoint().bind(undotted("127.0.0.1"), 9)
        first.close()
        t.net.udp.endpoint().bind(US, 9)
        with pytest.raises(OSError, match="local") as raised:
            t.net.udp.endpoint().bind(PEER, 9)
        assert raised.value.errno == EADDRNOTAVAIL


def test_no_destination() -> None:
    with lab() as t:
        with pytest.raises(OSError, match="destination") as raised:
            t.net.udp.endpoint().send(b"x")
        assert raised.value.errno == EDESTADDRREQ


def test_ephemeral_ports_differ_and_run_out() -> None:
    with lab(Config(port_first=50_000, port_last=50_009)) as t:
        endpoints = [t.net.udp.endpoint() for _ in range(10)]
        for endpoint in endpoints:
            endpoint.bind(0, 0)
        assert {e.local[1] for e in endpoints} == set(range(50_000, 50_010))
        with pytest.raises(OSError, match="free port"):
            t.net.udp.endpoint().bind(0, 0)
        endpoints[3].close()
        t.net.udp.endpoint().bind(0, 0)


def test_bad_checksums_are_dropped_and_none_is_fine() -> None:
    with lab() as t:
        endpoint = t.net.udp.endpoint()
        endpoint.bind(0, 9)
        good = datagram(b"abc")
        t.wire.send_ip(packet(good[:6] + bytes([good[6] ^ 1, good[7]]) + good[8:]))
        assert not endpoint.queue
        t.wire.send_ip(packet(good[:6] + b"\0\0" + good[8:]))
        assert len(endpoint.queue) == 1


def test_two_endpoints_over_loopback() -> None:
    with lab() as t:
        server, client = t.net.udp.endpoint(), t.net.udp.endpoint()
        server.bind(undotted("127.0.0.1"), 53)
        client.send(b"question", (undotted("127.0.0.1"), 53))
        t.world.work()
        (source, payload) = server.queue.popleft()
        assert (dotted(source[0]), payload) == ("127.0.0.1", b"question")
        server.send(b"answer", source)
        t.world.work()
        assert client.queue.popleft() == ((undotted("127.0.0.1"), 53), b"answer")
        assert t.wire.take() == []


def test_loopback_in_memory_pressure_drops() -> None:
    with lab(memory_bytes=4000) as t:
        server, client = t.net.udp.endpoint(), t.net.udp.endpoint()
        server.bind(0, 53)
        for _ in range(10):
            client.send(bytes(1000), (US, 53))
        t.world.work()
        assert 1 <= len(server.queue) <= 3
        free = t.hyper.memory.free_bytes
        client.send(bytes(1000), (US, 53))
        t.world.work()
        assert t.hyper.memory.free_bytes == free


def test_milliseconds() -> None:
    assert SECOND == 1000 * MS
