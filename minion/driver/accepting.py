"""A listener's channel: connections on their way to the program, and how many it has taken.

Theory of operation.  What lies in the channel fills the listener's backlog as much as what the
server still has, so the server is told when the program has taken some.  The kernel is asked how
much lies there (SIOCOUTQ; each message takes the same): at each new connection, and, while it is
more than half the backlog, whenever the program takes one.
"""

from __future__ import annotations

import errno
import socket
from array import array
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from hypercalls.api import Ready
from minion.driver.channel import IN, OUT, Channel
from minion.driver.queues import queued_bytes
from minion.driver.state import State
from minion.sysproxy import messages
from minion.sysproxy.messages import NOTE, Note

ACCEPT_BYTES = 1536
"""More than what a message with a descriptor takes in the kernel."""
SOMAXCONN = 4096
"""As stack/config.py's."""


def bounded(backlog: int) -> int:
    """As listen(2) has it: a negative backlog is a large one."""
    return backlog if 0 <= backlog <= SOMAXCONN else SOMAXCONN


def open_listener(channel: Channel, backlog: int) -> None:
    """From now on the channel carries accepted descriptors, some of the backlog at a time."""
    channel.pair(State.LISTENING)
    channel.program.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 0)  # the fill stays
    channel.program.fill()
    channel.wanted = 0
    # the kernel doubles what is set, and tells of room while less than a quarter is used
    room = 2 * ACCEPT_BYTES * (min(backlog, 64) + 2)
    assert channel.sock is not None
    channel.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
    channel.sock.shutdown(socket.SHUT_RD)  # a listener cannot be written to: EPIPE


class Accepting:
    """One listener."""

    def __init__(self, channel: Channel, backlog: int, send: Callable[[bytes], None]) -> None:
        self.backlog = backlog
        self._channel = channel
        self._send = send
        self._told = 0
        """So many the server takes to be on their way."""
        self._message_bytes = 0
        self._queue: deque[tuple[Channel, bytes]] = deque()
        channel.accept_room = self.room

    def _note(self, note: Note, a: int) -> None:
        self._send(messages.emit(NOTE, note, 0, self._channel.number, a))

    def add(self, child: Channel, message: bytes) -> None:
        """A connection is ready: its descriptor goes into the channel."""
        self._told += 1
        if self._queue:
            self._queue.append((child, message))
        elif not self._pass(child, message):
            self._queue.append((child, message))
            self._note(Note.ACCEPT_FULL, 1)
        self._settle()

    def _pass(self, child: Channel, message: bytes) -> bool:
        end = child.program.sock
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [end.fileno()]))]
        try:
            if self._channel.sock is not None:
                self._channel.sock.sendmsg([message], rights, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.ETOOMANYREFS:  # too many descriptors under way
                return False
            # else the listener is gone: nobody will take it
        child.let_go()
        return True

    def room(self) -> None:
        """The program has taken some."""
        queue = self._queue
        held = bool(queue)
        while queue and self._pass(*queue[0]):
            queue.popleft()
        if held and not queue:
            self._note(Note.ACCEPT_FULL, 0)
        self._settle()

    def _settle(self) -> None:
        left = self._lying() + len(self._queue)
        taken = self._told - left
        if taken > self.backlog // 4:
            self._told = left
            self._note(Note.ACCEPT_TAKEN, taken)
        watched = OUT if self._queue or 2 * left > self.backlog else 0
        wanted = self._channel.wanted & IN | watched
        if wanted != self._channel.wanted:
            self._channel.want(Ready(wanted))

    def _lying(self) -> int:
        """Messages in the channel."""
        sock = self._channel.sock
        queued = 0
        if sock is not None:
            with suppress(OSError):
                queued = queued_bytes(sock.fileno())
        if not queued:
            self._message_bytes = 0
        elif not self._message_bytes:
            self._message_bytes = queued  # one message's: nothing else was there before it
        return queued // self._message_bytes if self._message_bytes else 0

    def drop(self) -> None:
        """The listener is gone; what waited notices at once that nobody is there."""
        for child, _message in self._queue:
            child.let_go()
        self._queue.clear()
