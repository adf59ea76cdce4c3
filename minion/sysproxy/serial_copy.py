"""--copy serial, minion side: copyin and copyout as frames on the line, with credit per socket.

Theory of operation.  The driver may send CREDIT bytes of COPYIN per channel before it is given
more, and the server as much of COPYOUT: no socket can fill the line, and a frame is short enough
that a control request between two of them does not wait long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from hypercalls.api import CLOSED, EOF, RESET, Buffer, Ready
from minion.sysproxy import messages
from minion.sysproxy.messages import COPY_MAX, CREDIT, MORE, NOTE, Note

LINE_NS: Final = 200_000_000
"""What the driver has is to come, but the line may be slow."""


class Channel:
    __slots__ = ("credit", "end", "more", "owed", "queue", "ready", "wanted", "wants_out")

    def __init__(self, ready: Callable[[Ready], None]) -> None:
        self.ready = ready
        self.queue: deque[memoryview] = deque()
        self.end = 0
        """EOF, RESET or CLOSED, after the queue; 0: not ended."""
        self.credit = CREDIT
        self.owed = 0
        self.more = False
        """The driver has more of what the program wrote."""
        self.wanted = int(Ready.IN)
        self.wants_out = False


class SerialCopy:
    """api.Copy."""

    piece_bytes = 1  # a frame may be as short as the credit that was left

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._channels: dict[int, Channel] = {}
        self.counters = {"copyin_bytes": 0, "copyout_bytes": 0, "copyin_frames": 0,
                         "copyout_frames": 0}  # fmt: skip

    def _note(self, note: Note, chan: int, a: int = 0, data: bytes = b"") -> None:
        self._send(messages.emit(NOTE, note, 0, chan, a, 0, 0, data))

    def attach(self, chan: int, ready: Callable[[Ready], None]) -> None:
        self._channels[chan] = Channel(ready)
        self._note(Note.ATTACH, chan)

    def input(self, note: int, chan: int, a: int, data: bytes) -> bool:
        """A note from the driver; False if it is not about copying."""
        channel = self._channels.get(chan)
        if note not in (Note.COPYIN, Note.CREDIT):
            return False
        if channel is None:
            return True  # it was detached while the frame was under way
        if note == Note.CREDIT:
            channel.credit = min(channel.credit + max(a, 0), CREDIT)
            if channel.wants_out:
                channel.wants_out = False
                channel.ready(Ready.OUT)
            return True
        if data:
            self.counters["copyin_bytes"] += len(data)
            self.counters["copyin_frames"] += 1
            channel.queue.append(memoryview(data))
            channel.more = a == MORE
        if a in (EOF, RESET, CLOSED):
            channel.end = a
            if channel.wants_out and a != EOF:
                channel.ready(Ready.IN | Ready.OUT)
                return True
        if channel.wanted & Ready.IN or channel.end in (RESET, CLOSED):
            channel.ready(Ready.IN)
        return True

    def copyin(self, chan: int, buffer: Buffer, offset: int, length: int) -> int:
        channel = self._channels.get(chan)
        if channel is None:
            return CLOSED
        moved = 0
        queue, target = channel.queue, buffer.view
        while queue and moved < length:
            piece = queue.popleft()
            count = min(len(piece), length - moved)
            target[offset + moved : offset + moved + count] = piece[:count]
            moved += count
            if count < len(piece):
                queue.appendleft(piece[count:])
        if not moved:
            return channel.end
        channel.owed += moved
        if channel.owed >= CREDIT // 4:
            self._note(Note.CREDIT, chan, channel.owed)
            channel.owed = 0
        return moved

    def copyout(self, chan: int, buffer: Buffer, offset: int, length: int) -> int:
        channel = self._channels.get(chan)
        if channel is None:
            return CLOSED
        if channel.end in (RESET, CLOSED):
            return channel.end
        moved = 0
        while moved < length and channel.credit:
            count = min(length - moved, COPY_MAX, channel.credit)
            start = offset + moved
            self._note(Note.COPYOUT, chan, 0, bytes(buffer.view[start : start + count]))
            channel.credit -= count
            moved += count
            self.counters["copyout_frames"] += 1
        self.counters["copyout_bytes"] += moved
        if moved < length:
            channel.wants_out = True
        return moved

    def unfinished_ns(self, chan: int, _length: int) -> int:
        channel = self._channels.get(chan)
        return LINE_NS if channel is not None and channel.more else 0

    def want(self, chan: int, events: Ready) -> None:
        channel = self._channels.get(chan)
        if channel is None:
            return
        channel.wanted = int(events)
        if events & Ready.IN and (channel.queue or channel.end):
            channel.ready(Ready.IN)

    def end(self, chan: int) -> None:
        if chan in self._channels:
            self._note(Note.COPYOUT, chan, 1)

    def detach(self, chan: int) -> None:
        if self._channels.pop(chan, None) is not None:
            self._note(Note.DETACH, chan)
