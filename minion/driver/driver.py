"""The line driver: requests of programs onto the line, answers and events of the minion back.

Theory of operation.  Each request of a client gets a number and crosses the line; its answer is
handed back to the client that waits for the number.  Notes from the server change channels: open
them, shut them, or pass a new connection's descriptor through a listener's channel.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
from array import array
from collections import deque
from collections.abc import Callable
from typing import Protocol

from hypercalls.host.reactor import Reactor
from minion.driver import abi
from minion.driver.channel import Channel, Liveness
from minion.sysproxy import messages
from minion.sysproxy.messages import NOTE, REQUEST, RESPONSE, Note
from minion.sysproxy.operations import Op

ADDRESSES_BYTES = 32
"""Of an accepted connection: the peer's and its own."""
Done = Callable[[int, int, bytes, "Channel | None"], None]
"""(result, errno, data, channel whose program end goes along)"""
Request = Callable[[int, bytes, int, int, int, bytes, int, Done], int]
"""Driver.request"""


class CopyEngine(Protocol):
    """Where a channel's payload goes: the DMA engine, or frames on the line."""

    def plug(self, channel: Channel) -> None:
        """Connect the channel and set its `report`."""

    def unplug(self, channel: Channel) -> None: ...

    def settle(self, channel: Channel) -> None:
        """Send on what the program wrote before the request that follows, as far as credit goes."""

    def refuse(self, chan: int) -> None:
        """No descriptor could be had for an accepted connection: it is to be reset."""

    def note(self, note: int, chan: int, a: int, data: bytes) -> None:
        """A note that is about copying."""


