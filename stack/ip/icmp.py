"""ICMP: answers echo, reports errors, tells transports of reported ones (RFC 1122, 3.2.2)."""

from __future__ import annotations

from collections.abc import Callable
from errno import EHOSTUNREACH

from hypercalls.api import Frame, Hypercalls
from stack.config import SECOND, Config
from stack.ip.ip import Ip, unreachable_errno
from stack.wire import WireError, icmp, ipv4
from stack.wire.icmp import Icmp
from stack.wire.ipv4 import OFFSET, Ipv4, is_multicast

Transport = Callable[[Ipv4, memoryview, int, int, int], None]
"""Takes the offending header, its first 8 payload bytes, the errno, the ICMP type and code."""
EchoForwarder = Callable[[Ipv4, Icmp], bool]


class IcmpProtocol:
    def __init__(self, hyper: Hypercalls, config: Config, ip: Ip) -> None:
        self._ip = ip
        self._clock = hyper.clock
        self._config = config
        self._window_ns = 0
        self._sent = 0
        self.transports: dict[int, Transport] = {}
        self.mtu_reduced: Callable[[Ipv4, memoryview, int], None] = lambda _h, _p, _m: None
        self.echo_forwarder: EchoForwarder = lambda _header, _message: False
        """Offered every echo request first; True: it was taken (a gateway relays it)."""
        self.echo_reply: Callable[[Ipv4, Icmp], None] = lambda _header, _message: None
        self.counters = {"in": 0, "echo": 0, "errors_in": 0, "errors_out": 0, "limited": 0}
        ip.protocols[ipv4.ICMP] = self.input
        ip.unknown_protocol = self._unknown_protocol

    def input(self, header: Ipv4, frame: Frame, start: int, end: int, _now: int) -> None:
        self.counters["in"] += 1
        message = Icmp.parse(frame.view[start:end])
        if message.type == icmp.ECHO:
            if self.echo_forwarder(header, message):
                return
            if not self._ip.is_local(header.dst):
                return  # RFC 1122, 3.2.2.6 lets us ignore a broadcast ping, and Linux does
            self.counters["echo"] += 1
            self.send(
                header.dst, header.src, Icmp(icmp.ECHO_REPLY, 0, message.rest, message.payload)
            )
        elif message.type == icmp.ECHO_REPLY:
            self.echo_reply(header, message)
        elif message.type in icmp.ERRORS:
            self._error(message)

    def _error(self, message: Icmp) -> None:
        self.counters["errors_in"] += 1
        if message.type in (icmp.SOURCE_QUENCH, icmp.REDIRECT):
            return  # MUST-55; and RFC 1122 lets a host ignore redirects
        quoted = memoryview(message.payload)
        if len(quoted) < 28:
            raise WireError("icmp: quotes too little")
        ihl = (quoted[0] & 15) * 4
        if quoted[0] >> 4 != 4 or ihl < 20 or len(quoted) < ihl + 8:
            raise WireError("icmp: quotes nonsense")
        fields = ipv4.HEADER.unpack_from(quoted)
        inner = Ipv4(fields[8], fields[9], fields[6], ihl, fields[2], fields[3], fields[4])
        ports = quoted[ihl : ihl + 8]
        if inner.fragment & OFFSET or not self._ip.is_local(inner.src):
            return
        if message.type == icmp.UNREACHABLE and message.code == icmp.FRAGMENTATION_NEEDED:
            if inner.protocol == ipv4.TCP:  # nothing else of ours forbids fragments
                self.mtu_reduced(inner, ports, message.rest & 0xFFFF)
            return
        error = EHOSTUNREACH
        if message.type == icmp.UNREACHABLE:
            error = unreachable_errno(message.code)
        transport = self.transports.get(inner.protocol)
        if transport is not None:
            transport(inner, ports, error, message.type, message.code)

    def send(self, src: int, dst: int, message: Icmp) -> None:
        try:
            path = self._ip.path(dst, src)
        except OSError:
            return  # nobody to tell
        self._ip.output(path, path.src, dst, ipv4.ICMP, message.emit())

    def error(self, header: Ipv4, packet: memoryview, kind: int, code: int, src: int = 0) -> None:
        """Report `packet` (IP header first) to its sender, if RFC 1122, 3.2.2 lets us."""
        dst = header.dst
        if (
            header.fragment & OFFSET
            or dst == 0xFFFFFFFF
            or is_multicast(dst)
            or not header.src
            or not (self._ip.is_local(dst) or self._ip.forwarding_all)
        ):
            return
        if header.protocol == ipv4.ICMP and packet[header.header_bytes] in icmp.ERRORS:
            return
        now = self._clock.monotonic_ns()
        if now - self._window_ns >= SECOND:
            self._window_ns, self._sent = now, 0
        self._sent += 1
        if self._sent > self._config.icmp_rate_per_s:
            self.counters["limited"] += 1
            return
        self.counters["errors_out"] += 1
        # RFC 1812, 4.3.2.3: as much of the packet as fits into 576 bytes
        quoted = bytes(packet[: 576 - 20 - icmp.HEADER.size])
        self.send(src or dst, header.src, Icmp(kind, code, 0, quoted))

    def _unknown_protocol(self, header: Ipv4, packet: memoryview) -> None:
        self.error(header, packet, icmp.UNREACHABLE, icmp.PROTOCOL_UNREACHABLE)
