"""TCP scripts in packetdrill's spirit: the test is the peer, segment by segment, in virtual time.

Theory of operation.  One stack ("us", 10.0.0.1) stands on a simulated host; on the other end of its
cable is a bare NIC (10.0.0.2) that answers ARP by itself and keeps everything else for `expect`.
Sequence numbers are relative: 0 is a SYN, 1 the first byte after it, in both directions.  The cable
has no delay, so that what a segment causes has happened when `inject` returns.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hypercalls.api import Buffer, Hypercalls
from hypercalls.sim.net import SimNet
from hypercalls.sim.world import SimWorld
from stack.config import Config
from stack.netstack import Netstack
from stack.socket.stream import StreamSocket
from stack.socket.user import Address
from stack.wire import ethernet, ipv4, undotted
from stack.wire import tcp as wire
from stack.wire.arp import REPLY, Arp
from stack.wire.checksum import checksum, pseudo_header
from stack.wire.ethernet import Ethernet
from stack.wire.ipv4 import Ipv4
from stack.wire.tcp import Options, Tcp

US, PEER = undotted("10.0.0.1"), undotted("10.0.0.2")
NETMASK = 0xFFFFFF00
PEER_ISS = 0xFFFFFF00
"""Near the end of the sequence space: every script also tests that it wraps."""
PORT, PEER_PORT = 80, 40000
START_NS = 1_000_000_000_000
"""Scripts start at this time, which they call 0."""
LETTERS = {"F": wire.FIN, "S": wire.SYN, "R": wire.RST, "P": wire.PSH, "A": wire.ACK, "U": wire.URG}


def letters(flags: int) -> str:
    return "".join(letter for letter, bit in LETTERS.items() if flags & bit)


def bits(flags: str) -> int:
    return sum(LETTERS[letter] for letter in flags)


class App:
    """A user of a socket that notes what it is told; `room` is how much it takes from frames."""

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.got = bytearray()
        self.events: list[str] = []
        self.error: int | None = None

    def received(self, buffer: Buffer, offset: int, length: int) -> int:
        count = length if self.room is None else min(length, self.room)
        if self.room is not None:
            self.room -= count
        self.got += buffer.view[offset : offset + count]
        return count

    def readable(self) -> None:
        self.events.append("readable")

    def writable(self) -> None:
        self.events.append("writable")

    def connected(self) -> None:
        self.events.append("connected")

    def closed(self, error: int) -> None:
        self.events.append("closed")
        self.error = error


def write(net: Netstack, sock: StreamSocket, data: bytes) -> int:
    """As much of data as there is memory and send buffer for."""
    done = 0
    while done < len(data):
        count = min(len(data) - done, sock.send_space, net.hyper.memory.free_bytes // 2)
        buffer = net.hyper.memory.alloc(count) if count > 0 else None
        if buffer is None:
            break
        buffer.view[:] = data[done : done + count]
        sock.write(buffer, 0, count)
        done += count
    return done


def read(sock: StreamSocket, limit: int = 1 << 30) -> bytes:
    """What waits in the receive queue, at most limit bytes."""
    out = bytearray()
    tcb = sock.tcb
    assert tcb is not None
    while len(out) < limit and (item := tcb.rcv.peek()) is not None:
        buffer, offset, length = item
        count = min(length, limit - len(out))
        out += buffer.view[offset : offset + count]
        tcb.rcv.consume(count)
    if out:
        sock.consumed()
    return bytes(out)


class Crashes:
    """What a host's scheduler and stack report as our fault."""

    def __init__(self, world: SimWorld, name: str) -> None:
        self.seen: list[tuple[str, BaseException]] = []
        world.hosts[name].scheduler.crashed = lambda what, exc: self.seen.append((what, exc))

    def check(self) -> None:
        for name, exc in self.seen:
            raise AssertionError(f"{name} crashed: {exc!r}") from exc


@dataclass
class Segment:
    """A segment from us, in relative numbers."""

    time_ms: float
    flags: str
    seq: int
    ack: int
    win: int
    data: bytes
    options: Options
    urgent: int
    header: Ipv4
    port: int = 0
    peer_port: int = 0

    def __repr__(self) -> str:
        end = self.seq + len(self.data)
        return f"<{self.flags} {self.seq}:{end} ack {self.ack} win {self.win} @{self.time_ms} ms>"


