"""IPv4 input and output (RFC 791; RFC 1122, section 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EHOSTUNREACH, EMSGSIZE, ENETUNREACH

from hypercalls.api import Frame, Hypercalls, Slice
from stack.callout import Callouts
from stack.config import Config
from stack.iface.interface import Interface
from stack.iface.loopback import LoopbackFrame, LoopbackInterface
from stack.ip.pmtu import PathMtus
from stack.ip.reassembly import Reassembly
from stack.ip.routes import Route, Routes
from stack.wire import WireError, ipv4
from stack.wire.checksum import checksum
from stack.wire.ipv4 import (
    DONT_FRAGMENT,
    HEADER_BYTES,
    MORE_FRAGMENTS,
    OFFSET,
    Ipv4,
    is_loopback,
)

ProtocolInput = Callable[[Ipv4, Frame, int, int, int], None]
"""Takes the header, the frame, where its payload starts and ends in frame.view, and the time."""
Unknown = Callable[[Ipv4, memoryview], None]


class Path:
    """How packets reach one destination; a connection keeps one and asks again when it is stale."""

    __slots__ = ("dont_fragment", "generation", "interface", "mtu_bytes", "next_hop", "src")

    def __init__(
        self, interface: Interface, next_hop: int, src: int, mtu_bytes: int, generation: int,
        dont_fragment: bool = True,
    ) -> None:  # fmt: skip
        self.interface = interface
        self.next_hop = next_hop
        self.src = src
        self.mtu_bytes = mtu_bytes
        self.generation = generation
        self.dont_fragment = dont_fragment
        """RFC 1191; False: the path's MTU is smaller than is believed."""


