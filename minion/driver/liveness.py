"""Whether a program still holds its end of a channel, where no event can tell.

The abstract name of the program's end exists as long as a descriptor for it does, and a name can be
bound to only while nobody has it: so the kernel can be asked.  Those who cannot be told otherwise
are asked about once a second: sockets that are not connected have no other end on which a hang-up
would show, and a channel that was shut down both ways shows nothing else any more.
"""

from __future__ import annotations

import errno
import socket
import time
from itertools import islice
from typing import Protocol

from hypercalls.host.reactor import Reactor

PROBE_NS = 1_000_000_000
SHARE = 50
"""The probing may take at most one part in so many of our time."""


class Watched(Protocol):
    @property
    def name(self) -> bytes:
        """Of the program's end, as bound."""

    def program_closed(self) -> None:
        """Nobody holds the program's end any more."""


class Liveness:
    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._watched: dict[Watched, None] = {}
        self._scheduled = False

    def exists(self, name: bytes) -> bool:
        """A name can be bound to only while nobody has it."""
        try:
            self._probe.bind(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return True
        self._probe.close()
        self._probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        return False

    def watch(self, channel: Watched) -> None:
        self._watched[channel] = None
        if not self._scheduled:
            self._scheduled = True
            self._reactor.call_at(time.monotonic_ns() + PROBE_NS, self._look)

    def forget(self, channel: Watched) -> None:
        self._watched.pop(channel, None)

    def watches(self, channel: Watched) -> bool:
        return channel in self._watched

    def look(self, most: int | None = None) -> None:
        """Ask about those watched, at most so many: who was asked last comes last again."""
        for channel in list(islice(self._watched, most)):
            self.forget(channel)
            if self.exists(channel.name):
                self._watched[channel] = None
            else:
                channel.program_closed()

    def _look(self) -> None:
        began = time.monotonic_ns()
        self.look()
        self._scheduled = bool(self._watched)
        if self._scheduled:
            now = time.monotonic_ns()
            wait = max(PROBE_NS, SHARE * (now - began))
            self._reactor.call_at(now + wait, self._look)

    def close(self) -> None:
        self._probe.close()
