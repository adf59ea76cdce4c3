"""What one descriptor's owner wants to hear about, without telling epoll what it knows already."""

from __future__ import annotations

from typing import Final

from hypercalls.host.reactor import Handler, Reactor

NOTHING: Final = -1


class Interest:
    """Starts out unregistered.  With events 0 a descriptor still reports hang-ups and errors."""

    __slots__ = ("_events", "_fd", "_handler", "_reactor")

    def __init__(self, reactor: Reactor, fd: int, handler: Handler) -> None:
        self._reactor = reactor
        self._fd = fd
        self._handler = handler
        self._events = NOTHING

    def set(self, events: int) -> None:
        if events == self._events:
            return
        if self._events == NOTHING:
            self._reactor.register(self._fd, events, self._handler)
        else:
            self._reactor.modify(self._fd, events)
        self._events = events

    def drop(self) -> None:
        """Hear of nothing any more, until the next set."""
        if self._events != NOTHING:
            self._events = NOTHING
            self._reactor.unregister(self._fd)
