"""--copy serial, minion side: copyin and copyout as frames on the line, with credit per socket.

Theory of operation.  The driver may send CREDIT bytes of COPYIN per channel before it is given
more, and the server as much of COPYOUT: no socket can fill the line, and a frame is short enough
that a control request between two of them does not wait long.  A congested line takes no payload
either: it waits where it is, and channels take turns when there is room.

Ends need no credit and come in order, after the last byte.  A program that closes while COPYOUT
bytes have not been credited has not read them: its end is then a RESET.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from hypercalls.api import CLOSED, EOF, RESET, Buffer, Ready
from minion.line.link import Link
from minion.sysproxy import messages
from minion.sysproxy.messages import COPY_MAX, CREDIT, MORE, NOTE, Note

LINE_NS: Final = 200_000_000
"""What the driver has is to come, but the line may be slow."""

READY = [Ready(number) for number in range(8)]
IN, OUT = int(Ready.IN), int(Ready.OUT)


class Channel:
    __slots__ = (
        "credit", "end", "more", "number", "owed", "parked", "queue", "queued_bytes", "ready",
        "wanted",
    )  # fmt: skip

    def __init__(self, number: int, ready: Callable[[Ready], None]) -> None:
        self.number = number
        self.ready = ready
        self.queue: deque[memoryview] = deque()
        self.queued_bytes = 0
        self.end = 0
        """EOF, RESET or CLOSED, after the queue; 0: not ended."""
        self.credit = CREDIT
        self.owed = 0
        """Credit that the driver is still to be given."""
        self.more = False
        """The driver has more of what the program wrote."""
        self.wanted = IN
        self.parked = False
        """Waits for room on the line."""


class SerialCopy:
    """api.Copy."""

    piece_bytes = 1  # a frame may be as short as the credit that was left

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channels: dict[int, Channel] = {}
        self._parked: deque[Channel] = deque()
        link.room = self._room
        self.counters = {"copyin_bytes": 0, "copyout_bytes": 0, "copyin_frames": 0,
                         "copyout_frames": 0}  # fmt: skip

    def _note(self, note: Note, chan: int, a: int = 0, data: bytes = b"") -> None:
        self._link.send(messages.emit(NOTE, note, 0, chan, a, 0, 0, data))

    def attach(self, chan: int, ready: Callable[[Ready], None]) -> None:
        self._channels[chan] = Channel(chan, ready)
        self._note(Note.ATTACH, chan)

    def input(self, note: int, chan: int, a: int, data: bytes) -> bool:
        """A note from the driver; False if it is not about copying."""
        channel = self._channels.get(chan)
        if note not in (Note.COPYIN, Note.CREDIT, Note.HUP):
            return False
        if channel is None:
            return True  # it was detached while the frame was under way
        if note == Note.HUP:
            channel.ready(Ready.HUP)
            return True
        if note == Note.CREDIT:
            channel.credit = min(channel.credit + max(a, 0), CREDIT)
            if not channel.parked:
                self._tell(channel, OUT)
            return True
        if data and channel.end >= 0:
            self.counters["copyin_bytes"] += len(data)
            self.counters["copyin_frames"] += 1
            channel.queue.append(memoryview(data))
            channel.queued_bytes += len(data)
            channel.more = a == MORE
            if channel.queued_bytes > CREDIT:
                a = RESET  # the driver does not keep to its credit
        if a in (EOF, RESET, CLOSED):
            channel.end = RESET if a == CLOSED and channel.credit < CREDIT else a
        if channel.end < EOF:
            channel.ready(Ready.HUP)
        else:
            self._tell(channel, IN)
        return True

    def _tell(self, channel: Channel, events: int) -> None:
        events &= channel.wanted
        if events:
            channel.wanted &= ~(events & OUT)
            channel.ready(READY[events])

    def _room(self) -> None:
        """The line takes more: each channel that waits has its turn."""
        parked = self._parked
        for _ in range(len(parked)):
            if self._link.congested:
                return
            channel = parked.popleft()
            channel.parked = False
            self._tell(channel, OUT)

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
            return channel.end if length else 0
        channel.queued_bytes -= moved
        channel.owed += moved
        if channel.owed >= CREDIT // 4:
            self._note(Note.CREDIT, chan, channel.owed)
            channel.owed = 0
        if queue or channel.end:
            self._tell(channel, IN)
        return moved

    def copyout(self, chan: int, buffer: Buffer, offset: int, length: int) -> int:
        channel = self._channels.get(chan)
        if channel is None:
            return CLOSED
        if channel.end < EOF:
            return channel.end
        moved = 0
        while moved < length and channel.credit:
            if self._link.congested:
                if not channel.parked:
                    channel.parked = True
                    self._parked.append(channel)
                break
            count = min(length - moved, COPY_MAX, channel.credit)
            start = offset + moved
            self._note(Note.COPYOUT, chan, 0, bytes(buffer.view[start : start + count]))
            channel.credit -= count
            moved += count
            self.counters["copyout_frames"] += 1
        self.counters["copyout_bytes"] += moved
        if moved < length:
            channel.wanted |= OUT
        return moved

    def unfinished_ns(self, chan: int, _length: int) -> int:
        channel = self._channels.get(chan)
        return LINE_NS if channel is not None and channel.more else 0

    def want(self, chan: int, events: Ready) -> None:
        channel = self._channels.get(chan)
        if channel is None:
            return
        channel.wanted = int(events) & IN | (channel.wanted | int(events)) & OUT
        if channel.queue or channel.end:
            self._tell(channel, IN)
        if channel.wanted & OUT and channel.credit and not channel.parked:
            self._tell(channel, OUT)

    def end(self, chan: int) -> None:
        if chan in self._channels:
            self._note(Note.COPYOUT, chan, 1)

    def detach(self, chan: int) -> None:
        if self._channels.pop(chan, None) is not None:
            self._note(Note.DETACH, chan)
