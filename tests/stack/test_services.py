"""The resolver and the DHCP client against scripted servers."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import pytest
from script import PEER, US, Lab, lab

from stack.services.dhcp import DhcpClient
from stack.services.resolver import Answer, Resolver
from stack.wire import dhcp, dns, icmp, ipv4, undotted
from stack.wire.checksum import pseudo_header
from stack.wire.dhcp import Dhcp
from stack.wire.dns import Dns, Question, Record
from stack.wire.icmp import Icmp
from stack.wire.ipv4 import Ipv4
from stack.wire.udp import Udp

SECOND_SERVER = undotted("10.0.0.3")
ADDRESS = undotted("93.184.216.34")


def udp_packet(src: int, sport: int, dst: int, dport: int, payload: bytes) -> bytes:
    datagram = Udp(sport, dport, payload).emit(pseudo_header(src, dst, ipv4.UDP, 0))
    return Ipv4(src, dst, ipv4.UDP, 20, 20 + len(datagram)).emit() + datagram


@dataclass
class Asked:
    """A datagram from us."""

    src: int
    dst: int
    sport: int
    dport: int
    payload: bytes
    raw: bytes


def asked(t: Lab) -> list[Asked]:
    out = []
    for raw in t.wire.take():
        header = Ipv4.parse(raw)
        if header.protocol == ipv4.UDP:
            datagram = Udp.parse(
                raw[20 : header.total_bytes], pseudo_header(header.src, header.dst, 17, 0)
            )
            out.append(
                Asked(
                    header.src, header.dst, datagram.src, datagram.dst, bytes(datagram.payload), raw
                )
            )
    return out


# -- DNS


@dataclass
class Lookup:
    """A resolver, and what it said."""

    t: Lab
    answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.resolver = Resolver(self.t.net, [PEER, SECOND_SERVER])
        for server in (PEER, SECOND_SERVER):  # both behind the same NIC
            self.t.net.ethernet[0].arp._add(server).mac = self.t.wire.net.mac
            self.t.net.ethernet[0].arp.entries[server].expires_ns = 1 << 62

    def ask(self, name: str = "example.com") -> Asked:
        self.resolver.lookup(name, self.answers.append)
        return self.next()

    def next(self) -> Asked:
        (one,) = asked(self.t)
        return one

    def reply(
        self, to: Asked, answers: list[Record] | None = None, rcode: int = 0,
        ident: int | None = None, src: int | None = None, question: Question | None = None,
        flags: int = 0x8180, sport: int = 53,
    ) -> None:  # fmt: skip
        query = Dns.parse(to.payload)
        message = Dns(
            query.ident if ident is None else ident, flags | rcode,
            query.questions if question is None else [question], answers or [],
        )  # fmt: skip
        self.raw(to, message.emit(), src, sport)

    def raw(self, to: Asked, payload: bytes, src: int | None = None, sport: int = 53) -> None:
        self.t.wire.send_ip(
            udp_packet(to.dst if src is None else src, sport, US, to.sport, payload)
        )


def address(name: str = "example.com", value: int = ADDRESS) -> Record:
    return Record(name, dns.A, 60, value.to_bytes(4, "big"))


def test_a_name_is_found() -> None:
    with lab() as t:
        look = Lookup(t)
        query = look.ask()
        message = Dns.parse(query.payload)
        assert (query.dst, query.dport) == (PEER, 53)
        assert message.questions == [Question("example.com", dns.A)]
        assert message.flags == dns.RECURSION_DESIRED
        look.reply(query, [address(), address(value=1)])
        assert look.answers == [Answer(dns.NOERROR, [ADDRESS, 1], "example.com")]
        assert len(t.net.callouts) == 0
        assert not t.net.udp._bound


def test_case_does_not_matter() -> None:
    with lab() as t:
        look = Lookup(t)
        query = look.ask("Example.COM.")
        look.reply(query, [address("EXAMPLE.com")], question=Question("eXample.Com", dns.A))
        assert look.answers[0].addresses == [ADDRESS]


def test_cname_chain() -> None:
    with lab() as t:
        look = Lookup(t)
        look.reply(
            look.ask(),
            [
                address("c.example"),
                Record("b.example", dns.CNAME, 1, "C.example"),
                Record("example.com", dns.CNAME, 1, "b.example"),
                address("elsewhere.example", 7),
            ],
        )
        assert look.answers == [Answer(dns.NOERROR, [ADDRESS], "c.example")]


def test_cname_loop() -> None:
    with lab() as t:
        look = Lookup(t)
        loop = [
            Record("example.com", dns.CNAME, 1, "b.example"),
            Record("b.example", dns.CNAME, 1, "example.com"),
        ]
        look.reply(look.ask(), loop)
        assert look.answers[0].addresses == []


def test_nxdomain_is_final() -> None:
    with lab() as t:
        look = Lookup(t)
        look.reply(look.ask(), rcode=dns.NXDOMAIN)
        assert look.answers == [Answer(dns.NXDOMAIN)]
        t.run_ms(60_000)
        assert asked(t) == []


def test_no_data() -> None:
    with lab() as t:
        look = Lookup(t)
        look.reply(look.ask())
        assert look.answers == [Answer(dns.NOERROR, [], "example.com")]


@pytest.mark.parametrize("rcode", [dns.SERVFAIL, dns.REFUSED, dns.NOTIMP])
def test_a_server_that_cannot_is_followed_by_the_next(rcode: int) -> None:
    with lab() as t:
        look = Lookup(t)
        first = look.ask()
        look.reply(first, rcode=rcode)
        second = look.next()
        assert (first.dst, second.dst) == (PEER, SECOND_SERVER)
        look.reply(second, [address()])
        assert look.answers == [Answer(dns.NOERROR, [ADDRESS], "example.com")]
        assert len(t.net.callouts) == 0


def test_all_servers_fail() -> None:
    with lab() as t:
        look = Lookup(t)
        query = look.ask()
        count = 1
        while True:
            look.reply(query, rcode=dns.REFUSED)
            more = asked(t)
            if not more:
                break
            (query,) = more
            count += 1
        assert count <= 6
        assert look.answers == [Answer(dns.REFUSED)]
        assert len(t.net.callouts) == 0


def test_silence_is_retried_with_the_other_server_and_then_given_up() -> None:
    with lab() as t:
        look = Lookup(t)
        queries = [look.ask()]
        for _ in range(5):
            t.run_ms(2000)
            queries.append(look.next())
        assert [q.dst for q in queries] == [PEER, SECOND_SERVER] * 3
        t.run_ms(2000)
        assert asked(t) == []
        assert look.answers == [Answer(dns.SERVFAIL)]
        assert look.resolver.counters["timed_out"] == 1
        assert len(t.net.callouts) == 0
        assert not t.net.udp._bound


def test_a_closed_port_is_not_the_end() -> None:
    with lab() as t:
        look = Lookup(t)
        query = look.ask()
        refused = Icmp(icmp.UNREACHABLE, icmp.PORT_UNREACHABLE, 0, query.raw).emit()
        t.wire.send_ip(Ipv4(PEER, US, ipv4.ICMP, 20, 20 + len(refused)).emit() + refused)
        t.run_ms(2000)
        second = look.next()
        assert second.dst == SECOND_SERVER
        look.reply(second, [address()])
        assert look.answers[0].addresses == [ADDRESS]


def test_rfc5452_forged_answers_are_ignored() -> None:
    with lab() as t:
        look = Lookup(t)
        query = look.ask()
        evil = [address(value=0x06060606)]
        ident = Dns.parse(query.payload).ident
        look.reply(query, evil, ident=ident ^ 1)
        look.reply(query, evil, src=undotted("10.0.0.66"))
        look.reply(query, evil, sport=5353)
        look.reply(query, evil, question=Question("evil.example", dns.A))
        look.reply(query, evil, question=Question("example.com", dns.AAAA))
        look.reply(query, evil, flags=0x0100)  # a question
        look.raw(query, b"\xff" * 40)
        look.raw(query, b"")
        assert look.answers == []
        look.reply(query, [address()])
        assert look.answers[0].addresses == [ADDRESS]
        t.wire.take()


def test_a_late_answer_of_the_first_server_does_no_harm() -> None:
    with lab() as t:
        look = Lookup(t)
        first = look.ask()
        t.run_ms(2000)
        second = look.next()
        look.reply(first, [address(value=1)])
        t.wire.take()
        look.reply(second, [address(value=2)])
        look.reply(second, [address(value=3)])
        assert [a.addresses for a in look.answers] == [[2]]


def test_ports_and_ids_are_random() -> None:
    with lab() as t:
        look = Lookup(t)
        queries = [look.ask(f"host{n}.example") for n in range(20)]
        assert len({q.sport for q in queries}) == 20
        assert len({Dns.parse(q.payload).ident for q in queries}) >= 19


def test_names_that_need_no_server() -> None:
    with lab() as t:
        look = Lookup(t)
        for name in ("localhost", "LOCALHOST.", "foo.localhost"):
            look.resolver.lookup(name, look.answers.append)
        assert [a.addresses for a in look.answers] == [[0x7F000001]] * 3
        look.answers.clear()
        for name in ("", "a..b", "x" * 64, "ümlaut"):
            look.resolver.lookup(name, look.answers.append)
        assert [a.rcode for a in look.answers] == [dns.NXDOMAIN] * 4
        assert asked(t) == []


def test_no_servers_and_no_route() -> None:
    with lab() as t:
        answers: list[Answer] = []
        Resolver(t.net, []).lookup("a.example", answers.append)
        assert answers == [Answer(dns.SERVFAIL)]
    with lab(configured=False) as t:
        Resolver(t.net, [PEER]).lookup("a.example", answers.append)
        assert answers == [Answer(dns.SERVFAIL)] * 2
        assert len(t.net.callouts) == 0


def test_reverse() -> None:
    with lab() as t:
        look = Lookup(t)
        look.resolver.reverse(undotted("1.2.3.4"), look.answers.append)
        query = look.next()
        (question,) = Dns.parse(query.payload).questions
        assert question == Question("4.3.2.1.in-addr.arpa", dns.PTR)
        look.reply(query, [Record(question.name, dns.PTR, 1, "host.example")])
        look.resolver.reverse(0x7F000001, look.answers.append)
        assert [a.name for a in look.answers] == ["host.example", "localhost"]


# -- DHCP

OFFERED = undotted("10.0.2.15")
SERVER = undotted("10.0.2.2")
MASK = b"\xff\xff\xff\0"


class DhcpServer:
    """A lab whose stack has no address yet, its client, and the server's side."""

    def __init__(self, t: Lab) -> None:
        self.t = t
        self.bound = 0
        self.client = DhcpClient(t.net, self._bound)
        self.client.start()
        t.world.work()

    def _bound(self) -> None:
        self.bound += 1

    def messages(self) -> list[Dhcp]:
        return [Dhcp.parse(one.payload) for one in asked(self.t)]

    def message(self, kind: int) -> Dhcp:
        (one,) = self.messages()
        assert one.kind == kind
        return one

    def reply(
        self, kind: int, to: Dhcp, your: int = OFFERED, options: dict[int, bytes] | None = None,
        xid: int | None = None, op: int = dhcp.BOOTREPLY,
    ) -> None:  # fmt: skip
        values = {
            dhcp.SERVER: SERVER.to_bytes(4, "big"), dhcp.NETMASK: MASK,
            dhcp.ROUTER: SERVER.to_bytes(4, "big"), dhcp.DNS: b"\x0a\0\2\3\x08\x08\x08\x08",
            dhcp.LEASE: struct.pack("!I", 3600),
        } | (options or {})  # fmt: skip
        message = Dhcp(op, to.xid if xid is None else xid, kind, to.mac, your, SERVER, 0, values)
        dst = to.client_ip or 0xFFFFFFFF  # we set the broadcast flag
        self.t.wire.send_ip(udp_packet(SERVER, 67, dst, 68, message.emit()))

    def lease(self, **ack: object) -> None:
        self.reply(dhcp.OFFER, self.message(dhcp.DISCOVER))
        self.reply(dhcp.ACK, self.message(dhcp.REQUEST), **ack)  # type: ignore[arg-type]


