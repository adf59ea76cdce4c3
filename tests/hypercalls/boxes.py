"""The three implementations behind one set of levers, for the contract suite.

A box is a rump kernel's hypercalls plus the far side of each of its devices.
"""

from __future__ import annotations

import io
import os
import socket
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple, Protocol

from hypercalls.api import Hypercalls, Ready
from hypercalls.host.boot import HostKernel
from hypercalls.host.reactor import Reactor
from hypercalls.sim.copy import SimChannel
from hypercalls.sim.offload import Packet
from hypercalls.sim.world import SimWorld
from minion.board import Board
from minion.devices.dma import Dma
from minion.netdev.api import NicPort

MEMORY = 4 << 20


class Sent(NamedTuple):
    data: bytes
    csum_start: int
    csum_offset: int
    gso_size: int


class Program(Protocol):
    """A program's end of a channel."""

    def program_write(self, data: bytes) -> int: ...
    def program_read(self, limit: int) -> bytes: ...
    def program_shutdown(self) -> None: ...
    def program_close(self) -> None: ...
    @property
    def program_eof(self) -> bool: ...


class HostProgram:
    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock

    def program_write(self, data: bytes) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0

    def program_read(self, limit: int) -> bytes:
        try:
            return self._sock.recv(limit)
        except BlockingIOError:
            return b""

    @property
    def program_eof(self) -> bool:
        try:
            return self._sock.recv(1, socket.MSG_PEEK) == b""
        except BlockingIOError:
            return False

    def program_shutdown(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    def program_close(self) -> None:
        self._sock.close()


class HostBox:
    offload = False

    def __init__(self, tmp_path: Path) -> None:
        self._tmp = tmp_path
        self.reactor = Reactor()
        self._console = io.StringIO()
        line, self._line = socket.socketpair()
        self._line.setblocking(False)
        self.kernel = HostKernel(
            self.reactor, {"answer": "42"}, MEMORY, self._console, line.detach()
        )
        nic, self._wire = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._wire.setblocking(False)
        self.kernel.add_net(nic.detach(), b"\xb2\x0a\0\0\0\1")
        self._programs: list[socket.socket] = []
        self.hc: Hypercalls = self.kernel.hypercalls

    def run(self) -> None:
        for _ in range(4):
            self.reactor.run_once(False)

    def pass_time(self, ns: int) -> None:
        end = time.monotonic_ns() + ns
        self.reactor.call_at(end, lambda: None)
        while time.monotonic_ns() < end:
            self.reactor.run_once(True)
        self.run()

    def wire_put(self, data: bytes, csum_ok: bool = False, gso_size: int = 0) -> None:
        assert not csum_ok
        assert not gso_size
        self._wire.send(data)

    def wire_take(self) -> list[Sent]:
        frames = []
        while True:
            try:
                frames.append(Sent(self._wire.recv(1 << 17), 0, 0, 0))
            except BlockingIOError:
                return frames

    def line_put(self, data: bytes) -> None:
        while data:
            data = data[self._line.send(data) :]

    def line_take(self) -> bytes:
        data = b""
        while True:
            try:
                data += self._line.recv(1 << 20)
            except BlockingIOError:
                return data

    def plug(self, chan: int, messages: bool = False) -> Program:
        kind = socket.SOCK_SEQPACKET if messages else socket.SOCK_STREAM
        ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
        self._programs.append(theirs)
        self.kernel.copy.plug(chan, ours)
        return HostProgram(theirs)

    def make_file(self, content: bytes) -> str:
        path = self._tmp / "file"
        path.write_bytes(content)
        return str(path)

    def console(self) -> str:
        return self._console.getvalue()

    def close(self) -> None:
        self.kernel.close()
        self.reactor.close()
        for sock in (self._line, self._wire, *self._programs):
            sock.close()


class SimBox:
    offload = True

    def __init__(self, tmp_path: Path) -> None:
        self.world = SimWorld(seed=1)
        self.hc: Hypercalls = self.world.host(
            "a", MEMORY, gso_max_bytes=65535, params={"answer": "42"}
        )
        self._host = self.world.hosts["a"]
        self._sent: list[Packet] = []
        self._host.nets[0].output = self._sent.append
        self._line = bytearray()
        self._host.serial.on_transmit = self._line.extend

    def run(self) -> None:
        self.world.work()

    def pass_time(self, ns: int) -> None:
        self.world.run_to(self.world.now_ns + ns)

    def wire_put(self, data: bytes, csum_ok: bool = False, gso_size: int = 0) -> None:
        self._host.nets[0].receive(Packet(data, csum_ok=csum_ok, gso_size=gso_size))

    def wire_take(self) -> list[Sent]:
        sent = [Sent(p.data, p.csum_start, p.csum_offset, p.gso_size) for p in self._sent]
        self._sent.clear()
        return sent

    def line_put(self, data: bytes) -> None:
        self._host.serial.receive(data)

    def line_take(self) -> bytes:
        data = bytes(self._line)
        self._line.clear()
        return data

    def plug(self, chan: int, messages: bool = False) -> Program:
        return self._host.copy.plug(chan, messages=messages)

    def make_file(self, content: bytes) -> str:
        self._host.files.contents["file"] = bytearray(content)
        return "file"

    def console(self) -> str:
        return "".join(self._host.console.written)

    def close(self) -> None:
        self.world.close()


class TestNetdev:
    """A netdev whose far end is the test."""

    __test__ = False

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self.sent: list[Sent] = []
        self.flushes = 0
        self.port: NicPort | None = None

    def attach(self, port: NicPort) -> None:
        self.port = port

    def transmit(self, frame: list[memoryview]) -> None:
        data = b"".join(frame)
        flags = data[0]
        gso, start, offset = (int.from_bytes(data[n : n + 2], "little") for n in (4, 6, 8))
        if not flags & 1:
            start = offset = 0
        self.sent.append(Sent(data[12:], start, offset, gso if data[1] else 0))

    def flush(self) -> None:
        self.flushes += 1

    def receive(self, data: bytes, csum_ok: bool = False, gso_size: int = 0) -> bool:
        assert self.port is not None
        buffer = self.port.rx_buffer()
        if buffer is None:
            return False
        header = bytes((2 if csum_ok else 0, 1 if gso_size else 0, 0, 0))
        whole = header + gso_size.to_bytes(2, "little") + bytes(6) + data
        buffer[: len(whole)] = whole
        self.port.rx_commit(len(whole))
        self.port.rx_done()
        return True

    def close(self) -> None:
        pass


class PipeEnd:
    """A dma.ChannelEnd on simulated pipes."""

    def __init__(self, dma: Dma, chan: int, events: deque, messages: bool) -> None:
        self.pipe = SimChannel(events.append, 65536, messages)
        self.pipe.ready = lambda ready: dma.request(chan, ready)
        self.pipe.wanted = 0
        self.pipe.plug()
        self.recv_into = self.pipe.recv_into
        self.send = self.pipe.send
        self.end = self.pipe.end
        self.detach = self.pipe.detach

    def want(self, events: Ready) -> None:
        self.pipe.wanted = int(events)
        self.pipe.notify()


class BareBox:
    offload = True

    def __init__(self, tmp_path: Path) -> None:
        self._path = tmp_path / "disk"
        self._path.write_bytes(bytes(64 * 512))
        self._now_ns = 1_000_000_000
        self._written: list[str] = []
        self.netdev = TestNetdev()
        self.board = Board(
            self.netdev,
            self._written.append,
            ram_bytes=MEMORY,
            block=[(str(self._path), False)],
            params={"answer": "42"},
            now_ns=lambda: self._now_ns,
        )
        self._line = bytearray()
        self.board.uart1.on_transmit = self._line.extend
        self._events: deque = deque()
        self.hc: Hypercalls = self.board.hypercalls

    def run(self) -> int | None:
        for _ in range(10_000):
            due = self.board.run()
            if self._events:
                self._events.popleft()()
            elif due is None or due > self._now_ns:
                return due
        raise RuntimeError("no rest")

    def pass_time(self, ns: int) -> None:
        end = self._now_ns + ns
        while (due := self.run()) is not None and due <= end:
            self._now_ns = due
        self._now_ns = end
        self.run()

    def wire_put(self, data: bytes, csum_ok: bool = False, gso_size: int = 0) -> None:
        self.netdev.receive(data, csum_ok, gso_size)

    def wire_take(self) -> list[Sent]:
        sent, self.netdev.sent = self.netdev.sent, []
        return sent

    def line_put(self, data: bytes) -> None:
        self.board.uart1.receive(data)

    def line_take(self) -> bytes:
        data = bytes(self._line)
        self._line.clear()
        return data

    def plug(self, chan: int, messages: bool = False) -> Program:
        end = PipeEnd(self.board.dma, chan, self._events, messages)
        self.board.dma.plug(chan, end)
        return end.pipe

    def make_file(self, content: bytes) -> str:
        with self._path.open("r+b") as file:
            file.write(content)
            os.fsync(file.fileno())
        return "vd0"

    def console(self) -> str:
        self.board.run()
        return "".join(self._written)

    def close(self) -> None:
        self.board.close()


BOXES = {"host": HostBox, "sim": SimBox, "bare": BareBox}
Box = HostBox | SimBox | BareBox
