"""Copyin and copyout on the host: straight between a channel's socket and memory.

Interest is level triggered, so data a reader left behind is told again by itself.  A hang-up cannot
be masked in epoll: a channel nobody wants to hear of is taken out of it.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from errno import ECONNRESET, EMSGSIZE, ENOBUFS
from typing import Final

from hypercalls.api import CLOSED, EOF, RESET, Buffer, Ready
from hypercalls.common.pieces import PIECE_BYTES, unfinished_ns
from hypercalls.host.interest import Interest
from hypercalls.host.reactor import ERR, HUP, Reactor
from hypercalls.host.reactor import IN as READABLE
from hypercalls.host.reactor import OUT as WRITABLE

IN: Final = int(Ready.IN)
OUT: Final = int(Ready.OUT)
HANG_UP: Final = int(Ready.HUP)


class Channel:
    """One channel number: attached, plugged, or both."""

    __slots__ = ("_interest", "_ready", "_sock", "ended", "eof", "gone", "reset", "wanted")

    def __init__(self) -> None:
        self._sock: socket.socket | None = None
        self._ready: Callable[[Ready], None] | None = None
        self._interest: Interest | None = None
        self.wanted = IN
        self.ended = self.eof = self.gone = self.reset = False

    @property
    def attached(self) -> bool:
        return self._ready is not None

    def attach(self, ready: Callable[[Ready], None]) -> None:
        self._ready = ready
        self.wanted = IN
        self.listen()

    def plug(self, reactor: Reactor, sock: socket.socket) -> None:
        assert self._sock is None, "copy: channel is plugged"
        sock.setblocking(False)
        self._sock = sock
        self._interest = Interest(reactor, sock.fileno(), self._event)
        if self.ended:
            self.end()
        self.listen()

    def detach(self) -> None:
        self._ready = None
        if self._interest is not None and self._sock is not None:
            self._interest.drop()
            self._sock.close()

    def listen(self) -> None:
        """Tell epoll what is wanted now."""
        if self._interest is None or self._ready is None:
            return
        if self.reset or (self.gone and not self.wanted):
            self._interest.drop()
        else:
            readable = READABLE if self.wanted & IN and not self.eof else 0
            self._interest.set(readable | (WRITABLE if self.wanted & OUT else 0))

    def _event(self, mask: int) -> None:
        told = 0
        if mask & ~WRITABLE:
            told = IN
        if mask & (WRITABLE | HUP | ERR):
            told |= OUT
        told &= self.wanted
        self.wanted &= ~(told & OUT)
        if mask & (HUP | ERR) and not self.gone:
            self.gone = True
            told |= HANG_UP
        self.listen()
        if self.gone and self.eof and self._interest is not None:
            self._interest.drop()  # this was the last news
        if told and self._ready is not None:
            self._ready(Ready(told))

    def recv_into(self, view: memoryview) -> int:
        if self.reset:
            return RESET
        if self._sock is None or not len(view):
            return 0
        try:
            count = self._sock.recv_into(view)
        except BlockingIOError:
            return 0
        except OSError:  # ECONNRESET; on a channel that is a TCP socket, ETIMEDOUT and the like
            self.reset = True
            self.listen()
            return RESET
        if count:
            return count
        if self.eof and self.gone:
            # A TCP socket that got a RST after the FIN still reads EOF (Linux, SOCK_DONE)
            self.reset = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
            return RESET if self.reset else CLOSED
        self.eof = True
        self.listen()
        return EOF

    def send(self, view: memoryview) -> int:
        if self.reset:
            return RESET
        count = 0
        if self._sock is not None and len(view):
            try:
                count = self._sock.send(view)
            except BlockingIOError:
                pass
            except BrokenPipeError:
                error = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                self.reset = error == ECONNRESET
                return RESET if self.reset else CLOSED
            except OSError as exc:
                if exc.errno == EMSGSIZE:  # the caller's fault: a message no channel would take
                    raise
                if exc.errno != ENOBUFS:
                    self.reset = True
                    return RESET
        if count < len(view) and not self.wanted & OUT:
            self.wanted |= OUT
            self.listen()
        return count

    def end(self) -> None:
        self.ended = True
        if self._sock is not None:
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:  # the other end is gone already
                pass


class SocketCopy:
    """api.Copy; `plug` gives a channel number its socket, before or after attach."""

    piece_bytes = PIECE_BYTES

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._channels: dict[int, Channel] = {}

    def plug(self, chan: int, sock: socket.socket) -> None:
        """The socket belongs to the channel from now on."""
        self._channels.setdefault(chan, Channel()).plug(self._reactor, sock)

    def attach(self, chan: int, ready: Callable[[Ready], None]) -> None:
        self._channels.setdefault(chan, Channel()).attach(ready)

    def copyin(self, chan: int, buffer: Buffer, offset: int, length: int) -> int:
        channel = self._attached(chan)
        return CLOSED if channel is None else channel.recv_into(window(buffer, offset, length))

    def copyout(self, chan: int, buffer: Buffer, offset: int, length: int) -> int:
        channel = self._attached(chan)
        return CLOSED if channel is None else channel.send(window(buffer, offset, length))

    def unfinished_ns(self, _chan: int, length: int) -> int:
        return unfinished_ns(length)

    def want(self, chan: int, events: Ready) -> None:
        channel = self._attached(chan)
        if channel is not None:
            channel.wanted = int(events) | channel.wanted & OUT
            channel.listen()

    def end(self, chan: int) -> None:
        channel = self._attached(chan)
        if channel is not None:
            channel.end()

    def detach(self, chan: int) -> None:
        channel = self._attached(chan)
        if channel is not None:
            del self._channels[chan]
            channel.detach()

    def _attached(self, chan: int) -> Channel | None:
        channel = self._channels.get(chan)
        return channel if channel is not None and channel.attached else None

    def close(self) -> None:
        for channel in self._channels.values():
            channel.detach()
        self._channels.clear()


def window(buffer: Buffer, offset: int, length: int) -> memoryview:
    assert 0 <= offset <= offset + length <= len(buffer.view), "copy: outside of the buffer"
    return buffer.view[offset : offset + length]
