"""Writing into a channel what a program is to read, with no more room than it makes use of.

Theory of operation.  A channel starts small: a reader that does not read is noticed before much
lies here.  Once somebody has read some, it gets room for several super-segments, so that each
wake-up of the program moves more.  Where the program has set SO_RCVBUF, that bounds what lies here,
too.

After shutdown(SHUT_RD) the kernel lets nothing more in, but TCP goes on, and what comes can still
be read: some of it is held here for the program to fetch; what does not fit closes the window.
"""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import Final

SNDBUF_BYTES: Final = 2 << 20
SNDBUF_FIRST_BYTES: Final = 64 << 10
"""The kernel doubles it."""
GROW_BYTES: Final = 512 << 10
"""Sent before the channel gets SNDBUF_BYTES."""
LATE_BYTES: Final = 64 << 10
NEVER: Final = 1 << 62


class Outlet:
    def __init__(self, sock: socket.socket, ident: str, bound_bytes: int) -> None:
        """bound_bytes: SO_RCVBUF, or NEVER."""
        self.kept = bytearray()
        """What the channel is not to have yet (low_water.py), or came too late for it."""
        self._sock = sock
        self._ident = ident.encode()
        self._grow_in = NEVER
        self.bound(bound_bytes)

    def bound(self, bound_bytes: int) -> None:
        """SO_RCVBUF was set."""
        self._grow_in = GROW_BYTES if bound_bytes == NEVER else NEVER
        self._set_room(min(SNDBUF_FIRST_BYTES, bound_bytes >> 2))

    def _set_room(self, room: int) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)

    def send(self, view: memoryview) -> int:
        """As send of a non-blocking socket."""
        count = self._sock.send(view)
        self._grow_in -= count
        if self._grow_in < 0:
            self._grow_in = NEVER
            self._set_room(SNDBUF_BYTES)
        return count

    @property
    def full(self) -> bool:
        """Nothing can be sent until some of what came late has been taken."""
        return len(self.kept) >= LATE_BYTES

    def send_late(self, view: memoryview) -> int:
        """As send, when the program's end was shut for reading."""
        count = min(len(view), max(0, LATE_BYTES - len(self.kept)))
        self.kept += view[:count]
        return count

    def take_late(self, most: int, peek: bool) -> bytes:
        taken = bytes(self.kept[:most])
        if not peek:
            del self.kept[:most]
        return taken

    def hand_out(self, pass_bytes: int) -> None:
        """A read is about to take all there is, and to wait for so much more."""

    def keep(self, program: socket.socket) -> None:
        """The program's end may have more than it was to have."""

    def mark(self, mark: bytes) -> None:
        """Let our end's name say why it ends (abi.h)."""
        try:
            self._sock.bind(mark + self._ident)
        except OSError as error:
            # marked already, or named after the rendezvous
            if error.errno not in (errno.EINVAL, errno.EADDRINUSE):
                raise

    def shut(self, mark: bytes, how: int) -> None:
        self.mark(mark)
        try:
            self._sock.shutdown(how)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise


def hand_out(outlet: Outlet | None, pass_bytes: int) -> None:
    """As Outlet.hand_out; a program that has gone says so by its own event."""
    if outlet is not None:
        with suppress(BrokenPipeError, ConnectionResetError):
            outlet.hand_out(pass_bytes)
