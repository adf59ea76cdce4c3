"""Where the program's end of a channel is connected to ours.

A socket that is not connected is, for the program, an AF_UNIX socket that is not connected: the
kernel then answers poll, read and write much as for TCP.  When it connects or listens, the client
sends its descriptor along with the request, and this makes it one end of a pair, in place.
"""

from __future__ import annotations

import os
import socket

BACKLOG = 16
TRIES = 64


class Rendezvous:
    """A listening socket in the minion's own folder; only its user can reach it."""

    def __init__(self, path: bytes) -> None:
        self._path = path
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if os.path.exists(path):
                os.unlink(path)
            self._listener.bind(path)
            self._listener.listen(BACKLOG)
            self._listener.setblocking(False)
        except OSError:
            self._listener.close()
            raise

    def pair(self, program: socket.socket, name: bytes) -> socket.socket:
        """Connect program, which is bound to name, and return our end of the pair.

        OSError: no descriptors left, or program is connected already.
        """
        program.connect(self._path)
        for _ in range(TRIES):
            ours, address = self._listener.accept()
            if address == name:
                return ours
            ours.close()  # somebody else's joke
        raise OSError(105, "strangers at the rendezvous")  # ENOBUFS

    def close(self) -> None:
        self._listener.close()
        try:
            os.unlink(self._path)
        except FileNotFoundError:
            pass  # the folder has been swept already
