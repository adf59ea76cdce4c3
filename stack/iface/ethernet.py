"""An Ethernet interface: frames to and from one Net, with ARP between IP and MAC addresses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypercalls.api import Frame, Hypercalls, Net, Slice
from stack.callout import Callouts
from stack.config import Config
from stack.iface.arp import ArpCache
from stack.wire import WireError, ethernet
from stack.wire.arp import REQUEST, Arp
from stack.wire.ethernet import HEADER_BYTES

DST_AT = HEADER_BYTES + 16
"""Where an IPv4 packet's destination stands in a frame."""
IpInput = Callable[["EthernetInterface", Frame, int, int], None]
"""Takes a frame, where its IP packet starts, and the time."""


class EthernetInterface:
    """The way in: interrupt, softint, `_receive`, ip_input; and out: `output`, ARP, send."""

    def __init__(
        self,
        name: str,
        net: Net,
        hyper: Hypercalls,
        config: Config,
        callouts: Callouts,
        ip_input: IpInput,
        batch_end: Callable[[int], None],
        unreachable: Callable[[bytes], None],
        room: Callable[[], None],
    ) -> None:
        """room: told, in softint context, when `full` has ended."""
        self.name = name
        self.address = 0
        self.netmask = 0
        self.mtu_bytes = net.mtu_bytes
        self.gso_max_bytes = net.gso_max_bytes
        self.csum_offload = net.csum_offload
        self.full = False
        self.counters = {"rx": 0, "tx": 0, "rx_bad": 0, "rx_other": 0, "tx_full": 0}
        self._net = net
        self._clock = hyper.clock
        self._crashed = hyper.threads.crashed
        self._ip_input = ip_input
        self._batch_end = batch_end
        self._unreachable = unreachable
        self._headers: dict[bytes, bytes] = {}
        self.arp = ArpCache(config, callouts, net.mac, lambda: self.address, self._send_arp)
        self._softint = hyper.threads.softint(self._receive)
        self._flush = hyper.threads.softint(net.flush)
        net.on_receive(self._softint.schedule)
        self._room = hyper.threads.softint(room)
        net.on_full(self._filled)

    def _filled(self, full: bool) -> None:
        self.full = full
        if full:
            self.counters["tx_full"] += 1
        else:
            self._room.schedule()

    @property
    def broadcast(self) -> int:
        return self.address | ~self.netmask & 0xFFFFFFFF

    def _receive(self) -> None:
        """Take in every waiting frame, and only then acknowledge (MUST-59)."""
        recv, mac, ip_input = self._net.recv, self._net.mac, self._ip_input
        now = self._clock.monotonic_ns()
        count = 0
        while (frame := recv()) is not None:
            count += 1
            view = frame.view
            try:
                # IPv4 for us, which nearly every frame is, needs no Ethernet object
                if len(view) > 33 and view[12] == 8 and not view[13] and view[0:6] == mac:
                    ip_input(self, frame, HEADER_BYTES, now)
                else:
                    self._other(frame, now)
            except WireError:
                self.counters["rx_bad"] += 1
            except Exception as error:  # our fault: costs this frame, and fails the tests
                self._crashed("input", error)
        self.counters["rx"] += count
        self._batch_end(now)

    def _other(self, frame: Frame, now: int) -> None:
        header = ethernet.Ethernet.parse(frame.view)
        if header.dst != self._net.mac and header.dst != ethernet.BROADCAST:
            self.counters["rx_other"] += 1
        elif header.ethertype == ethernet.IPV4:
            if header.dst == ethernet.BROADCAST and self.address.to_bytes(4, "big") == bytes(
                frame.view[DST_AT : DST_AT + 4]
            ):
                self.counters["rx_other"] += 1  # RFC 1122, 3.3.6: broadcast, but for one host
                return
            self._ip_input(self, frame, HEADER_BYTES, now)
        elif header.ethertype == ethernet.ARP:
            self.arp.input(Arp.parse(frame.view[HEADER_BYTES:]), now)
        else:
            self.counters["rx_other"] += 1

    def output(
        self, next_hop: int, packet: bytes, payload: Sequence[Slice],
        csum_start: int, csum_offset: int, gso_size: int,
    ) -> None:  # fmt: skip
        start = csum_start and csum_start + HEADER_BYTES
        now = self._clock.monotonic_ns()
        mac = self.arp.lookup(next_hop, now)
        if mac is None and next_hop in (0xFFFFFFFF, self.broadcast):
            mac = ethernet.BROADCAST
        if mac is not None:
            header = self._headers.get(mac)
            if header is None:
                header = self._header(mac)
            self.counters["tx"] += 1
            self._net.send(header + packet, payload, start, csum_offset, gso_size)
            self._flush.schedule()
            return

        def send(mac: bytes) -> None:
            self.counters["tx"] += 1
            self._net.send(self._header(mac) + packet, payload, start, csum_offset, gso_size)
            self._flush.schedule()

        self.arp.resolve(next_hop, now, send, lambda: self._unreachable(packet))

    def _header(self, mac: bytes) -> bytes:
        if len(self._headers) > 1024:
            self._headers.clear()
        header = ethernet.Ethernet(mac, self._net.mac, ethernet.IPV4).emit()
        self._headers[mac] = header
        return header

    def _send_arp(self, arp: Arp) -> None:
        dst = ethernet.BROADCAST if arp.operation == REQUEST else arp.target_mac
        frame = ethernet.Ethernet(dst, self._net.mac, ethernet.ARP).emit() + arp.emit()
        self._net.send(frame + bytes(60 - len(frame)))  # IEEE 802.3: 60 bytes at least
        self._flush.schedule()

    def announce(self) -> None:
        """Tell the neighbours our address (gratuitous ARP, RFC 5227 section 3)."""
        if self.address:
            self._send_arp(Arp(REQUEST, self._net.mac, self.address, b"\0" * 6, self.address))
