"""UDP endpoints (RFC 768; RFC 1122, section 4.1)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from errno import EACCES, EADDRINUSE, EADDRNOTAVAIL, EDESTADDRREQ, EMSGSIZE

from hypercalls.api import Frame, Hypercalls
from stack.config import Config
from stack.ip.icmp import IcmpProtocol
from stack.ip.ip import Ip
from stack.wire import icmp, ipv4
from stack.wire.checksum import pseudo_header
from stack.wire.ipv4 import Ipv4
from stack.wire.udp import Udp

Address = tuple[int, int]
"""(IPv4 address, port)"""
MAX_PAYLOAD = 65507
Forwarder = Callable[[Ipv4, Udp], bool]


class UdpEndpoint:
    """One UDP port: a queue of (source, payload), and somebody to tell."""

    __slots__ = ("_udp", "error", "local", "queue", "readable", "remote")

    def __init__(self, udp: UdpProtocol) -> None:
        self._udp = udp
        self.local: Address = (0, 0)
        self.remote: Address | None = None
        self.queue: deque[tuple[Address, bytes]] = deque()
        self.error = 0
        self.readable: Callable[[], None] = lambda: None

    def bind(self, address: int, port: int) -> None:
        self._udp.bind(self, address, port)

    def connect(self, remote: Address) -> None:
        if not self.local[1]:
            self.bind(self.local[0], 0)
        self.remote = remote

    def send(self, payload: bytes, to: Address | None = None) -> None:
        """OSError: EDESTADDRREQ, EMSGSIZE, ENETUNREACH, or a pending ICMP error."""
        if self.error:
            error, self.error = self.error, 0
            raise OSError(error, "reported by ICMP")
        remote = to or self.remote
        if remote is None:
            raise OSError(EDESTADDRREQ, "no destination")
        if not self.local[1]:
            self.bind(self.local[0], 0)
        self._udp.output(self.local, remote, payload)

    def close(self) -> None:
        self._udp.unbind(self)


class UdpProtocol:
    def __init__(
        self, hyper: Hypercalls, config: Config, ip: Ip, icmp_protocol: IcmpProtocol
    ) -> None:
        self._ip = ip
        self._icmp = icmp_protocol
        self._config = config
        self._random = hyper.random
        self._bound: dict[Address, UdpEndpoint] = {}
        self.forwarder: Forwarder = lambda _header, _datagram: False
        """Offered datagrams that no endpoint takes; True: taken (a gateway relays them)."""
        self.counters = {"in": 0, "out": 0, "no_port": 0, "full": 0}
        ip.protocols[ipv4.UDP] = self.input
        icmp_protocol.transports[ipv4.UDP] = self._icmp_error

    def endpoint(self) -> UdpEndpoint:
        return UdpEndpoint(self)

    def bind(self, endpoint: UdpEndpoint, address: int, port: int) -> None:
        if address and not self._ip.is_local(address):
            raise OSError(EADDRNOTAVAIL, "not a local address")
        if not 0 <= port <= 65535:
            raise OSError(EACCES, "no such port")
        port = port or self._free_port(address)
        if self._taken(address, port):
            raise OSError(EADDRINUSE, "address in use")
        self.unbind(endpoint)
        endpoint.local = (address, port)
        self._bound[endpoint.local] = endpoint

    def _free_port(self, address: int) -> int:
        """RFC 6056, algorithm 1: simple port randomisation."""
        first, count = self._config.port_first, self._config.port_last - self._config.port_first + 1
        start = int.from_bytes(self._random.getrandom(4), "big")
        for i in range(count):
            port = first + (start + i) % count
            if not self._taken(address, port):
                return port
        raise OSError(EADDRINUSE, "no free port")

    def _taken(self, address: int, port: int) -> bool:
        bound = self._bound
        if (address, port) in bound or (0, port) in bound:
            return True
        return not address and any(local[1] == port for local in bound)

    def unbind(self, endpoint: UdpEndpoint) -> None:
        if self._bound.get(endpoint.local) is endpoint:
            del self._bound[endpoint.local]

    def input(self, header: Ipv4, frame: Frame, start: int, end: int, _now: int) -> None:
        pseudo = pseudo_header(header.src, header.dst, ipv4.UDP, 0)
        datagram = Udp.parse(frame.view[start:end], pseudo, frame.csum_ok)
        self.counters["in"] += 1
        endpoint = self._bound.get((header.dst, datagram.dst)) or self._bound.get((0, datagram.dst))
        source = (header.src, datagram.src)
        if endpoint is None or (endpoint.remote is not None and endpoint.remote != source):
            if not self.forwarder(header, datagram):
                self.counters["no_port"] += 1
                packet = frame.view[start - header.header_bytes : end]
                self._icmp.error(header, packet, icmp.UNREACHABLE, icmp.PORT_UNREACHABLE)
            return
        if len(endpoint.queue) >= self._config.udp_queue:
            self.counters["full"] += 1
            return
        endpoint.queue.append((source, bytes(datagram.payload)))
        endpoint.readable()

    def output(self, local: Address, remote: Address, payload: bytes) -> None:
        """Send a datagram from any address (a gateway answers for others)."""
        if len(payload) > MAX_PAYLOAD:
            raise OSError(EMSGSIZE, "datagram too long")
        path = self._ip.path(remote[0], local[0])
        pseudo = pseudo_header(path.src, remote[0], ipv4.UDP, 0)
        datagram = Udp(local[1], remote[1], payload).emit(pseudo)
        self.counters["out"] += 1
        self._ip.output(path, path.src, remote[0], ipv4.UDP, datagram)

    def _icmp_error(
        self, inner: Ipv4, ports: memoryview, error: int, _kind: int, _code: int
    ) -> None:
        local = (inner.src, ports[0] << 8 | ports[1])
        endpoint = self._bound.get(local) or self._bound.get((0, local[1]))
        remote = (inner.dst, ports[2] << 8 | ports[3])
        # RFC 1122, 4.1.3.3: only a connected endpoint can know which peer was meant
        if endpoint is not None and endpoint.remote == remote:
            endpoint.error = error
            endpoint.readable()