@dataclass
class Wire:
    """The bare NIC: everything that arrives, except ARP, which it answers."""

    world: SimWorld
    net: SimNet
    address: int = PEER
    answers: bool = True
    """Whether ARP requests are answered."""
    frames: deque[tuple[int, bytes]] = field(default_factory=deque)
    arps: list[Arp] = field(default_factory=list)
    us_mac: bytes = b""

    def __post_init__(self) -> None:
        self.net.on_receive(self._receive)

    def _receive(self) -> None:
        while (frame := self.net.recv()) is not None:
            data = bytes(frame.view)
            header = Ethernet.parse(memoryview(data))
            if header.ethertype == ethernet.ARP:
                self._arp(Arp.parse(memoryview(data)[14:]))
            else:
                self.frames.append((self.world.now_ns, data[14:]))

    def _arp(self, arp: Arp) -> None:
        self.arps.append(arp)
        if self.answers and arp.operation == 1 and arp.target_ip == self.address:
            reply = Arp(REPLY, self.net.mac, self.address, arp.sender_mac, arp.sender_ip)
            frame = Ethernet(arp.sender_mac, self.net.mac, ethernet.ARP).emit() + reply.emit()
            self.net.send(frame.ljust(60, b"\0"))

    def send_ip(self, packet: bytes, mac: bytes | None = None) -> None:
        """One IP packet for us, or for another MAC address; everything it causes happens."""
        header = Ethernet(self.us_mac if mac is None else mac, self.net.mac, ethernet.IPV4)
        self.net.send(header.emit() + packet)
        self.world.work()

    def take(self) -> list[bytes]:
        """The IP packets that have come."""
        self.world.work()
        out = [data for _time, data in self.frames]
        self.frames.clear()
        return out


class Lab:
    """A stack, and the bare NIC on the other end of its cable."""

    def __init__(
        self, config: Config | None = None, seed: int = 1, configured: bool = True, **host: Any
    ) -> None:
        self.world = SimWorld(seed)
        self.world.now_ns = START_NS
        self.hyper: Hypercalls = self.world.host("us", **host)
        self.crashes = Crashes(self.world, "us")
        peer_memory = 64 << 20
        self.world.host("peer", memory_bytes=peer_memory, mtu_bytes=host.get("mtu_bytes", 1500))
        self.link = self.world.link("us", "peer", delay_ns=0)
        self.wire = Wire(self.world, self.world.hosts["peer"].nets[0])
        self.wire.us_mac = self.hyper.nets[0].mac
        self.net = Netstack(self.hyper, config)
        if configured:
            self.net.configure(US, NETMASK, PEER)
        self.world.work()

    def run_ms(self, ms: float) -> None:
        self.world.run_to(self.world.now_ns + round(ms * 1_000_000))

    @property
    def now_ms(self) -> float:
        return (self.world.now_ns - START_NS) / 1_000_000

    def close(self) -> None:
        self.crashes.check()
        self.world.close()


@contextmanager
def lab(config: Config | None = None, **host: Any) -> Iterator[Lab]:
    """A lab whose crashes fail the test."""
    made = Lab(config, **host)
    yield made
    made.close()


