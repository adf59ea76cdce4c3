"""Writing into a channel whose program has set SO_RCVLOWAT: it is to become readable only then.

Theory of operation.  What comes while the channel is empty is kept here until it is as much as the
option says, or as the channel has room for, or until it ends.  Then it is written, and so is all
that comes while something still lies there: the program gives back what its reads leave (`keep`),
if that is less.  A read is content with less than poll(): it says so, and how much it waits for
(`hand_out`).
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Final

from minion.driver.outlet import SNDBUF_BYTES, Outlet
from minion.driver.queues import queued_bytes, unread_bytes

OVERHEAD_BYTES: Final = 64
"""unix_stream_sendmsg(): what fills half a buffer but for this is one sk_buff."""


class LowWater(Outlet):
    def __init__(self, sock: socket.socket, ident: str, bound_bytes: int, low_water: int) -> None:
        self._low_water = low_water
        self._most = 0
        self._pass_bytes = 0
        """What a read waits for: it does not wait here."""
        super().__init__(sock, ident, bound_bytes)

    def _set_room(self, room: int) -> None:
        super()._set_room(max(room, min(self._low_water, SNDBUF_BYTES)))
        taken = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        self._most = min(self._low_water, (taken >> 1) - OVERHEAD_BYTES)

    @property
    def full(self) -> bool:
        return False

    def _empty(self) -> bool:
        """The program has read all that was written."""
        return not queued_bytes(self._sock.fileno())

    def send(self, view: memoryview) -> int:
        if self._pass_bytes > 0:
            count = super().send(view)
            self._pass_bytes -= count
            return count
        if not self.kept and (len(view) >= self._most or not self._empty()):
            return super().send(view)
        count = min(len(view), max(0, self._most - len(self.kept)))
        self.kept += view[:count]
        if len(self.kept) >= self._most:
            self._flush()
        return count

    def _flush(self) -> None:
        """Into an empty channel: so all of it fits."""
        if self.kept:
            del self.kept[: super().send(memoryview(bytes(self.kept)))]

    def hand_out(self, pass_bytes: int) -> None:
        self._flush()
        self._pass_bytes = pass_bytes

    def keep(self, program: socket.socket) -> None:
        """Take back what lies in the channel, if it is less than SO_RCVLOWAT."""
        self._pass_bytes = 0
        lying = unread_bytes(program.fileno())
        if not 0 < lying < self._most:
            return
        left = bytearray()
        while len(left) < lying:
            left += program.recv(lying - len(left), socket.MSG_DONTWAIT)
        self.kept[:0] = left
        if len(self.kept) >= self._most:
            self._flush()

    def mark(self, mark: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # nobody reads any more
            self._flush()
        super().mark(mark)


def make_outlet(sock: socket.socket, ident: str, bound_bytes: int, low_water: int) -> Outlet:
    if low_water > 1:
        return LowWater(sock, ident, bound_bytes, low_water)
    return Outlet(sock, ident, bound_bytes)
