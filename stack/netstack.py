"""The stack, put together: interfaces, IP, ICMP, UDP and TCP over one set of hypercalls."""

from __future__ import annotations

from hypercalls.api import Hypercalls
from stack.callout import Callouts
from stack.config import Config
from stack.iface.ethernet import EthernetInterface
from stack.iface.loopback import LoopbackInterface
from stack.ip.icmp import IcmpProtocol
from stack.ip.ip import Ip
from stack.tcp.protocol import TcpProtocol
from stack.udp.udp import UdpProtocol
from stack.wire import icmp
from stack.wire.ipv4 import Ipv4


def connection_defaults(config: Config) -> dict[str, int]:
    """What the options of a connection are before anybody sets them, by attribute of the Tcb."""
    return {
        "nodelay": 0, "cork": 0, "pingpong": 0, "keepalive": 0, "user_mss": 0, "mss": 536, "tos": 0,
        "user_timeout_ns": 0, "ttl": config.ttl, "syn_retries": 0, "linger2_ns": config.orphan_ns,
        "reuse": 0,
        "sndbuf_bytes": config.sndbuf_bytes, "rcvbuf_bytes": config.rcvbuf_bytes,
        "keep_idle_ns": config.keepalive_idle_ns,
        "keep_interval_ns": config.keepalive_interval_ns,
        "keep_probes": config.keepalive_probes,
    }  # fmt: skip


class Netstack:
    """One host's TCP/IP.  Interfaces are made for every Net; `configure` gives them addresses."""

    def __init__(self, hyper: Hypercalls, config: Config | None = None) -> None:
        self.hyper = hyper
        self.config = config or Config()
        self.callouts = Callouts(hyper)
        self.ip = Ip(hyper, self.config, self.callouts)
        self.icmp = IcmpProtocol(hyper, self.config, self.ip)
        self.udp = UdpProtocol(hyper, self.config, self.ip, self.icmp)
        self.tcp = TcpProtocol(hyper, self.config, self.callouts, self.ip, self.icmp)
        self.defaults = connection_defaults(self.config)
        self.sockets_made = 0
        """Numbers them (SO_COOKIE)."""
        self.loopback = LoopbackInterface(hyper, self.ip.input, self.tcp.output.flush)
        self.ip.add_interface(self.loopback)
        self.ethernet: list[EthernetInterface] = []
        for number, net in enumerate(hyper.nets):
            interface = EthernetInterface(
                f"eth{number}", net, hyper, self.config, self.callouts, self.ip.input,
                self.tcp.output.flush, self._neighbour_unreachable, self.tcp.room,
            )  # fmt: skip
            self.ethernet.append(interface)
            self.ip.add_interface(interface)

    def configure(
        self, address: int, netmask: int, gateway: int = 0, interface: int = 0
    ) -> EthernetInterface:
        """Address an Ethernet interface and announce it."""
        ethernet = self.ethernet[interface]
        self.ip.configure(ethernet, address, netmask, gateway)
        ethernet.announce()
        return ethernet

    def _neighbour_unreachable(self, packet: bytes) -> None:
        """Nobody answered our ARP requests: as a router's Host Unreachable (RFC 1122, 2.3.2.2)."""
        header = Ipv4.parse(packet + bytes(65535 - len(packet)))
        ports = memoryview(packet)[header.header_bytes : header.header_bytes + 8]
        transport = self.icmp.transports.get(header.protocol)
        if transport is None or len(ports) < 8:
            return
        from errno import EHOSTUNREACH

        if self.ip.is_local(header.src):
            transport(header, ports, EHOSTUNREACH, icmp.UNREACHABLE, icmp.HOST_UNREACHABLE)

    def counters(self) -> dict[str, dict[str, int]]:
        tcp = self.tcp
        merged: dict[str, int] = {}
        for part in (
            tcp.segments.counters, tcp.segments.challenges.counters, tcp.segments.data.counters,
            tcp.output.counters, tcp.opener.counters, tcp.timers.counters,
            tcp.connections.counters,
        ):  # fmt: skip
            merged |= part
        merged["connections"] = len(tcp.connections.table)
        merged["time_wait"] = len(tcp.connections.time_wait)
        return {
            "ip": self.ip.counters | self.ip.reassembly.counters,
            "icmp": self.icmp.counters,
            "udp": self.udp.counters,
            "tcp": merged,
            "lo": self.loopback.counters,
        } | {interface.name: interface.counters for interface in self.ethernet}
