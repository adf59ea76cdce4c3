"""Channels of a simulated host: two bounded pipes each, and the program's side of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from hypercalls.api import CLOSED, EOF, RESET, Buffer, Ready
from hypercalls.common.pieces import PIECE_BYTES, unfinished_ns

IN: Final = int(Ready.IN)
OUT: Final = int(Ready.OUT)
HUP: Final = int(Ready.HUP)
CAPACITY: Final = 65536


class Pipe:
    """Bytes under way one way; with messages, writes stay apart as on SOCK_SEQPACKET."""

    def __init__(self, capacity: int, messages: bool) -> None:
        self._chunks: deque[bytes] = deque()
        self._capacity = capacity
        self._messages = messages
        self.length = 0
        self.ended = False

    @property
    def full(self) -> bool:
        return self.length >= self._capacity

    def put(self, data: bytes) -> int:
        """How much of data went in."""
        room = self._capacity - self.length
        if self._messages:
            if len(data) > room:
                return 0
        else:
            data = data[:room]
        if data:
            self._chunks.append(data)
            self.length += len(data)
        return len(data)

    def get(self, limit: int) -> bytes:
        """At most limit bytes, of one message if there are messages; its rest is lost."""
        taken: list[bytes] = []
        while self._chunks and limit > 0:
            chunk = self._chunks.popleft()
            self.length -= len(chunk)
            taken.append(chunk[:limit])
            if self._messages:
                break
            if len(chunk) > limit:
                self._chunks.appendleft(chunk[limit:])
                self.length += len(chunk) - limit
            limit -= len(taken[-1])
        return b"".join(taken)


class SimChannel:
    """One channel, as its program sees it (program_*) and as SimCopy does."""

    def __init__(
        self, post: Callable[[Callable[[], None]], None], capacity: int, messages: bool
    ) -> None:
        self._post = post
        self._inward = Pipe(capacity, messages)
        self._outward = Pipe(capacity, messages)
        self._plugged = False
        self._gone = False
        self._reset = False
        self._eof_told = False
        self._hup_told = False
        self._pending = 0
        self._detached = False
        self.wanted = IN
        self.ready: Callable[[Ready], None] | None = None

    # -- the program's side

    def program_write(self, data: bytes) -> int:
        """How much of data the channel took.  BrokenPipeError once the other side is gone."""
        if self._detached or self._inward.ended:
            raise BrokenPipeError
        count = self._inward.put(bytes(data))
        self.notify()
        return count

    def program_read(self, limit: int) -> bytes:
        """What is there; see program_eof for why there is nothing."""
        data = self._outward.get(limit)
        if data:
            self.notify()
        return data

    @property
    def program_eof(self) -> bool:
        """Everything was read, and nothing more will come."""
        return not self._outward.length and (self._outward.ended or self._detached)

    def program_shutdown(self) -> None:
        """shutdown(SHUT_WR)."""
        self._inward.ended = True
        self.notify()

    def program_close(self) -> None:
        """The last descriptor is closed; with unread data that is a reset."""
        self._inward.ended = True
        self._gone = True
        self._reset = self._outward.length > 0
        self.notify()

    # -- the rump kernel's side

    def plug(self) -> None:
        self._plugged = True
        self.notify()

    def notify(self) -> None:
        """Tell what is wanted and true, once until it was listened to."""
        if self.ready is None or not self._plugged:
            return
        events = 0
        if self._inward.length or (self._inward.ended and not self._told_all):
            events = IN
        if self._gone or not self._outward.full:
            events |= OUT
        events &= self.wanted
        if self._gone and not self._hup_told:
            self._hup_told = True
            events |= HUP
        events &= ~self._pending
        if events:
            if not self._pending:
                self._post(self._tell)
            self._pending |= events

    @property
    def _told_all(self) -> bool:
        return self._eof_told and not self._gone

    def _tell(self) -> None:
        events, self._pending = self._pending & (self.wanted | HUP), 0
        self.wanted &= ~(events & OUT)
        if events and self.ready is not None:
            self.ready(Ready(events))

    def recv_into(self, view: memoryview) -> int:
        data = self._inward.get(len(view))
        if data:
            view[: len(data)] = data
            if len(data) == len(view):
                self.notify()
            return len(data)
        if not len(view) or not self._inward.ended:
            return 0
        if self._reset:
            self.wanted = 0
            return RESET
        if self._eof_told and self._gone:
            self.wanted = 0
            return CLOSED
        self._eof_told = True
        self.notify()
        return EOF

    def send(self, view: memoryview) -> int:
        if self._gone:
            return RESET if self._reset else CLOSED
        count = self._outward.put(bytes(view)) if self._plugged else 0
        if count < len(view):
            self.wanted |= OUT
        return count

    def end(self) -> None:
        self._outward.ended = True

    def detach(self) -> None:
        self._detached = True
        self.ready = None


class SimCopy:
    """api.Copy; `plug` makes a channel for a program, before or after attach."""

    piece_bytes = PIECE_BYTES

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self._post = post
        self._channels: dict[int, SimChannel] = {}

    def plug(self, chan: int, capacity: int = CAPACITY, messages: bool = False) -> SimChannel:
        channel = self._channels.get(chan)
        if channel is None:
            channel = self._channels[chan] = SimChannel(self._post, capacity, messages)
        channel.plug()
        return channel

    def attach(self, chan: int, ready: Callable[[Ready], None]) -> None:
        channel = self._channels.get(chan)
        if channel is None:
            channel = self._channels[chan] = SimChannel(self._post, CAPACITY, False)
        channel.ready = ready
        channel.wanted = IN
        channel.notify()

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
            channel.notify()

    def end(self, chan: int) -> None:
        channel = self._attached(chan)
        if channel is not None:
            channel.end()

    def detach(self, chan: int) -> None:
        channel = self._attached(chan)
        if channel is not None:
            del self._channels[chan]
            channel.detach()

    def _attached(self, chan: int) -> SimChannel | None:
        channel = self._channels.get(chan)
        return channel if channel is not None and channel.ready is not None else None


def window(buffer: Buffer, offset: int, length: int) -> memoryview:
    assert 0 <= offset <= offset + length <= len(buffer.view), "copy: outside of the buffer"
    return buffer.view[offset : offset + length]
