"""Writing into a channel what a program is to read, with no more room than it makes use of.

Theory of operation.  A channel starts small: a reader that does not read is noticed before much
lies here.  Once somebody has read some, it gets room for several super-segments, so that each
wake-up of the program moves more.  Where the program has set SO_RCVBUF, that bounds what lies here,
too.
"""

from __future__ import annotations

import errno
import socket
from typing import Final

SNDBUF_BYTES: Final = 2 << 20
SNDBUF_FIRST_BYTES: Final = 64 << 10
"""The kernel doubles it."""
GROW_BYTES: Final = 512 << 10
"""Sent before the channel gets SNDBUF_BYTES."""
NEVER: Final = 1 << 62


class Outlet:
    def __init__(self, sock: socket.socket, ident: str, bound_bytes: int) -> None:
        """bound_bytes: SO_RCVBUF, or NEVER."""
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