class Ip:
    def __init__(self, hyper: Hypercalls, config: Config, callouts: Callouts) -> None:
        self.config = config
        self.routes = Routes()
        self.interfaces: list[Interface] = []
        self.protocols: dict[int, ProtocolInput] = {}
        self.unknown_protocol: Unknown = lambda _header, _packet: None
        self.forwarding_all = False
        """A gateway: take in packets for every address (see netdev/user)."""
        self.counters = {"in": 0, "out": 0, "in_bad": 0, "not_ours": 0, "no_route": 0}
        self.reassembly = Reassembly(config, callouts)
        self._memory = hyper.memory
        self._local: set[int] = set()
        self._not_senders: set[int] = {0xFFFFFFFF}
        self.path_mtus = PathMtus(config, callouts, self._changed)
        self._ident = int.from_bytes(hyper.random.getrandom(2), "big")

    # -- addresses and paths

    def add_interface(self, interface: Interface) -> None:
        self.interfaces.append(interface)
        self._changed()

    def configure(self, interface: Interface, address: int, netmask: int, gateway: int = 0) -> None:
        """Give an interface its address, its on-link route and, with gateway, the default route."""
        interface.address, interface.netmask = address, netmask
        self.routes.add(address, netmask, interface)
        if gateway:
            self.routes.add(0, 0, interface, gateway)
        self._changed()

    def _changed(self) -> None:
        self._local = {i.address for i in self.interfaces if i.address}
        broadcasts = {i.address | ~i.netmask & 0xFFFFFFFF for i in self.interfaces if i.address}
        self._not_senders = self._local | broadcasts | {0xFFFFFFFF}
        self.routes.generation += 1

    def is_local(self, address: int) -> bool:
        return address in self._local or is_loopback(address)

    def path(self, dst: int, src: int = 0) -> Path:
        """The way to dst.  OSError(ENETUNREACH) if there is no route."""
        generation = self.routes.generation
        if self.is_local(dst):
            loopback = next(i for i in self.interfaces if isinstance(i, LoopbackInterface))
            near = loopback.address if is_loopback(dst) else dst
            return Path(loopback, dst, src or near, loopback.mtu_bytes, generation)
        route: Route | None
        if dst == 0xFFFFFFFF:
            interface = self.interfaces[-1]
            return Path(interface, dst, src or interface.address, interface.mtu_bytes, generation)
        route = self.routes.lookup(dst)
        if route is None:
            self.counters["no_route"] += 1
            raise OSError(ENETUNREACH, "no route to host")
        interface = route.interface
        mtu, dont_fragment = interface.mtu_bytes, True
        known = self.path_mtus.get(dst)
        if known is not None and known.mtu_bytes < mtu:
            mtu, dont_fragment = known.mtu_bytes, not known.fragment
        next_hop, src = route.next_hop(dst), src or interface.address
        return Path(interface, next_hop, src, mtu, generation, dont_fragment)

    # -- input

    def input(self, interface: Interface, frame: Frame, at: int, now: int) -> None:
        """One packet from an interface, frame.view[at:]."""
        self.counters["in"] += 1
        view = frame.view
        try:
            header = Ipv4.parse(view, at)
        except WireError:
            self.counters["in_bad"] += 1
            raise
        dst = header.dst
        src = header.src
        if (dst != interface.address and not self._for_us(interface, dst)) or (
            (src >= 0xE0000000 or src >> 24 == 127 or src in self._not_senders)
            and self._martian(interface, src)
        ):
            self.counters["not_ours"] += 1
            return
        end = at + header.total_bytes
        start = at + header.header_bytes
        if header.fragment & (MORE_FRAGMENTS | OFFSET):
            whole = self.reassembly.input(header, view[start:end], now)
            if whole is None:
                return
            end = HEADER_BYTES + len(whole)
            buffer = self._memory.alloc(end)
            if buffer is None:
                return
            header.fragment, header.header_bytes, header.total_bytes = 0, HEADER_BYTES, end
            buffer.view[:HEADER_BYTES] = header.emit()
            buffer.view[HEADER_BYTES:] = whole
            frame, at, start = LoopbackFrame(buffer), 0, HEADER_BYTES
            frame.csum_ok = False
            view = frame.view
        handler = self.protocols.get(header.protocol)
        if handler is None:
            self.unknown_protocol(header, view[at:end])
            return
        handler(header, frame, start, end, now)

    def _for_us(self, interface: Interface, dst: int) -> bool:
        if dst == interface.address or self.forwarding_all:
            return True
        if isinstance(interface, LoopbackInterface):
            return self.is_local(dst)
        # RFC 1122, 3.2.1.3: broadcasts; and before DHCP has finished, whatever the NIC lets through
        broadcast = interface.address | ~interface.netmask & 0xFFFFFFFF
        return dst in (0xFFFFFFFF, broadcast) or (not interface.address and dst >> 24 != 127)

    def _martian(self, interface: Interface, src: int) -> bool:
        if src >> 24 == 127:
            return not isinstance(interface, LoopbackInterface)
        # Nobody else sends from our address (the land attack), and nobody from a broadcast address
        return src >> 28 == 0xE or (
            src in self._not_senders and not isinstance(interface, LoopbackInterface)
        )

    # -- output

    def output(
        self,
        path: Path,
        src: int,
        dst: int,
        protocol: int,
        transport: bytes,
        payload: Sequence[Slice] = (),
        payload_bytes: int = 0,
        csum_offset: int = 0,
        gso_size: int = 0,
        ttl: int = 0,
        tos: int = 0,
    ) -> None:
        """Send a packet: transport header and payload.

        csum_offset > 0: the interface is to complete the checksum at that place of the transport
        header.  A packet larger than the path's MTU is fragmented, unless it is a super-segment.
        OSError(EMSGSIZE) over 65,535 bytes.
        """
        total = HEADER_BYTES + len(transport) + payload_bytes
        if total > 65535:
            raise OSError(EMSGSIZE, "packet too long")
        self.counters["out"] += 1
        fragment, ident = 0, 0
        if protocol == ipv4.TCP and path.dont_fragment:
            fragment = DONT_FRAGMENT  # RFC 1191; the ident then means nothing (RFC 6864)
        else:
            ident = self._ident = self._ident + 1 & 0xFFFF
        ttl = ttl or self.config.ttl
        interface = path.interface
        if total > path.mtu_bytes and not gso_size:
            header = Ipv4(src, dst, protocol, HEADER_BYTES, total, ident, fragment, ttl, tos)
            self._fragment(path, header, transport, payload, csum_offset)
            return
        packet = ipv4.emit(src, dst, protocol, total, ident, fragment, ttl, tos) + transport
        start = HEADER_BYTES if csum_offset else 0
        interface.output(path.next_hop, packet, payload, start, csum_offset, gso_size)

    def _fragment(
        self, path: Path, header: Ipv4, transport: bytes, payload: Sequence[Slice],
        csum_offset: int,
    ) -> None:  # fmt: skip
        """RFC 791, 3.2: every fragment but the last carries a multiple of 8 bytes."""
        data = transport + b"".join(bytes(b.view[o : o + n]) for b, o, n in payload)
        if csum_offset:  # no device can complete it over several packets
            total = checksum(data).to_bytes(2, "big")
            data = data[:csum_offset] + total + data[csum_offset + 2 :]
        step = (path.mtu_bytes - HEADER_BYTES) & ~7
        header.fragment &= ~DONT_FRAGMENT
        for at in range(0, len(data), step):
            part = data[at : at + step]
            more = MORE_FRAGMENTS if at + step < len(data) else 0
            piece = Ipv4(
                header.src, header.dst, header.protocol, HEADER_BYTES, HEADER_BYTES + len(part),
                header.ident, more | at // 8, header.ttl, header.tos,
            )  # fmt: skip
            path.interface.output(path.next_hop, piece.emit() + part, (), 0, 0, 0)


def unreachable_errno(code: int) -> int:
    """What a Destination Unreachable code means to a program (RFC 1122, 4.1.3.3 and 4.2.3.9)."""
    from errno import ECONNREFUSED, ENOPROTOOPT

    return {0: ENETUNREACH, 2: ENOPROTOOPT, 3: ECONNREFUSED, 6: ENETUNREACH}.get(code, EHOSTUNREACH)
