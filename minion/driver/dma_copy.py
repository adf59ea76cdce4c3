"""--copy dma: channels are plugged into the board's DMA engine, which moves the bytes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from hypercalls.api import RESET, Ready
from minion.devices.dma import ChannelEnd, Dma
from minion.driver.channel import Channel


class DmaCopyEngine:
    """driver.CopyEngine."""

    def __init__(self, dma: Dma, plug: Callable[[int, ChannelEnd], None] | None = None) -> None:
        """plug: Dma.plug, or what stands before it."""
        self._dma = dma
        self._plug = plug or dma.plug

    def plug(self, channel: Channel) -> None:
        channel.report = partial(self._dma.request, channel.number)
        self._plug(channel.number, channel)

    def unplug(self, channel: Channel) -> None:
        self._dma.unplug(channel.number)

    def failed(self, channel: Channel, _now: bool) -> None:
        channel.failed()

    def settle(self, _channel: Channel) -> None:
        """The server copies it in itself."""

    def refuse(self, chan: int) -> None:
        self._dma.plug(chan, Refused())
        self._dma.request(chan, Ready.IN)

    def note(self, note: int, chan: int, a: int, data: bytes) -> None:
        """With DMA no note is about copying: one that comes is noise, and ignored."""


class Refused:
    """The end of a channel that could not be made: the server finds it reset."""

    def recv_into(self, _view: memoryview) -> int:
        return RESET

    def send(self, _view: memoryview) -> int:
        return RESET

    def want(self, _events: Ready) -> None:
        """It is ready for everything, and was reported so."""

    def end(self) -> None:
        """Nobody reads."""

    def detach(self) -> None:
        """Nothing to close."""
