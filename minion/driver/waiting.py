"""A request that is on the line, and who waits for its answer."""

from __future__ import annotations

from collections.abc import Callable

from minion.driver.channel import Channel
from minion.sysproxy.operations import MINION_NONBLOCK, Op

Done = Callable[[int, int, bytes, "Channel | None"], None]
"""(result, errno, data, channel whose program end goes along)"""


def nobody(_result: int, _error: int, _data: bytes, _channel: Channel | None) -> None:
    """Takes the answer to a request whose client has gone."""


class Waiting:
    """A request that is on the line."""

    __slots__ = ("a", "again", "b", "c", "channel", "data", "done", "held", "op")

    def __init__(
        self, op: int, channel: Channel | None, a: int, b: int, c: int, data: bytes, done: Done
    ) -> None:
        self.op = op
        self.channel = channel
        self.a = a
        self.b = b
        self.c = c
        self.data = data
        self.done = done
        self.held = False
        """The channel holds the program's end for it."""
        self.again = False
        """It has been sent a second time."""

    @property
    def waits(self) -> bool:
        """A blocking connect."""
        return self.op == Op.CONNECT and not self.a & MINION_NONBLOCK
