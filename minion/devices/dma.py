"""DMA engine: moves bytes between the channels of programs and RAM.

Theory of operation.  The driver puts a command block into RAM and stores its bus address into
COMMAND; when the store returns, the command is done and its result stands in the block.  One store
per transfer, because every register access costs a trip over the bus (measured: 0.3 us each).

    command block, 8-byte aligned, little-endian:
         0  op       u32   ATTACH, COPYIN, COPYOUT, WANT, END, DETACH
         4  chan     u32
         8  addr     u64   COPYIN, COPYOUT: bus address of the bytes
        16  length   u32   COPYIN, COPYOUT: how many at most; WANT: the events (api.Ready)
        20  result   s32   bytes moved, 0 for none now, EOF, RESET, CLOSED, or ERROR

    0x00 COMMAND  8  (write) bus address of a command block
    0x08 REQUEST  8  (read) pops a request: chan | events << 32 | more << 62 | 1 << 63; 0 when there
                     is none.  more: another one waits
    0x10 STATUS   4  bit 0: requests wait (the interrupt line); bit 1: COMMAND was not a block in
                     RAM (write 1 to clear)

On the other side a channel ends in the application core's driver (ChannelEnd).  It may be plugged
before or after the guest attaches; the engine holds the set of events it wants meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from hypercalls.api import CLOSED, RESET, Ready
from minion.ram import Ram

COMMAND: Final = 0x00
REQUEST: Final = 0x08
STATUS: Final = 0x10

ATTACH: Final = 1
COPYIN: Final = 2
COPYOUT: Final = 3
WANT: Final = 4
END: Final = 5
DETACH: Final = 6
ERROR: Final = -16

VALID: Final = 1 << 63
MORE: Final = 1 << 62
CHANNELS: Final = 1 << 16
"""Channels the guest may attach: attach is the only command that makes the host remember."""
IN: Final = int(Ready.IN)
OUT: Final = int(Ready.OUT)
HUP: Final = int(Ready.HUP)
READY: Final = [Ready(number) for number in range(8)]
"""Looked up: making an IntFlag costs a microsecond."""


class ChannelEnd(Protocol):
    """The application core's side of a channel.  Nothing here may block."""

    def recv_into(self, view: memoryview, /) -> int:
        """Bytes moved into view; 0: none now; EOF, RESET or CLOSED.

        EOF is final for the bytes; once the program's descriptor is gone too, HUP is reported and
        CLOSED returned.
        """

    def send(self, view: memoryview, /) -> int:
        """Bytes taken from view; 0: no room; RESET or CLOSED."""

    def want(self, events: Ready, /) -> None:
        """The whole set of events to report with Dma.request, as long as they hold, beside HUP.

        The end of the channel and its errors count as IN and as OUT.  OUT is wanted after a send
        that moved less than asked, and no longer once it was reported.
        """

    def end(self) -> None:
        """Nothing more will be sent: shutdown(SHUT_WR)."""

    def detach(self) -> None:
        """The guest is done with the channel.  It is unplugged already; close it."""


class Channel:
    __slots__ = ("attached", "end", "ended", "wanted")

    def __init__(self) -> None:
        self.end: ChannelEnd | None = None
        self.attached = False
        self.ended = False
        self.wanted = IN