def test_four_messages_make_a_lease() -> None:
    with lab(configured=False) as t:
        server = DhcpServer(t)
        (discover_raw,) = asked(t)
        assert (discover_raw.src, discover_raw.dst) == (0, 0xFFFFFFFF)
        assert (discover_raw.sport, discover_raw.dport) == (68, 67)
        discover = Dhcp.parse(discover_raw.payload)
        assert discover.kind == dhcp.DISCOVER
        assert discover.mac == t.hyper.nets[0].mac
        server.reply(dhcp.OFFER, discover)
        request = server.message(dhcp.REQUEST)
        assert request.options[dhcp.REQUESTED] == OFFERED.to_bytes(4, "big")
        assert request.options[dhcp.SERVER] == SERVER.to_bytes(4, "big")
        assert server.bound == 0
        server.reply(dhcp.ACK, request)
        assert server.bound == 1
        client = server.client
        assert (client.address, client.router) == (OFFERED, SERVER)
        assert client.dns == [undotted("10.0.2.3"), undotted("8.8.8.8")]
        assert t.net.ip.is_local(OFFERED)
        assert t.net.ip.path(undotted("8.8.8.8")).next_hop == SERVER


def test_discover_is_repeated_with_growing_pauses() -> None:
    with lab(configured=False) as t:
        server = DhcpServer(t)
        times = []
        for _ in range(8):
            t.world.run_until(lambda: bool(t.wire.frames))
            server.message(dhcp.DISCOVER)
            times.append(t.now_ms)
        assert times == [0, 1000, 3000, 7000, 15000, 31000, 63000, 95000]


