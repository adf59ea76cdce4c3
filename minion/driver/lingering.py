"""A close that waits (SO_LINGER): which one is the last, and when it is told.

Theory of operation.  The client first hands a copy of its descriptor over, and closes its own.
Then it asks again, and only now the copy is closed: so nobody has missed the end of the socket, if
this was it, and the request has gone to the server before it.  If the socket still exists, somebody
else has it, and there is nothing to wait for.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from hypercalls.host.reactor import Reactor
from minion.driver.channel import Channel

HOLD_NS = 1_000_000_000
"""A client asks again at once; one that was killed in between does not."""


class Lingering:
    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._copies: dict[Channel, list[socket.socket]] = {}

    def hold(self, channel: Channel, copy: socket.socket) -> bool:
        """False: it is not this channel's."""
        if not channel.program.is_of(copy):
            copy.close()
            return False
        self._copies.setdefault(channel, []).append(copy)
        self._reactor.call_at(time.monotonic_ns() + HOLD_NS, self._forget(channel, copy))
        return True

    def _forget(self, channel: Channel, copy: socket.socket) -> Callable[[], None]:
        def forget() -> None:
            copies = self._copies.get(channel)
            if copies is not None and copy in copies:
                self._drop(channel, copies, copy)

        return forget

    def _drop(self, channel: Channel, copies: list[socket.socket], copy: socket.socket) -> None:
        copies.remove(copy)
        copy.close()
        if not copies:
            del self._copies[channel]

    def let_go(self, channel: Channel) -> bool:
        """One copy fewer.  True: that was the last, and the socket's end will follow."""
        copies = self._copies.get(channel)
        if copies is None:
            return False
        self._drop(channel, copies, copies[0])
        return channel not in self._copies and not channel.alive()

    def close(self) -> None:
        for copies in self._copies.values():
            for copy in copies:
                copy.close()
        self._copies.clear()
