"""--copy serial, driver side: payload to and from the channels as COPYIN and COPYOUT frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from hypercalls.api import EOF, RESET, Ready
from minion.driver.channel import Channel
from minion.sysproxy import messages
from minion.sysproxy.messages import COPY_MAX, CREDIT, NOTE, Note


class Pump:
    """One channel's payload."""

    __slots__ = ("attached", "channel", "credit", "ended", "owed", "queue", "told_end")

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.attached = False
        self.credit = CREDIT
        self.owed = 0
        self.queue: deque[memoryview] = deque()
        self.ended = False
        self.told_end = 0


class SerialCopyEngine:
    """driver.CopyEngine."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._pumps: dict[int, Pump] = {}
        self._early: set[int] = set()
        self._scratch = memoryview(bytearray(COPY_MAX))

    def _note(self, note: Note, chan: int, a: int = 0, data: bytes = b"") -> None:
        self._send(messages.emit(NOTE, note, 0, chan, a, 0, 0, data))

    def plug(self, channel: Channel) -> None:
        pump = self._pumps[channel.number] = Pump(channel)
        channel.report = partial(self._ready, pump)

    def unplug(self, channel: Channel) -> None:
        self._pumps.pop(channel.number, None)

    def refuse(self, chan: int) -> None:
        self._note(Note.COPYIN, chan, RESET)

    def note(self, note: int, chan: int, a: int, data: bytes) -> None:
        pump = self._pumps.get(chan)
        if pump is None:
            return
        if note == Note.ATTACH:
            pump.attached = True
            pump.credit, pump.told_end, pump.ended = CREDIT, 0, False
            pump.queue.clear()
            pump.channel.want(Ready.IN)
        elif note == Note.COPYOUT:
            if data:
                pump.queue.append(memoryview(data))
            if a == 1:
                pump.ended = True
            self._push(pump)
        elif note == Note.CREDIT:
            had = pump.credit
            pump.credit = min(had + max(a, 0), CREDIT)
            if not had:
                self._want(pump)
        elif note == Note.DETACH:
            del self._pumps[chan]
            pump.channel.detach()

    def _want(self, pump: Pump) -> None:
        events = Ready.IN if pump.credit and pump.told_end in (0, EOF) else Ready(0)
        if pump.queue:
            events |= Ready.OUT
        pump.channel.want(events)

    def _ready(self, pump: Pump, events: Ready) -> None:
        if events & Ready.OUT and pump.queue:
            self._push(pump)
        if events & (Ready.IN | Ready.HUP) and pump.attached:
            self._pull(pump)

    def _pull(self, pump: Pump) -> None:
        """One frame per event: sockets take turns."""
        room = min(pump.credit, COPY_MAX)
        if not room and not pump.channel.gone:
            self._want(pump)
            return
        count = pump.channel.recv_into(self._scratch[: room or 1])
        number = pump.channel.number
        if count > 0:
            pump.credit -= min(count, pump.credit)
            self._note(Note.COPYIN, number, 0, bytes(self._scratch[:count]))
            if not pump.credit:
                self._want(pump)
        elif count < 0 and pump.told_end != count:
            pump.told_end = count
            self._note(Note.COPYIN, number, count)
            self._want(pump)
        if pump.channel.gone and pump.told_end >= -1 and count > 0:
            self._pull(pump)  # no event will come any more: read the rest

    def _push(self, pump: Pump) -> None:
        """Write what has come; give credit for what the channel took."""
        queue = pump.queue
        while queue:
            piece = queue.popleft()
            count = pump.channel.send(piece)
            if count < 0:
                queue.clear()
                self._pull(pump)
                return
            pump.owed += count
            if count < len(piece):
                queue.appendleft(piece[count:])
                self._want(pump)
                break
        if pump.owed >= CREDIT // 4 or (pump.owed and not queue):
            self._note(Note.CREDIT, pump.channel.number, pump.owed)
            pump.owed = 0
        if not queue and pump.ended:
            pump.ended = False
            pump.channel.end()
