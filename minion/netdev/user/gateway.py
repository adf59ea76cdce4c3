"""netdev `user`: 10.0.2.0/24 with .2 for the host's loopback, .3 for DNS, and the rest of the world
through host sockets.  No privileges.

The gateway is a second instance of the same stack, on the host's hypercalls, that takes in packets
for every address.  What comes for a port is relayed: relay.py, datagrams.py, names.py, leases.py.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from select import EPOLLIN

from hypercalls.host.boot import HostKernel
from hypercalls.host.reactor import Reactor
from minion.netdev.api import NicPort
from minion.netdev.user.datagrams import DatagramRelays
from minion.netdev.user.leases import DhcpServer
from minion.netdev.user.link import LinkNet
from minion.netdev.user.names import PORT as DNS_PORT
from minion.netdev.user.names import DnsServer
from minion.netdev.user.published import UdpPublication
from minion.netdev.user.relay import TcpRelays
from stack.config import Config
from stack.netstack import Netstack
from stack.wire import dhcp, dotted
from stack.wire.ipv4 import Ipv4, is_loopback, is_multicast
from stack.wire.udp import Udp

NETWORK, NETMASK = 0x0A000200, 0xFFFFFF00
HOST, DNS, GUEST = NETWORK | 2, NETWORK | 3, NETWORK | 15
MAC = b"\x52\x55\x0a\x00\x02\x02"
MEMORY_BYTES = 256 << 20
BACKLOG = 512
RCVBUF_FIRST_BYTES = 16 << 10
"""Of a relay: what lies here adds to what the minion takes to have been read."""


@dataclass(frozen=True, slots=True)
class Publication:
    """-p: a host port that leads to a port of the minion."""

    host_address: str
    host_port: int
    minion_port: int
    udp: bool = False


class UserNetdev:
    """minion.netdev.api.Netdev."""

    def __init__(
        self, reactor: Reactor, publications: list[Publication], config: Config | None = None
    ) -> None:
        """OSError, naming the port, if one cannot be published."""
        self._reactor = reactor
        self._publications = publications
        self._config = config
        self._listeners = [listen(publication) for publication in publications]
        self._published: list[UdpPublication] = []
        self.counters: dict[str, int] = {}

    def attach(self, port: NicPort) -> None:
        self._kernel = kernel = HostKernel(self._reactor, memory_bytes=MEMORY_BYTES)
        self._link = LinkNet(kernel.memory, MAC, port.mtu_bytes, self._interrupt)
        self._link.attach(port)
        kernel.hypercalls.nets = [self._link]
        config = self._config or Config(rcvbuf_first_bytes=RCVBUF_FIRST_BYTES)
        self.net = net = Netstack(kernel.hypercalls, config)
        net.ip.forwarding_all = True
        net.configure(HOST, NETMASK).arp.proxied = frozenset((DNS,))
        wake = self._reactor.again
        self.tcp = TcpRelays(self._reactor, net, target, wake)
        self.datagrams = DatagramRelays(self._reactor, net, target, wake)
        self.names = DnsServer(self._reactor, net, DNS, wake)
        self.leases = DhcpServer(net, GUEST, NETMASK, HOST, DNS)
        net.udp.forwarder = self._udp
        self.counters = self._link.counters
        for publication, listener in zip(self._publications, self._listeners, strict=True):
            if publication.udp:
                goal = (GUEST, publication.minion_port)
                one = UdpPublication(self._reactor, net, listener, HOST, goal, wake)
                self._published.append(one)
            else:
                self._serve(listener, publication.minion_port)

    def _interrupt(self, handler: Callable[[], None]) -> None:
        self._kernel.scheduler.post(handler)
        self._reactor.again()

    def transmit(self, frame: list[memoryview]) -> None:
        self._link.transmit(frame)

    def flush(self) -> None:
        self._link.doorbell()
        self._reactor.again()  # what it was given may have been taken in without one

    def _udp(self, header: Ipv4, datagram: Udp) -> bool:
        if datagram.dst == dhcp.SERVER_PORT:
            self.leases.input(bytes(datagram.payload))
            return True
        if header.dst == DNS and datagram.dst == DNS_PORT:
            self.names.input((header.src, datagram.src), bytes(datagram.payload))
            return True
        if header.dst == 0xFFFFFFFF or is_multicast(header.dst):
            return True  # nobody else is on this link
        return self.datagrams.udp(header, datagram)

    def _serve(self, listener: socket.socket, port: int) -> None:
        def accept(_events: int) -> None:
            try:
                host, address = listener.accept()
            except OSError:
                return  # gone again, or no descriptors left: the client sees a reset
            host.setblocking(False)
            self.tcp.publish(host, address[0], (GUEST, port))

        self._reactor.register(listener.fileno(), EPOLLIN, accept)

    def busy(self) -> bool:
        """Whether something still has to reach the host."""
        return any(relay.undelivered for relay in self.tcp.relays.values())

    def close(self) -> None:
        for one in self._published:
            one.close()
        for listener in self._listeners:
            if listener.fileno() >= 0:  # else it was a published UDP port's
                self._reactor.unregister(listener.fileno())
                listener.close()
        self.tcp.close()
        self.datagrams.close()
        self.names.close()
        self._kernel.close()


def target(address: int, port: int) -> tuple[str, int] | None:
    """Where an address of the minion's network lies on the host."""
    if address == HOST:
        return "127.0.0.1", port
    if address & NETMASK == NETWORK or is_multicast(address) or is_loopback(address):
        return None
    if address >> 24 == 0 or address >> 28 == 0xF:
        return None  # "this network", reserved
    return dotted(address), port


def listen(publication: Publication) -> socket.socket:
    """A host socket that listens, or is bound.  OSError with a message for people."""
    where = f"{publication.host_address}:{publication.host_port}"
    kind = socket.SOCK_DGRAM if publication.udp else socket.SOCK_STREAM
    listener = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
    try:
        if not publication.udp:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((publication.host_address, publication.host_port))
        if not publication.udp:
            listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reasons = {
            errno.EADDRINUSE: "something else listens there; choose another host port",
            errno.EACCES: "ports below 1024 need privileges; choose a higher host port",
            errno.EADDRNOTAVAIL: "that is not an address of this host",
        }
        reason = reasons.get(error.errno or 0, error.strerror)
        raise OSError(error.errno, f"cannot publish {where}: {reason}") from None
    return listener
