"""The line on the host: any byte-stream descriptor (a tty, a pty, a socket, a pipe)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from hypercalls.host.interest import Interest
from hypercalls.host.reactor import IN, OUT, Reactor

READ: Final = 1 << 16
BACKLOG: Final = 1 << 20
"""Bytes not yet taken by the descriptor; beyond that the line loses them, as lines do."""


class FdSerial:
    """api.Serial."""

    def __init__(self, reactor: Reactor, fd: int) -> None:
        os.set_blocking(fd, False)
        self.counters = {"tx_dropped": 0}
        self._fd = fd
        self._interest = Interest(reactor, fd, self._ready)
        self._backlog = bytearray()
        self._reading = False
        self._told = False
        self._on_receive: Callable[[], None] | None = None

    def write(self, data: bytes) -> None:
        if not self._backlog:
            data = data[self._push(data) :]
        if data:
            room = BACKLOG - len(self._backlog)
            self._backlog += data[:room]
            self.counters["tx_dropped"] += max(len(data) - room, 0)
            self._listen()

    def _push(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._fd, data)
        except BlockingIOError:
            return 0
        except OSError:  # hung up: bytes into the void
            return len(data)

    def read(self) -> bytes:
        parts = []
        try:
            while data := os.read(self._fd, READ):
                parts.append(data)
            self._reading = False  # end of file: readable for ever
        except BlockingIOError:
            self._reading = self._on_receive is not None
        except OSError:  # a pty's other side is gone
            self._reading = False
        self._told = False
        self._listen()
        return b"".join(parts)

    def on_receive(self, handler: Callable[[], None]) -> None:
        self._on_receive = handler
        self._reading = True
        self._listen()

    def _ready(self, mask: int) -> None:
        if mask & OUT:
            del self._backlog[: self._push(self._backlog)]
        if mask & ~OUT:
            if self._told or not mask & IN:
                self._reading = False  # until somebody reads
            if not self._told and self._on_receive is not None:
                self._told = True
                self._on_receive()
        self._listen()

    def _listen(self) -> None:
        events = (IN if self._reading else 0) | (OUT if self._backlog else 0)
        if events:
            self._interest.set(events)
        else:
            self._interest.drop()

    def close(self) -> None:
        self._interest.drop()
        os.close(self._fd)
