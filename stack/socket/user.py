"""Between a stream socket and whoever uses it: what the user is told, and what its calls know."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from hypercalls.api import Buffer

Address = tuple[int, int]


class Phase(IntEnum):
    """What the calls on a socket know of its connection (Linux: enum socket_state)."""

    UNCONNECTED = 0
    CONNECTING = 1
    CONNECTED = 2


class User(Protocol):
    """Told of a socket's events in softint context; must not wait."""

    def received(self, buffer: Buffer, offset: int, length: int) -> int:
        """In-order data, borrowed for the call: how much was taken.  The rest is queued."""

    def readable(self) -> None:
        """Queued data, the end of the stream, or a connection to accept."""

    def writable(self) -> None:
        """Room in the send buffer, after `send_space` was 0."""

    def connected(self) -> None: ...

    def closed(self, error: int) -> None:
        """Gone: an errno, or 0 when both ends closed in order."""
