"""Reading what a program wrote, so that its last byte always stays unread in the kernel.

Theory of operation.  When an AF_UNIX socket is closed with bytes unread, the kernel gives the other
end ECONNRESET and POLLERR; and that is the only way to have it say so, to stdio and io_uring too.
So bytes are taken by peeking (SO_PEEK_OFF moves on behind them), and the kernel is left one of
those that were taken; at first one that was put there before the program had its descriptor.
Discarding the others costs a call, and is done for several reads at once.  A long run is read to
its end, and leaves nothing: then a reset before the next short write is POLLHUP without POLLERR.

Readiness is to be edge triggered: a byte that is held would be told of again and again.

A writer with a small send buffer (SO_SNDBUF) could be held up by the buffer that the byte is in:
then nothing is left (`hold_nothing`).
"""

from __future__ import annotations

import socket
from typing import Final

from minion.driver.queues import unread_bytes

SO_PEEK_OFF: Final = 42
"""asm-generic/socket.h; Python does not name it."""
PEEKS: Final = 8
"""Reads before what they have taken is discarded."""
SHORT_BYTES: Final = 4096
"""Reads of up to this are peeked."""
HELD_BYTES: Final = 16
"""Each may lie in a buffer of its own, of 770 bytes and more: together they must not hold up the
writer."""
SNDBUF_LEAST_BYTES: Final = 1 << 16
"""A writer is writable while a quarter of its buffer is taken: what is held must stay below."""
TRASH_BYTES: Final = 1 << 16
TRASH: Final = memoryview(bytearray(TRASH_BYTES))


class Intake:
    def __init__(self, sock: socket.socket, foreign: int) -> None:
        """foreign: bytes that lie in the queue and are not the program's; at least one."""
        self._sock = sock
        self._fd = sock.fileno()
        self._held = foreign
        """Bytes that have been taken, and are still in the kernel's queue."""
        self._peeks = 0
        self._long = False
        """In the middle of a long run."""
        self._holds = sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= SNDBUF_LEAST_BYTES
        try:
            self._discard(foreign - self._holds)
        except OSError:
            pass  # the program has gone, and all of it with it: its close is the next news
        if self._holds:
            sock.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, self._held)

    def hold_nothing(self) -> None:
        """From now on, everything is read at once."""
        if self._holds:
            self._discard(self._held)
            self._holds = False
            self._sock.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, -1)

    def read_into(self, view: memoryview) -> int:
        """As recv_into of a non-blocking socket."""
        if not self._holds:
            return self._sock.recv_into(view)
        most = len(view)
        if self._long or (most > SHORT_BYTES and self.fresh_bytes > SHORT_BYTES):
            return self._read_long(view)
        if most > SHORT_BYTES:
            most = SHORT_BYTES
        count = self._sock.recv_into(view[:most], 0, socket.MSG_PEEK)
        if count:
            self._held += count
            self._peeks += 1
            if count == most:  # the buffer that its last byte is in may go on
                self._discard(self._held)
                self._long = True
            elif self._peeks >= PEEKS or self._held > HELD_BYTES:
                self._discard(self._held - 1)
        return count

    def _read_long(self, view: memoryview) -> int:
        """All of a long run: a byte of it would hold a buffer of up to 64 kB, and so its writer."""
        self._discard(self._held)
        self._long = True
        try:
            count = self._sock.recv_into(view)
        except BlockingIOError:
            self._long = False
            raise
        self._long = count == len(view)
        return count

    def _discard(self, count: int) -> None:
        """Let go of bytes that have been taken."""
        self._held -= count
        self._peeks = 0
        while count > 0:
            count -= self._sock.recv_into(TRASH, min(count, TRASH_BYTES))

    @property
    def fresh_bytes(self) -> int:
        """What the program has written and nobody has taken."""
        return unread_bytes(self._fd) - self._held

    def give_up(self) -> None:
        """Read all but one byte, which makes the writer find its descriptor writable."""
        left = self.fresh_bytes + self._held - 1
        while left > 0:
            left -= self._sock.recv_into(TRASH, min(left, TRASH_BYTES))
