"""Copyin and copyout: payload between a program's channels and memory.  Part of api.py."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntFlag
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from hypercalls.api import Buffer


class Ready(IntFlag):
    IN = 1
    """copyin would make progress (bytes, end or error)."""
    OUT = 2
    """copyout would make progress."""
    HUP = 4
    """The program's descriptor is gone.  Told without being asked for, like POLLHUP: whoever waits
    for room hears of it, too.  copyin gives what the program wrote before, then how it ended."""


EOF = -1
"""copyin: the program wrote its last byte (shutdown or close).

Told as IN; when its descriptor is gone too that is told as HUP, and copyin gives CLOSED.
"""
RESET = -2
"""copyin, copyout: the program's descriptor is gone, with data it never read (RFC 2525, 2.17)."""
CLOSED = -3
"""copyin, copyout: the program's descriptor is gone, and it had read everything."""


class Copy(Protocol):
    """rumpuser_sp_copyin, rumpuser_sp_copyout: payload between a program's channels and memory.

    Channels are numbered by the sysproxy client.  All transfers are non-blocking.
    """

    piece_bytes: int
    """No write shorter than this comes in pieces (see unfinished_ns)."""

    def attach(self, chan: int, ready: Callable[[Ready], None]) -> None:
        """Start service on a channel.  ready is called in interrupt context.

        IN is told when data arrives; after a copyin that filled its room, or `want(IN)`, it is told
        again if there is more.  OUT is told once, when a copyout that moved less than asked can go
        on; also if the channel was not there yet.  An end or error is told as either.  HUP is told
        whatever is wanted.  Attaching a channel again begins anew with another program's end.
        """

    def copyin(self, chan: int, buffer: Buffer, offset: int, length: int) -> int:
        """Move at most length bytes from the program into buffer at offset.

        The number of bytes moved; 0 when there are none now; EOF, RESET or CLOSED.
        """

    def copyout(self, chan: int, buffer: Buffer, offset: int, length: int) -> int:
        """Move at most length bytes of buffer from offset to the program.

        The number moved, 0 when its channel is full; RESET or CLOSED when nobody can read them.
        """

    def unfinished_ns(self, chan: int, length: int) -> int:
        """How long to wait for the rest of a write that seems to be under way; 0: none seems so.

        Asked after copyins that moved length bytes in all, piece_bytes or more, and found nothing
        more.
        """

    def want(self, chan: int, events: Ready) -> None:
        """Choose whether ready is told about IN; a reader without room wants none (back-pressure).

        At first it is.  OUT in events asks to be told of OUT once; that, or a short copyout's OUT,
        stays due whatever is chosen later.
        """

    def end(self, chan: int) -> None:
        """Nothing more will be copied out: the program reads EOF after what it was given."""

    def detach(self, chan: int) -> None:
        """End of service, both ways.  Unknown or detached channels are ignored."""
