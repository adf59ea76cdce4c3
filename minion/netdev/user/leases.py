"""The gateway's DHCP server (RFC 2131, section 4.3): one network, one host, one address."""

from __future__ import annotations

from stack.netstack import Netstack
from stack.wire import WireError, dhcp
from stack.wire.dhcp import Dhcp

LEASE_S = 86400


class DhcpServer:
    def __init__(self, net: Netstack, guest: int, netmask: int, gateway: int, dns: int) -> None:
        self.counters = {"offers": 0, "acks": 0, "naks": 0}
        self._net = net
        self._guest = guest
        self._gateway = gateway
        self._options = {
            dhcp.SERVER: gateway.to_bytes(4, "big"),
            dhcp.LEASE: LEASE_S.to_bytes(4, "big"),
            dhcp.NETMASK: netmask.to_bytes(4, "big"),
            dhcp.ROUTER: gateway.to_bytes(4, "big"),
            dhcp.DNS: dns.to_bytes(4, "big"),
        }

    def input(self, payload: bytes) -> None:
        try:
            message = Dhcp.parse(payload)
        except WireError:
            return
        if message.op != dhcp.BOOTREQUEST:
            return
        if message.kind == dhcp.DISCOVER:
            self._reply(message, dhcp.OFFER, "offers")
        elif message.kind == dhcp.REQUEST:
            wanted = message.address(dhcp.REQUESTED) or message.client_ip
            server = message.address(dhcp.SERVER)
            if server not in (None, self._gateway):
                return  # it chose another server
            if wanted == self._guest:
                self._reply(message, dhcp.ACK, "acks")
            else:
                self._reply(message, dhcp.NAK, "naks")

    def _reply(self, request: Dhcp, kind: int, counter: str) -> None:
        self.counters[counter] += 1
        options = {} if kind == dhcp.NAK else self._options
        options = {dhcp.SERVER: self._options[dhcp.SERVER]} | options
        your = 0 if kind == dhcp.NAK else self._guest
        reply = Dhcp(
            dhcp.BOOTREPLY, request.xid, kind, request.mac, your, self._gateway, 0, options
        )
        # Broadcast (section 4.1): the client has no address yet that ARP could find
        self._net.udp.output((self._gateway, dhcp.SERVER_PORT), (0xFFFFFFFF, dhcp.CLIENT_PORT),
                             reply.emit())  # fmt: skip