class Script(Lab):
    """A lab with one conversation in it."""

    def __init__(self, config: Config | None = None, **host: Any) -> None:
        super().__init__(config, **host)
        self.port, self.peer_port = PORT, PEER_PORT
        self.iss = 0
        self.peer_iss = PEER_ISS
        self.app = App()
        self.sock: StreamSocket = StreamSocket(self.net, self.app)
        self.listener: StreamSocket | None = None
        self.scale = 0
        """How far window fields from us are shifted, once negotiated."""

    # -- the peer

    def inject(
        self, flags: str, seq: int = 0, ack: int | None = None, data: bytes = b"",
        win: int = 65535, options: bytes = b"", urgent: int = 0, src: int = PEER, dst: int = US,
        port: int | None = None, peer_port: int | None = None, spoil: bool = False,
    ) -> None:  # fmt: skip
        """A segment from the peer; everything it causes happens before this returns."""
        options = options.ljust(-(-len(options) // 4) * 4, b"\0")
        number = 0 if ack is None else self.iss + ack & 0xFFFFFFFF
        header = bytearray(
            wire.emit(
                self.peer_port if peer_port is None else peer_port,
                self.port if port is None else port,
                self.peer_iss + seq & 0xFFFFFFFF, number, bits(flags), win, 0, options,
            )
        )  # fmt: skip
        struct.pack_into("!H", header, 18, urgent)
        segment = bytes(header) + data
        total = checksum(segment, pseudo_header(src, dst, ipv4.TCP, len(segment)))
        header[16:18] = (total ^ spoil).to_bytes(2, "big")
        packet = Ipv4(src, dst, ipv4.TCP, 20, 20 + len(segment)).emit() + bytes(header) + data
        self.wire.send_ip(packet)

    def take(self) -> Segment | None:
        """The oldest segment from us that nobody has looked at."""
        self.world.work()
        if not self.wire.frames:
            return None
        time_ns, packet = self.wire.frames.popleft()
        header = Ipv4.parse(packet)
        assert header.protocol == ipv4.TCP, f"not TCP: {packet!r}"
        end = header.total_bytes
        pseudo = pseudo_header(header.src, header.dst, ipv4.TCP, end - 20)
        tcp = Tcp.parse(memoryview(packet), 20, end, pseudo, False)
        if tcp.flags & wire.SYN:
            self.iss = tcp.seq
        relative = (tcp.seq - self.iss + (1 << 31)) % (1 << 32) - (1 << 31)
        ack = (tcp.ack - self.peer_iss) % (1 << 32) if tcp.flags & wire.ACK else 0
        return Segment(
            (time_ns - START_NS) / 1_000_000, letters(tcp.flags), relative, ack, tcp.window,
            packet[tcp.at : end], Options.parse(tcp.options), tcp.urgent, header, tcp.src, tcp.dst,
        )  # fmt: skip

    def expect(
        self, flags: str | None = None, seq: int | None = None, ack: int | None = None,
        data: bytes | None = None, length: int | None = None, win: int | None = None,
        at_ms: float | None = None,
    ) -> Segment:  # fmt: skip
        """The next segment from us; PSH counts only if flags has it."""
        segment = self.take()
        assert segment is not None, "nothing was sent"
        if flags is not None:
            given = segment.flags if "P" in flags else segment.flags.replace("P", "")
            assert sorted(given) == sorted(flags), f"{segment}, flags {flags} expected"
        for name, want, have in (
            ("seq", seq, segment.seq), ("ack", ack, segment.ack), ("win", win, segment.win),
            ("length", length, len(segment.data)), ("data", data, segment.data),
            ("time", at_ms, segment.time_ms),
        ):  # fmt: skip
            assert want is None or want == have, f"{segment}, {name} {want!r} expected"
        return segment

    def expect_nothing(self) -> None:
        segment = self.take()
        assert segment is None, f"{segment}, nothing expected"

    def drain(self) -> list[Segment]:
        """All segments from us so far."""
        out = []
        while (segment := self.take()) is not None:
            out.append(segment)
        return out

    # -- handshakes

    def options(self, mss: int | None = 1460, scale: int | None = None) -> bytes:
        return Options(mss, scale).emit()

    def connect(
        self, mss: int | None = 1460, scale: int | None = None, win: int = 65535
    ) -> StreamSocket:
        """Our socket, connected by us."""
        self.peer_port, self.port = PORT, 0
        self.sock.connect((PEER, PORT))
        syn = self.expect("S", seq=0)
        self.port = syn.port
        self.inject("SA", 0, 1, win=win, options=self.options(mss, scale))
        self.expect("A", seq=1, ack=1)
        if scale is not None:
            self.scale = syn.options.window_scale or 0
        return self.sock

    def listen(self, backlog: int = 8, local: Address = (0, PORT)) -> StreamSocket:
        sock = self.listener = StreamSocket(self.net, self.app)
        sock.bind(local)
        sock.listen(backlog)
        return sock

    def accept(
        self, mss: int | None = 1460, scale: int | None = None, win: int = 65535
    ) -> StreamSocket:
        """Our socket, connected by the peer."""
        listener = self.listener or self.listen()
        self.inject("S", 0, options=self.options(mss, scale), win=win)
        synack = self.expect("SA", seq=0, ack=1)
        if scale is not None:
            self.scale = synack.options.window_scale or 0
        self.inject("A", 1, 1, win=win)
        self.expect_nothing()
        self.sock = listener.accept(lambda _sock: self.app)
        return self.sock

    # -- our side

    def write(self, data: bytes) -> int:
        count = write(self.net, self.sock, data)
        self.world.work()
        return count

    def read(self, limit: int = 1 << 30) -> bytes:
        data = read(self.sock, limit)
        self.world.work()
        return data

    def finish_writing(self) -> None:
        self.sock.finish_writing()
        self.world.work()

    def close_socket(self) -> None:
        self.sock.close()
        self.world.work()

    @property
    def state(self) -> str:
        assert self.sock.tcb is not None
        return self.sock.tcb.state.name

    @property
    def gone(self) -> bool:
        """No connection is left, not even in TIME-WAIT."""
        connections = self.net.tcp.connections
        return not connections.table and not connections.time_wait


@contextmanager
def script(config: Config | None = None, **host: Any) -> Iterator[Script]:
    """A script whose crashes fail the test."""
    made = Script(config, **host)
    yield made
    made.close()
