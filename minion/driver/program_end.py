"""The program's end of a channel: its name, and the descriptor as long as it is ours as well.

Theory of operation.  The driver makes the socket and names it, and hands it over.  It comes back,
as a copy, with the requests that may connect it, and is ours as well while they last: then nobody
can tell whether the program has closed it.
"""

from __future__ import annotations

import errno
import socket

from minion.driver import abi

FILL = bytes(1 << 16)


class ProgramEnd:
    __slots__ = ("_holders", "_path", "_sock", "ident", "idents", "name")

    def __init__(self, control_path: bytes) -> None:
        self._path = control_path
        self._sock: socket.socket | None = None
        self._holders = 0
        self.ident = ""
        self.idents: list[str] = []
        """Its ids, the last one first: what an older end of the program still asks by."""
        self.name = b""

    def make(self, sock: socket.socket, ident: str) -> None:
        """Name a new one, which is held.  OSError."""
        self.name = abi.NAME_PREFIX + b"s" + ident.encode() + b":" + self._path
        try:
            sock.bind(self.name)
        except OSError:
            sock.close()
            raise
        self.ident = ident
        self.idents.insert(0, ident)
        self._sock = sock
        self._holders += 1

    def is_of(self, sock: socket.socket) -> bool:
        """Whether what a client has sent is a copy of it."""
        try:
            return bool(sock.getsockname() == self.name)
        except OSError:
            return False

    def hold(self, sock: socket.socket) -> None:
        """A copy has come with a request.  Undone by `let_go`.  OSError(EINVAL): it is not one."""
        if not self.is_of(sock):
            sock.close()
            raise OSError(errno.EINVAL, "that is not the socket's descriptor")
        self._holders += 1
        if self._sock is None:
            self._sock = sock
        else:
            sock.close()

    def let_go(self) -> bool:
        """One holder less; True if it was the last."""
        self._holders -= 1
        if self._holders > 0:
            return False
        self.close()
        return True

    def close(self) -> None:
        self._holders = 0
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    @property
    def held(self) -> bool:
        return self._sock is not None

    @property
    def sock(self) -> socket.socket:
        """OSError(EINVAL): it is not held."""
        if self._sock is None:
            raise OSError(errno.EINVAL, "the socket's descriptor did not come along")
        return self._sock

    def fill(self) -> int:
        """Write into the channel until no more fits: then the program can write nothing either.

        How many bytes there were.
        """
        sock = self.sock
        written = 0
        try:
            while True:
                written += sock.send(FILL, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return written
