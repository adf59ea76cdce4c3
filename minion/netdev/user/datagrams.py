"""UDP and ICMP echo between the minion and host sockets: one host socket per flow.

A flow is (minion's port, destination).  Its host socket is connected, so that the host's kernel
filters strangers, and an ICMP error it reports becomes one for the minion.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from select import EPOLLIN

from hypercalls.host.reactor import Reactor
from stack.netstack import Netstack
from stack.wire import icmp
from stack.wire.icmp import Icmp
from stack.wire.ipv4 import Ipv4
from stack.wire.udp import Udp

IDLE_NS = 60_000_000_000
FLOWS_MAX = 512
Flow = tuple[int, int, int, int]
"""(minion's address and port, destination and port); ports of ICMP: identifier and 0"""
Target = Callable[[int, int], tuple[str, int] | None]


class Relayed:
    __slots__ = ("deliver", "host", "last_ns")

    def __init__(self, host: socket.socket, deliver: Callable[[bytes], None]) -> None:
        self.host = host
        self.deliver = deliver
        self.last_ns = time.monotonic_ns()


class DatagramRelays:
    def __init__(
        self, reactor: Reactor, net: Netstack, target: Target, wake: Callable[[], None]
    ) -> None:
        self.flows: dict[Flow, Relayed] = {}
        self.counters = {"udp_flows": 0, "echo_flows": 0, "refused": 0}
        self._reactor = reactor
        self._net = net
        self._target = target
        self._wake = wake
        self._sweeping = False
        net.icmp.echo_forwarder = self.echo

    def udp(self, header: Ipv4, datagram: Udp) -> bool:
        """Relay a datagram to the host; False: there is nothing at its destination."""
        target = self._target(header.dst, datagram.dst)
        if target is None:
            return False
        flow = (header.src, datagram.src, header.dst, datagram.dst)

        def deliver(payload: bytes) -> None:
            self._net.udp.output((header.dst, datagram.dst), (header.src, datagram.src), payload)

        relayed = self._open(flow, 0, target, deliver, "udp_flows")
        if relayed is None:
            return False
        try:
            relayed.host.send(datagram.payload)
        except ConnectionRefusedError:
            return False  # the stack answers with Port Unreachable
        except OSError:
            self.counters["refused"] += 1
        return True

    def echo(self, header: Ipv4, message: Icmp) -> bool:
        """Relay an echo request for somebody else (ping sockets: icmp(7))."""
        if self._net.ip.is_local(header.dst):
            return False
        target = self._target(header.dst, 0)
        if target is None:
            return True  # nobody is there: silence, as on a wire
        ident, sequence = message.rest >> 16, message.rest & 0xFFFF

        def deliver(data: bytes) -> None:
            reply = Icmp.parse(data)
            rest = ident << 16 | reply.rest & 0xFFFF
            answer = Icmp(icmp.ECHO_REPLY, 0, rest, reply.payload)
            self._net.icmp.send(header.dst, header.src, answer)

        flow = (header.src, ident, header.dst, 0)
        relayed = self._open(flow, socket.IPPROTO_ICMP, (target[0], 0), deliver, "echo_flows")
        if relayed is None:
            return True
        try:
            relayed.host.send(Icmp(icmp.ECHO, 0, sequence, bytes(message.payload)).emit())
        except OSError:
            self.counters["refused"] += 1
        return True

    def _open(
        self, flow: Flow, protocol: int, target: tuple[str, int],
        deliver: Callable[[bytes], None], counter: str,
    ) -> Relayed | None:  # fmt: skip
        relayed = self.flows.get(flow)
        if relayed is not None:
            relayed.last_ns = time.monotonic_ns()
            return relayed
        if len(self.flows) >= FLOWS_MAX:
            self._close(min(self.flows, key=lambda key: self.flows[key].last_ns))
        try:
            host = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)
        except OSError:
            self.counters["refused"] += 1  # ping sockets need net.ipv4.ping_group_range
            return None
        try:
            host.connect(target)
        except OSError:
            self.counters["refused"] += 1
            host.close()
            return None
        self.counters[counter] += 1
        relayed = self.flows[flow] = Relayed(host, deliver)
        self._reactor.register(host.fileno(), EPOLLIN, lambda _events: self._readable(flow))
        if not self._sweeping:
            self._sweeping = True
            self._reactor.call_at(time.monotonic_ns() + IDLE_NS, self._sweep)
        return relayed

    def _readable(self, flow: Flow) -> None:
        relayed = self.flows[flow]
        try:
            payload = relayed.host.recv(65535)
        except BlockingIOError:
            return
        except OSError:
            self._close(flow)  # the port is closed; the next datagram finds out by itself
            return
        relayed.last_ns = time.monotonic_ns()
        relayed.deliver(payload)
        self._wake()

    def _close(self, flow: Flow) -> None:
        relayed = self.flows.pop(flow)
        self._reactor.unregister(relayed.host.fileno())
        relayed.host.close()

    def _sweep(self) -> None:
        self._sweeping = False
        now = time.monotonic_ns()
        for flow in [f for f, r in self.flows.items() if now - r.last_ns > IDLE_NS]:
            self._close(flow)
        if self.flows:
            self._sweeping = True
            self._reactor.call_at(now + IDLE_NS, self._sweep)

    def close(self) -> None:
        for flow in list(self.flows):
            self._close(flow)