def test_request_is_repeated_and_then_started_over() -> None:
    with lab(configured=False) as t:
        server = DhcpServer(t)
        server.reply(dhcp.OFFER, server.message(dhcp.DISCOVER))
        kinds = []
        for _ in range(6):
            t.world.run_until(lambda: bool(t.wire.frames))
            kinds += [m.kind for m in server.messages()]
        assert kinds[:2] == [dhcp.REQUEST] * 2
        assert kinds[-1] == dhcp.DISCOVER


def test_nak_starts_over() -> None:
    with lab(configured=False) as t:
        server = DhcpServer(t)
        server.reply(dhcp.OFFER, server.message(dhcp.DISCOVER))
        server.reply(dhcp.NAK, server.message(dhcp.REQUEST), your=0)
        again = server.message(dhcp.DISCOVER)
        server.reply(dhcp.OFFER, again)
        server.reply(dhcp.ACK, server.message(dhcp.REQUEST))
        assert server.bound == 1


def test_the_lease_is_renewed_at_half_time() -> None:
    with lab(configured=False) as t:
        server = DhcpServer(t)
        server.lease()
        t.wire.take()
        t.run_ms(1_799_000)
        assert server.messages() == []
        t.run_ms(1_001)
        renewal = server.message(dhcp.REQUEST)
        assert renewal.client_ip == OFFERED
        assert dhcp.SERVER not in renewal.options
        server.reply(dhcp.ACK, renewal)
        assert server.bound == 1  # nothing changed
        t.run_ms(1_799_000)
        assert server.messages() == []
        t.run_ms(1_001)
        server.message(dhcp.REQUEST)


