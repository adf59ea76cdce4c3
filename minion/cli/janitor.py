"""Cleans up after a `minion run` that was killed in a way it could not answer.

Theory of operation.  A small process waits on a socket.  Told "done", it ends.  If the other end is
closed before that, whoever held it was killed: the program that it ran is ended, as its network has
gone with the minion, and the private minion's folder is removed.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
from pathlib import Path

DEAF = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
PROGRAM, DONE = b"p", b"d"


class Janitor:
    def __init__(self, folder: Path) -> None:
        ours, self._sock = socket.socketpair()
        self._pid = os.fork()
        if not self._pid:
            try:
                self._sock.close()
                wait(ours, folder)
            finally:
                os._exit(0)
        ours.close()

    def look_after(self, pidfd: int) -> None:
        """That process is to end with us."""
        socket.send_fds(self._sock, [PROGRAM], [pidfd])

    def dismiss(self) -> None:
        """All is in order."""
        self._sock.send(DONE)
        self._sock.close()
        os.waitpid(self._pid, 0)


def wait(ours: socket.socket, folder: Path) -> None:
    """The janitor's life."""
    for number in DEAF:
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):  # nobody's pipe is to stay open because of us
        os.dup2(null, standard)
    programs: list[int] = []
    while True:
        data, pidfds, _flags, _address = socket.recv_fds(ours, 1, 1)
        if data == DONE:
            return
        if not data:
            break
        programs += pidfds
    for program in programs:
        try:
            signal.pidfd_send_signal(program, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it ended by itself
    shutil.rmtree(folder, ignore_errors=True)
