"""Published UDP ports: from a port of the host to one of the minion.

Each peer on the host gets a port of the gateway, so that the minion's answers find the way back.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from functools import partial
from select import EPOLLIN

from hypercalls.host.reactor import Reactor
from stack.netstack import Netstack
from stack.udp.udp import UdpEndpoint

IDLE_NS = 60_000_000_000
PEERS_MAX = 256
BATCH = 64
"""Datagrams taken from the host's socket in one go."""
HostAddress = tuple[str, int]


class Peer:
    __slots__ = ("endpoint", "last_ns")

    def __init__(self, endpoint: UdpEndpoint) -> None:
        self.endpoint = endpoint
        self.last_ns = time.monotonic_ns()


class UdpPublication:
    def __init__(
        self,
        reactor: Reactor,
        net: Netstack,
        host: socket.socket,
        gateway: int,
        target: tuple[int, int],
        wake: Callable[[], None],
    ) -> None:
        """host: bound, non-blocking; gateway: its address on the minion's network."""
        self._reactor = reactor
        self._net = net
        self._host = host
        self._gateway = gateway
        self._target = target
        self._wake = wake
        self._peers: dict[HostAddress, Peer] = {}
        self._sweeping = False
        reactor.register(host.fileno(), EPOLLIN, self._readable)

    def _readable(self, _events: int) -> None:
        for _ in range(BATCH):
            try:
                payload, address = self._host.recvfrom(65535)
            except BlockingIOError:
                break
            except OSError:
                continue  # an ICMP error for something sent before
            try:
                self._peer(address).endpoint.send(payload)
            except OSError:
                continue  # the minion has no such port, or the datagram is too long for it: lost
        self._wake()

    def _peer(self, address: HostAddress) -> Peer:
        peer = self._peers.get(address)
        if peer is not None:
            peer.last_ns = time.monotonic_ns()
            return peer
        if len(self._peers) >= PEERS_MAX:
            self._forget(min(self._peers, key=lambda key: self._peers[key].last_ns))
        endpoint = self._net.udp.endpoint()
        endpoint.bind(self._gateway, 0)
        endpoint.connect(self._target)
        peer = self._peers[address] = Peer(endpoint)
        endpoint.readable = partial(self._answered, peer, address)
        self._plan()
        return peer

    def _answered(self, peer: Peer, address: HostAddress) -> None:
        peer.last_ns = time.monotonic_ns()  # who only listens is not idle
        queue = peer.endpoint.queue
        while queue:
            _source, payload = queue.popleft()
            try:
                self._host.sendto(payload, address)
            except OSError:
                return  # the peer has gone, or is slow: datagrams get lost

    def _forget(self, address: HostAddress) -> None:
        self._peers.pop(address).endpoint.close()

    def _plan(self) -> None:
        if not self._sweeping:
            self._sweeping = True
            self._reactor.call_at(time.monotonic_ns() + IDLE_NS, self._sweep)

    def _sweep(self) -> None:
        self._sweeping = False
        now = time.monotonic_ns()
        for address in [a for a, peer in self._peers.items() if now - peer.last_ns > IDLE_NS]:
            self._forget(address)
        if self._peers:
            self._plan()

    def close(self) -> None:
        for address in list(self._peers):
            self._forget(address)
        self._reactor.unregister(self._host.fileno())
        self._host.close()