def test_a_renewal_nobody_answers_starts_over() -> None:
    with lab(configured=False) as t:
        server = DhcpServer(t)
        server.lease()
        t.wire.take()
        t.run_ms(1_800_001)
        kinds = []
        for _ in range(6):
            kinds += [m.kind for m in server.messages()]
            t.world.run_until(lambda: bool(t.wire.frames))
        assert kinds[0] == dhcp.REQUEST
        assert kinds[-1] == dhcp.DISCOVER
        assert server.client.address == OFFERED


def test_a_changed_lease_is_told() -> None:
    with lab(configured=False) as t:
        server = DhcpServer(t)
        server.lease()
        t.wire.take()
        t.run_ms(1_800_001)
        server.reply(dhcp.NAK, server.message(dhcp.REQUEST), your=0)
        server.reply(dhcp.OFFER, server.message(dhcp.DISCOVER), your=OFFERED + 1)
        server.reply(dhcp.ACK, server.message(dhcp.REQUEST), your=OFFERED + 1)
        assert server.bound == 2
        assert t.net.ip.is_local(OFFERED + 1)
        assert not t.net.ip.is_local(OFFERED)


def test_what_is_not_for_this_request_is_ignored() -> None:
    with lab(configured=False) as t:
        server = DhcpServer(t)
        discover = server.message(dhcp.DISCOVER)
        server.reply(dhcp.OFFER, discover, xid=discover.xid ^ 1)
        server.reply(dhcp.ACK, discover)  # before the request
        server.reply(dhcp.OFFER, discover, op=dhcp.BOOTREQUEST)
        server.reply(dhcp.OFFER, discover, your=0)
        server.reply(dhcp.OFFER, discover, options={dhcp.SERVER: b"\1"})
        t.wire.send_ip(udp_packet(SERVER, 67, 0xFFFFFFFF, 68, b"\2\1\6\0garbage"))
        assert server.messages() == []
        assert server.bound == 0
        server.reply(dhcp.OFFER, discover)
        request = server.message(dhcp.REQUEST)
        server.reply(dhcp.ACK, request, your=0)  # a lease of nothing
        assert server.bound == 0


@pytest.mark.parametrize(
    "options",
    [
        {dhcp.LEASE: b""}, {dhcp.LEASE: b"\0\0\0\0"}, {dhcp.LEASE: b"\xff" * 4},
        {dhcp.LEASE: b"\xff" * 200}, {dhcp.DNS: b"\1\2\3"}, {dhcp.DNS: b"\1\2\3\4\5"},
        {dhcp.ROUTER: b"\1"}, {dhcp.NETMASK: b""}, {dhcp.ROUTER: b""},
    ],
)  # fmt: skip
def test_odd_leases_do_no_harm(options: dict[int, bytes]) -> None:
    with lab(configured=False) as t:
        server = DhcpServer(t)
        server.lease(options=options)
        assert server.bound == 1
        assert server.client.address == OFFERED
        assert all(one in (undotted("10.0.2.3"), undotted("8.8.8.8"), undotted("1.2.3.4"))
                   for one in server.client.dns)  # fmt: skip
        t.wire.take()
        t.run_ms(59_000)
        assert server.messages() == []  # no storm
        assert len(t.net.callouts) == 1
