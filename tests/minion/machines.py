"""Boards and drivers for device tests."""

from __future__ import annotations

from minion.board import Board
from minion.netdev.api import NicPort


class Cable:
    """A netdev that keeps what was sent."""

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self.sent: list[bytes] = []
        self.flushes = 0
        self.closed = False

    def attach(self, port: NicPort) -> None:
        self.port = port

    def transmit(self, frame: list[memoryview]) -> None:
        self.sent.append(b"".join(frame))

    def flush(self) -> None:
        self.flushes += 1

    def close(self) -> None:
        self.closed = True


class Bench:
    """A board with its time in hand."""

    def __init__(self, **options: object) -> None:
        self.now_ns = 1_000_000_000
        self.cable = Cable()
        self.written: list[str] = []
        options.setdefault("ram_bytes", 4 << 20)
        self.board = Board(self.cable, self.written.append, now_ns=lambda: self.now_ns, **options)
        self.read = self.board.bus.read
        self.write = self.board.bus.write
