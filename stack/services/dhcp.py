"""A DHCP client (RFC 2131, section 4.4): DISCOVER, REQUEST, and renewal at half the lease."""

from __future__ import annotations

from collections.abc import Callable

from stack.callout import Callout
from stack.config import SECOND
from stack.netstack import Netstack
from stack.wire import WireError, dhcp
from stack.wire.dhcp import Dhcp

BROADCAST = 0xFFFFFFFF
FIRST_RETRY_NS = 1 * SECOND
LAST_RETRY_NS = 32 * SECOND


class DhcpClient:
    """Configures one Ethernet interface; `bound` is told of each (first or changed) lease."""

    def __init__(self, net: Netstack, bound: Callable[[], None], interface: int = 0) -> None:
        self._net = net
        self._bound = bound
        self._interface = interface
        self._mac = net.hyper.nets[interface].mac
        self._endpoint = net.udp.endpoint()
        self._endpoint.bind(0, dhcp.CLIENT_PORT)
        self._endpoint.readable = self._readable
        self._xid = 0
        self._retry_ns = FIRST_RETRY_NS
        self._callout: Callout | None = None
        self._request: Dhcp | None = None
        self.address = self.netmask = self.router = 0
        self.dns: list[int] = []

    def start(self) -> None:
        self._xid = int.from_bytes(self._net.hyper.random.getrandom(4), "big")
        self._retry_ns = FIRST_RETRY_NS
        wanted = {dhcp.WANTED: bytes((dhcp.NETMASK, dhcp.ROUTER, dhcp.DNS))}
        self._ask(Dhcp(dhcp.BOOTREQUEST, self._xid, dhcp.DISCOVER, self._mac, options=wanted))

    def _renew(self) -> None:
        """Ask for more time (section 4.3.2: by broadcast, as in REBINDING, to any server)."""
        self._xid = int.from_bytes(self._net.hyper.random.getrandom(4), "big")
        self._retry_ns = FIRST_RETRY_NS
        wanted = {dhcp.WANTED: bytes((dhcp.NETMASK, dhcp.ROUTER, dhcp.DNS))}
        self._ask(Dhcp(dhcp.BOOTREQUEST, self._xid, dhcp.REQUEST, self._mac,
                       client_ip=self.address, options=wanted))  # fmt: skip

    def _ask(self, message: Dhcp) -> None:
        """Send, and send again with doubled delays (section 4.1)."""
        self._request = message
        self._net.udp.output((self.address, dhcp.CLIENT_PORT), (BROADCAST, dhcp.SERVER_PORT),
                             message.emit())  # fmt: skip
        self._at(self._retry_ns, self._again)
        self._retry_ns = min(self._retry_ns * 2, LAST_RETRY_NS)

    def _again(self) -> None:
        request = self._request
        if request is not None and request.kind == dhcp.REQUEST and self._retry_ns > 8 * SECOND:
            self.start()
        elif request is not None:
            self._ask(request)

    def _at(self, delay_ns: int, function: Callable[[], None]) -> None:
        if self._callout is not None:
            self._callout.cancel()
        self._callout = self._net.callouts.at(self._net.callouts.now() + delay_ns, function)

    def _readable(self) -> None:
        while self._endpoint.queue:
            _source, payload = self._endpoint.queue.popleft()
            try:
                message = Dhcp.parse(payload)
            except WireError:
                continue
            request = self._request
            if request is None or message.op != dhcp.BOOTREPLY or message.xid != self._xid:
                continue
            if message.kind == dhcp.OFFER and request.kind == dhcp.DISCOVER:
                self._take_offer(message)
            elif message.kind == dhcp.ACK and request.kind == dhcp.REQUEST and message.your_ip:
                self._take_lease(message)
            elif message.kind == dhcp.NAK and request.kind == dhcp.REQUEST:
                self.start()

    def _take_offer(self, offer: Dhcp) -> None:
        server = offer.options.get(dhcp.SERVER, b"")
        if len(server) != 4 or not offer.your_ip:
            return
        options = {dhcp.REQUESTED: offer.your_ip.to_bytes(4, "big"), dhcp.SERVER: server,
                   dhcp.WANTED: bytes((dhcp.NETMASK, dhcp.ROUTER, dhcp.DNS))}  # fmt: skip
        self._retry_ns = FIRST_RETRY_NS
        self._ask(Dhcp(dhcp.BOOTREQUEST, self._xid, dhcp.REQUEST, self._mac, options=options))

    def _take_lease(self, lease: Dhcp) -> None:
        netmask = lease.address(dhcp.NETMASK) or 0xFFFFFF00
        router = lease.address(dhcp.ROUTER) or 0
        changed = (self.address, self.netmask, self.router) != (lease.your_ip, netmask, router)
        self.address, self.netmask, self.router = lease.your_ip, netmask, router
        servers = lease.options.get(dhcp.DNS, b"")
        ends = range(4, len(servers) + 1, 4)
        self.dns = [int.from_bytes(servers[end - 4 : end], "big") for end in ends]
        self._request = None
        seconds = int.from_bytes(lease.options.get(dhcp.LEASE, b"\0\0\x0e\x10"), "big")
        self._at(max(seconds // 2, 60) * SECOND, self._renew)
        if changed:
            self._net.configure(self.address, netmask, router, self._interface)
            self._bound()