class Driver:
    def __init__(
        self,
        reactor: Reactor,
        control_path: str,
        copy: CopyEngine,
        send: Callable[[bytes], None],
    ) -> None:
        self.channels: dict[int, Channel] = {}
        self.counters = {"requests": 0, "refused": 0, "accepted": 0}
        self.forgotten: Callable[[], None] = lambda: None
        """Called when a channel is gone."""
        self._by_id: dict[str, Channel] = {}
        self._reactor = reactor
        self._path = os.fsencode(control_path)
        self._copy = copy
        self._send = send
        self._waiting: dict[int, tuple[Done, Channel | None, int]] = {}
        self._reqno = 0
        self._next_chan = 1
        self._liveness = Liveness(reactor)
        self._accepts: dict[int, deque[tuple[Channel, bytes]]] = {}

    # -- requests

    def request(
        self, op: int, ident: bytes, a: int, b: int, c: int, data: bytes, pid: int, done: Done
    ) -> int:
        """Put a request on the line; done is called with its answer.  Returns its number.

        OSError: the socket is not known here, or no channel could be made.
        """
        channel: Channel | None = None
        if op == Op.SOCKET:
            channel = self._create(self._free_number(), True, pid)
        elif op not in (Op.GETADDRINFO, Op.GETNAMEINFO):
            channel = self._by_id.get(ident.decode("latin-1"))
            if channel is None:
                self.counters["refused"] += 1
                raise OSError(errno.ECONNRESET, "the minion does not know this socket")
            self._copy.settle(channel)
        self.counters["requests"] += 1
        self._reqno = reqno = self._reqno + 1 & 0xFFFFFFFF
        self._waiting[reqno] = (done, channel, a)
        number = channel.number if channel is not None else 0
        self._send(messages.emit(REQUEST, op, reqno, number, a, b, c, data))
        return reqno

    def _free_number(self) -> int:
        while self._next_chan in self.channels:
            self._next_chan += 1
        number = self._next_chan
        self._next_chan = (number + 1) % messages.SERVER_CHANNELS or 1
        return number

    def _create(self, number: int, filled: bool, pid: int) -> Channel:
        ident = secrets.token_urlsafe(12)
        channel = Channel(number, ident, self._path, self._reactor, self._liveness, filled, pid)
        self.channels[number] = channel
        self._by_id[ident] = channel
        channel.on_detach = self._forget
        self._copy.plug(channel)
        return channel

    def _forget(self, channel: Channel) -> None:
        if self.channels.pop(channel.number, None) is not None:
            del self._by_id[channel.ident]
        for waiting, _addresses in self._accepts.pop(channel.number, ()):
            waiting.take_program_end().close()
            waiting.start()  # notices at once that nobody is there
        self.forgotten()

    # -- messages from the minion

    def input(self, message: bytes) -> None:
        """One message.  Nonsense is refused, and harms nobody."""
        if len(message) < messages.HEADER.size:
            self.counters["refused"] += 1
            return
        kind, op, _, reqno, chan, a, b, _c = messages.HEADER.unpack_from(message)
        data = message[messages.HEADER.size :]
        if kind == RESPONSE:
            self._response(op, reqno, a, b, data)
        elif kind == NOTE:
            self._note(op, chan, a, data)

    def _response(self, op: int, reqno: int, result: int, error: int, data: bytes) -> None:
        waiting = self._waiting.pop(reqno, None)
        if waiting is None:
            return
        done, channel, argument = waiting
        if channel is not None and not error:
            if op == Op.LISTEN:
                channel.listening(argument)
            elif op == Op.SOCKET:
                done(result, error, data, channel)
                channel.start()
                return
        elif op == Op.SOCKET and channel is not None:
            channel.take_program_end().close()
            self._copy.unplug(channel)
            channel.detach()
        done(result, error, data, None)

    def _note(self, note: int, chan: int, a: int, data: bytes) -> None:
        channel = self.channels.get(chan)
        if note == Note.ACCEPTED:
            self._accepted(channel, a & 0xFFFFFFFF, data)
        elif note == Note.CONNECTED:
            if channel is not None:
                channel.connected()
        elif note == Note.FAILED:
            if channel is not None:
                channel.failed()
        else:
            self._copy.note(note, chan, a, data)

    def _accepted(self, listener: Channel | None, number: int, addresses: bytes) -> None:
        """A connection is ready: its descriptor goes into the listener's channel."""
        fresh = number >= messages.SERVER_CHANNELS and number not in self.channels
        if not fresh or len(addresses) != ADDRESSES_BYTES:
            self.counters["refused"] += 1
            return
        try:
            child = self._create(number, False, listener.pid if listener is not None else 0)
        except OSError:
            self.counters["refused"] += 1
            self._copy.refuse(number)
            return
        if listener is None:  # closed meanwhile
            child.take_program_end().close()
            child.start()
            return
        self.counters["accepted"] += 1
        message = abi.ACCEPT.pack(abi.VERSION, 0, addresses[:16], addresses[16:32])
        queue = self._accepts.get(listener.number)
        if queue:
            queue.append((child, message))
        elif not self._pass(listener, child, message):
            self._accepts[listener.number] = deque([(child, message)])
            self._send(messages.emit(NOTE, Note.ACCEPT_FULL, 0, listener.number, 1))
            listener.accept_room = lambda: self._accept_room(listener)
            listener.wait_for_room()

    def _pass(self, listener: Channel, child: Channel, message: bytes) -> bool:
        end = child.take_program_end()
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [end.fileno()]))]
        try:
            listener.sock.sendmsg([message], rights, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.ETOOMANYREFS:  # too many descriptors under way
                return False
            end.close()  # the listener is gone: nobody will take it
        child.start()
        return True

    def _accept_room(self, listener: Channel) -> None:
        queue = self._accepts.get(listener.number)
        while queue:
            if not self._pass(listener, *queue[0]):
                listener.wait_for_room()
                return
            queue.popleft()
        if self._accepts.pop(listener.number, None) is not None:
            self._send(messages.emit(NOTE, Note.ACCEPT_FULL, 0, listener.number, 0))

    # -- the end

    def restarted(self) -> None:
        """The minion lost its memory: every request fails, every channel is dead."""
        waiting, self._waiting = self._waiting, {}
        for done, _channel, _argument in waiting.values():
            done(-1, errno.ENETDOWN, b"", None)
        for channel in list(self.channels.values()):
            channel.failed()

    def close(self) -> None:
        for channel in list(self.channels.values()):
            channel.detach()
        self._liveness.close()