class Dma:
    def __init__(self, ram: Ram, irq: Callable[[bool], None]) -> None:
        self.counters = {
            "in_bytes": 0,
            "out_bytes": 0,
            "in_transfers": 0,
            "out_transfers": 0,
            "requests": 0,
            "errors": 0,
        }
        self._ram = ram
        self._u32 = ram.u32
        self._u64 = ram.u64
        self._irq = irq
        self._channels: dict[int, Channel] = {}
        self._requests: dict[int, int] = {}
        self._bad_command = False
        self._in_bytes = self._out_bytes = self._in_transfers = self._out_transfers = 0

    # -- the application core's side

    def plug(self, chan: int, end: ChannelEnd) -> None:
        """Connect the end of a channel.  One that the guest has attached already starts at once."""
        channel = self._channels.get(chan)
        if channel is None:
            channel = self._channels[chan] = Channel()
        if channel.end is not None:
            raise ValueError(f"dma: channel {chan} is plugged")
        channel.end = end
        if channel.attached:
            if channel.ended:
                end.end()
            if channel.wanted & OUT:
                self.request(chan, Ready.OUT)
            end.want(READY[channel.wanted])

    def unplug(self, chan: int) -> None:
        """Take the end away without telling it.  The guest finds the channel RESET."""
        channel = self._channels.get(chan)
        if channel is None or channel.end is None:
            return
        if channel.attached:
            channel.end = Gone()
            self.request(chan, Ready.HUP)
        else:
            del self._channels[chan]

    def request(self, chan: int, events: Ready) -> None:
        """The end reports what it is ready for.  Told to the guest if it wants that; HUP always."""
        channel = self._channels.get(chan)
        if channel is None or not channel.attached:
            return
        told = int(events) & (channel.wanted | HUP)
        if not told:
            return
        if told & OUT:
            channel.wanted &= ~OUT
            if channel.end is not None:
                channel.end.want(READY[channel.wanted])
        requests = self._requests
        if not requests:
            self._irq(True)
        requests[chan] = requests.get(chan, 0) | told

    # -- the guest's side

    def write(self, offset: int, _size: int, value: int) -> None:
        if offset == COMMAND:
            index = value - self._ram.base
            if index & 7 or index < 0 or index + 24 > self._ram.size:
                self._bad_command = True
                self.counters["errors"] += 1
                return
            u32 = self._u32
            index >>= 2
            u32[index + 5] = 0xFFFF_FFFF & self._execute(
                u32[index], u32[index + 1], self._u64[index + 2 >> 1], u32[index + 4]
            )
        elif offset == STATUS and value & 2:
            self._bad_command = False

    def read(self, offset: int, _size: int) -> int:
        if offset == REQUEST:
            requests = self._requests
            if not requests:
                return 0
            chan = next(iter(requests))
            events = requests.pop(chan)
            self.counters["requests"] += 1
            if requests:
                return chan | events << 32 | MORE | VALID
            self._irq(False)
            return chan | events << 32 | VALID
        if offset == STATUS:
            return bool(self._requests) | self._bad_command << 1
        return 0

    def _execute(self, op: int, chan: int, addr: int, length: int) -> int:
        channel = self._channels.get(chan)
        if op in (COPYIN, COPYOUT):
            if channel is None or not channel.attached:
                return CLOSED
            offset = addr - self._ram.base
            if offset < 0 or offset + length > self._ram.size:
                return self._error()
            if channel.end is None or not length:
                if op == COPYOUT and length:
                    channel.wanted |= OUT
                return 0
            view = self._ram.view[offset : offset + length]
            if op == COPYOUT:
                return self._copyout(channel, channel.end, view)
            count = channel.end.recv_into(view)
            self._in_transfers += 1
            if count > 0:
                self._in_bytes += count
            return count
        if op == ATTACH:
            return self._attach(chan, channel)
        if channel is None or not channel.attached:
            return 0
        if op == WANT:
            channel.wanted = length & IN | (channel.wanted | length) & OUT
            if channel.end is not None:
                channel.end.want(READY[channel.wanted])
        elif op == END:
            channel.ended = True
            if channel.end is not None:
                channel.end.end()
        elif op == DETACH:
            self._detach(chan, channel)
        else:
            return self._error()
        return 0

    def _copyout(self, channel: Channel, end: ChannelEnd, view: memoryview) -> int:
        count = end.send(view)
        self._out_transfers += 1
        if count >= 0:
            self._out_bytes += count
            if count < len(view) and not channel.wanted & OUT:
                channel.wanted |= OUT
                end.want(READY[channel.wanted])
        return count

    def _attach(self, chan: int, channel: Channel | None) -> int:
        if channel is None:
            if len(self._channels) >= CHANNELS:
                return self._error()
            channel = self._channels[chan] = Channel()
        channel.attached = True
        channel.wanted = IN
        channel.ended = False
        if channel.end is not None:
            channel.end.want(Ready.IN)
        return 0

    def _detach(self, chan: int, channel: Channel) -> None:
        del self._channels[chan]
        if self._requests.pop(chan, 0) and not self._requests:
            self._irq(False)
        if channel.end is not None:
            channel.end.detach()

    def _error(self) -> int:
        self.counters["errors"] += 1
        return ERROR

    def account(self) -> dict[str, int]:
        """The counters, those of the hot path included."""
        self.counters["in_bytes"] = self._in_bytes
        self.counters["out_bytes"] = self._out_bytes
        self.counters["in_transfers"] = self._in_transfers
        self.counters["out_transfers"] = self._out_transfers
        return self.counters


class Gone:
    """The end of a channel that was unplugged under an attached guest."""

    def recv_into(self, _view: memoryview) -> int:
        return RESET

    def send(self, _view: memoryview) -> int:
        return RESET

    def want(self, _events: Ready) -> None:
        """Nothing will happen any more."""

    def end(self) -> None:
        """Nobody is there to read the EOF."""

    def detach(self) -> None:
        """Unplugged already."""
