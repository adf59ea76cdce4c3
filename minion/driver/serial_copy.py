"""--copy serial, driver side: payload to and from the channels as COPYIN and COPYOUT frames.

Theory of operation.  A channel is read as far as the server has given credit and the line is not
congested; then it is left alone, and the program's writes block by themselves.  The end of what a
program wrote follows its last byte and needs no credit.  What the server sends is queued until the
channel takes it, which gives the credit back: a program that closes before that has not read
everything, and its end is a RESET.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

from hypercalls.api import CLOSED, EOF, RESET, Ready
from hypercalls.host.reactor import Reactor
from minion.driver.channel import Channel
from minion.driver.state import State
from minion.sysproxy import messages
from minion.sysproxy.messages import COPY_MAX, CREDIT, MORE, NOTE, READ_ON_NS, Note

READY = [Ready(number) for number in range(4)]
IN, OUT, HUP = int(Ready.IN), int(Ready.OUT), int(Ready.HUP)


class Line(Protocol):
    """What this needs of the line (line.link.Link)."""

    room: Callable[[], None]

    @property
    def congested(self) -> bool: ...

    def send(self, message: bytes) -> None: ...


class Pump:
    """One channel's payload."""

    __slots__ = (
        "attached", "channel", "credit", "ended", "failed", "owed", "parked", "queue", "told",
    )  # fmt: skip

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.attached = False
        self.credit = CREDIT
        self.owed = 0
        """Credit that the server is still to be given."""
        self.queue: deque[memoryview] = deque()
        self.ended = False
        """The peer's FIN follows what is queued."""
        self.failed = False
        """The connection has failed; the channel is closed after what is queued."""
        self.told = 0
        """The server knows of this end: EOF, RESET or CLOSED."""
        self.parked = False
        """Waits for room on the line."""


class SerialCopyEngine:
    """driver.CopyEngine."""

    def __init__(self, link: Line, reactor: Reactor) -> None:
        self._link = link
        self._reactor = reactor
        self._pumps: dict[int, Pump] = {}
        self._parked: deque[Pump] = deque()
        self._scratch = memoryview(bytearray(COPY_MAX))
        link.room = self._room

    def _note(self, note: Note, chan: int, a: int = 0, data: bytes = b"") -> None:
        self._link.send(messages.emit(NOTE, note, 0, chan, a, 0, 0, data))

    def plug(self, channel: Channel) -> None:
        pump = self._pumps[channel.number] = Pump(channel)
        channel.report = partial(self._ready, pump)
        channel.wanted = 0  # nothing is read before the server has attached

    def unplug(self, channel: Channel) -> None:
        self._pumps.pop(channel.number, None)

    def failed(self, channel: Channel, now: bool) -> None:
        pump = self._pumps.get(channel.number)
        if pump is not None and pump.queue and not now:
            pump.failed = True
            channel.broken()
            self._read_on(pump)
        else:
            channel.failed()

    def _read_on(self, pump: Pump) -> None:
        """Wait for the program to read what a lost connection had received, while it does."""
        left = sum(len(piece) for piece in pump.queue)

        def look() -> None:
            if not pump.failed:
                return
            if sum(len(piece) for piece in pump.queue) == left:
                pump.queue.clear()
                self._push(pump)
            else:
                self._read_on(pump)

        self._reactor.call_at(time.monotonic_ns() + READ_ON_NS, look)

    def settle(self, channel: Channel) -> None:
        pump = self._pumps.get(channel.number)
        if pump is None or not pump.attached:
            return
        while pump.credit and not pump.told and channel.readable_bytes:
            credit = pump.credit
            self._pull(pump)
            if pump.credit == credit:
                break  # the line is congested

    def refuse(self, chan: int) -> None:
        self._note(Note.COPYIN, chan, RESET)

    def note(self, note: int, chan: int, a: int, data: bytes) -> None:
        pump = self._pumps.get(chan)
        if pump is None:
            return
        if note == Note.ATTACH:
            pump.attached = True
            pump.credit, pump.told = CREDIT, 0
            pump.ended = pump.failed = False
            pump.queue.clear()
            self._go_on(pump)
        elif note == Note.COPYOUT:
            if data and not pump.told < EOF:
                pump.queue.append(memoryview(data))
            if a == 1:
                pump.ended = True
            self._push(pump)
        elif note == Note.CREDIT:
            pump.credit = min(pump.credit + max(a, 0), CREDIT)
            self._go_on(pump)
        elif note == Note.DETACH:
            del self._pumps[chan]
            pump.channel.detach()

    def _ready(self, pump: Pump, events: Ready) -> None:
        if events & OUT and pump.queue:
            self._push(pump)
        if events & HUP and pump.told >= EOF:
            self._note(Note.HUP, pump.channel.number)
        if events & (IN | HUP) and pump.attached:
            self._pull(pump)

    def _room(self) -> None:
        """The line takes more: each channel that waits has its turn."""
        parked = self._parked
        for _ in range(len(parked)):
            if self._link.congested:
                return
            pump = parked.popleft()
            pump.parked = False
            self._go_on(pump)

    def _go_on(self, pump: Pump) -> None:
        """What kept the channel from being read may be over."""
        if pump.channel.gone and pump.attached:
            self._pull(pump)  # no event will come any more
        else:
            self._want(pump)

    def _want(self, pump: Pump) -> None:
        if pump.channel.gone:
            return
        events = OUT if pump.queue else 0
        if pump.attached and pump.credit and not pump.parked and pump.told >= EOF:
            events |= IN
        pump.channel.want(READY[events])

    def _pull(self, pump: Pump) -> None:
        """Tell what the program wrote: one frame per event, so that sockets take turns."""
        channel = pump.channel
        while pump.told >= EOF:
            if not pump.credit and channel.state == State.OPEN:
                break
            if self._link.congested:
                if not pump.parked:
                    pump.parked = True
                    self._parked.append(pump)
                break
            room = min(pump.credit or 1, COPY_MAX)
            count = channel.recv_into(self._scratch[:room])
            if count < 0:
                self._end(pump, count)
                break
            if not count:
                return
            pump.credit -= count
            more = MORE if count == room and channel.readable_bytes else 0
            self._note(Note.COPYIN, channel.number, more, bytes(self._scratch[:count]))
            if not channel.gone and pump.credit:
                channel.look_again()
                return
        self._want(pump)

    def _end(self, pump: Pump, how: int) -> None:
        """After everything that the program wrote."""
        if how == CLOSED and pump.queue:
            how = RESET
        if pump.told == how:
            return
        pump.told = how
        if how != EOF:
            self._give_credit(pump)  # first: what is missing was not read
            pump.queue.clear()
        self._note(Note.COPYIN, pump.channel.number, how)

    def _give_credit(self, pump: Pump) -> None:
        if pump.owed:
            self._note(Note.CREDIT, pump.channel.number, pump.owed)
            pump.owed = 0

    def _push(self, pump: Pump) -> None:
        """Write what has come; give credit for what the channel took."""
        queue = pump.queue
        while queue:
            piece = queue.popleft()
            count = pump.channel.send(piece)
            if count < 0:
                self._end(pump, RESET)  # as a close before the data came
                return
            pump.owed += count
            if count < len(piece):
                queue.appendleft(piece[count:])
                self._want(pump)
                break
        if pump.owed >= CREDIT // 4 or not queue:
            self._give_credit(pump)
        if not queue and pump.failed:
            pump.failed = pump.ended = False
            pump.channel.failed()
        elif not queue and pump.ended:
            pump.ended = False
            pump.channel.end()
