"""The line driver: requests of programs onto the line, answers and events of the minion back.

Theory of operation.  Each request of a client gets a number and crosses the line; its answer is
handed back to the client that waits for the number.  Notes from the server change channels: open
them, shut them, or pass a new connection's descriptor through a listener's channel.

A socket's descriptor comes along with the requests that may connect it to its channel (PASSING),
and a new one goes back with the answer where the old one cannot be used again (Channel.renew).

EADDRINUSE is believed only the second time: the socket that had the address may have been closed
without our having noticed yet, so those that cannot tell are asked first.
"""

from __future__ import annotations

import errno
import os
import secrets
import socket
import sys
from collections.abc import Callable
from typing import Protocol

from hypercalls.host.reactor import Reactor
from minion.driver import abi
from minion.driver.accepting import Accepting, bounded, open_listener
from minion.driver.channel import Channel
from minion.driver.lingering import Lingering
from minion.driver.liveness import Liveness
from minion.driver.outlet import hand_out
from minion.driver.rendezvous import Rendezvous
from minion.driver.state import State
from minion.driver.unread import UNREAD, unread
from minion.driver.waiting import Done, Waiting, nobody
from minion.sysproxy import messages
from minion.sysproxy.messages import NOTE, REQUEST, RESPONSE, Note
from minion.sysproxy.operations import Op

BUFFER_MIN_BYTES = 4608
"""Linux's SOCK_MIN_SNDBUF, about."""
ADDRESSES_BYTES = 32
"""Of an accepted connection: the peer's and its own."""
Request = Callable[
    [int, bytes, int, int, int, bytes, int, "socket.socket | None", Done], int
]  # fmt: skip
"""Driver.request"""
PASSING = frozenset((int(Op.CONNECT), int(Op.LISTEN), int(Op.KEEP), int(Op.LINGER)))
"""Requests that come with the socket's descriptor."""
MAY_COLLIDE = frozenset((int(Op.BIND), int(Op.CONNECT), int(Op.LISTEN)))
NEWS = frozenset((0, errno.EINPROGRESS, errno.EALREADY, errno.EISCONN))
"""Answers to a connect that do not end the attempt."""
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # Python does not name them
INT_MAX = 0x7FFFFFFF
LOOKS = 2
"""Sockets asked for life at each new one: so those closed unnoticed cannot grow in number."""


class CopyEngine(Protocol):
    """Where a channel's payload goes: the DMA engine, or frames on the line."""

    def plug(self, channel: Channel) -> None:
        """Connect the channel and set its `report`."""

    def unplug(self, channel: Channel) -> None: ...

    def failed(self, channel: Channel, now: bool) -> None:
        """Channel.failed; after the data that was received before, or now."""

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
        self._waiting: dict[int, Waiting] = {}
        self._reqno = 0
        self._next_chan = 1
        self._liveness = Liveness(reactor)
        self._lingering = Lingering(reactor)
        self._rendezvous = Rendezvous(os.path.join(os.path.dirname(self._path), b"channels"))
        self._accepts: dict[int, Accepting] = {}

    # -- requests

    def request(
        self, op: int, ident: bytes, a: int, b: int, c: int, data: bytes, pid: int,
        program: socket.socket | None, done: Done,
    ) -> int:  # fmt: skip
        """Put a request on the line; done is called with its answer.  Returns its number.

        program: the socket's descriptor, ours from now on, if it came along.
        OSError: the socket is not known here, or no channel could be made.
        """
        channel: Channel | None = None
        if op == Op.SOCKET:
            self._liveness.look(LOOKS)
            channel = self._create(self._free_number(), False, pid)
        elif op not in (Op.GETADDRINFO, Op.GETNAMEINFO, Op.INTERFACES):
            channel = self._by_id.get(ident.decode("latin-1"))
            if channel is None:
                self.counters["refused"] += 1
                if program is not None:
                    program.close()
                raise OSError(errno.ECONNRESET, "the minion does not know this socket")
            if op in UNREAD:
                done(*unread(op, channel, a, b, program), None)
                return 0
            if op == Op.LINGER:
                return self._linger(channel, program, done)
            self._copy.settle(channel)
            if op == Op.SETSOCKOPT and a == socket.SOL_SOCKET:
                self._buffer_set(channel, b, data)
        waiting = Waiting(op, channel, a, b, c, data, done)
        if op == Op.SOCKET:
            waiting.held = True
        elif channel is not None and op in PASSING:
            if program is not None:
                waiting.held = channel.hold(program)
            elif channel.state == State.UNCONNECTED:
                raise OSError(errno.EINVAL, "the socket's descriptor did not come along")
        return self._begin(waiting)

    def _begin(self, waiting: Waiting) -> int:
        self.counters["requests"] += 1
        self._reqno = reqno = self._reqno + 1 & 0xFFFFFFFF
        self._put(reqno, waiting)
        return reqno

    def _linger(self, channel: Channel, program: socket.socket | None, done: Done) -> int:
        if program is not None:
            held = self._lingering.hold(channel, program)
            done(0 if held else -1, 0 if held else errno.EINVAL, b"", None)
            return 0
        reqno = self._begin(Waiting(Op.LINGER, channel, 0, 0, 0, b"", done))
        if not self._lingering.let_go(channel):
            del self._waiting[reqno]
            done(0, 0, b"", None)
        return reqno

    @staticmethod
    def _buffer_set(channel: Channel, name: int, data: bytes) -> None:
        """What lies in a channel counts as in the socket's own buffers."""
        value = int.from_bytes(data[:4], sys.byteorder, signed=True)
        if name in (socket.SO_RCVBUF, SO_RCVBUFFORCE):
            channel.bound(max(2 * value, BUFFER_MIN_BYTES))
        elif name in (socket.SO_SNDBUF, SO_SNDBUFFORCE):
            channel.hold_nothing()
            channel.send_bytes = max(value, BUFFER_MIN_BYTES // 2)
        elif name == socket.SO_RCVLOWAT and len(data) >= 4:
            channel.set_low_water(value if value > 0 else 1 if value == 0 else INT_MAX)

    def _put(self, reqno: int, waiting: Waiting) -> None:
        self._waiting[reqno] = waiting
        number = waiting.channel.number if waiting.channel is not None else 0
        self._send(
            messages.emit(REQUEST, waiting.op, reqno, number, waiting.a, waiting.b, waiting.c,
                          waiting.data)
        )  # fmt: skip

    def abandon(self, reqno: int) -> None:
        """The client has gone.  What it waited for goes on; a connect as if it did not block."""
        waiting = self._waiting.get(reqno)
        if waiting is None:
            return
        waiting.done = nobody
        if waiting.waits and waiting.channel is not None:
            self._send(messages.emit(NOTE, Note.LEAVE, reqno, waiting.channel.number))
        if waiting.waits and waiting.channel is not None and waiting.held:
            try:
                waiting.channel.connecting()
            except OSError:
                waiting.channel.lost()
            waiting.held = False
            waiting.channel.let_go()

    def _free_number(self) -> int:
        while self._next_chan in self.channels:
            self._next_chan += 1
        number = self._next_chan
        self._next_chan = (number + 1) % messages.SERVER_CHANNELS or 1
        return number

    def _create(self, number: int, connected: bool, pid: int) -> Channel:
        channel = Channel(
            number, fresh_ident(), self._path, self._reactor, self._liveness, self._rendezvous,
            connected, pid,
        )  # fmt: skip
        self.channels[number] = channel
        self._by_id[channel.program.ident] = channel
        channel.on_detach = self._forget
        self._copy.plug(channel)
        return channel

    def _renew(self, channel: Channel) -> None:
        channel.renew(fresh_ident())
        self._by_id[channel.program.ident] = channel

    def _forget(self, channel: Channel) -> None:
        if self.channels.pop(channel.number, None) is not None:
            for ident in channel.program.idents:
                del self._by_id[ident]
        self._forget_accepts(channel)
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
            self._note(op, chan, a, b, data)

    def _response(self, op: int, reqno: int, result: int, error: int, data: bytes) -> None:
        waiting = self._waiting.pop(reqno, None)
        if waiting is None:
            return
        channel = waiting.channel
        if error == errno.EADDRINUSE and op in MAY_COLLIDE and not waiting.again:
            waiting.again = True
            self._liveness.look()
            self._reactor.call_at(0, lambda: self._put(reqno, waiting))
            return
        if channel is None:
            waiting.done(result, error, data, None)
        elif op == Op.SOCKET and error:
            self._copy.unplug(channel)
            channel.detach()
            waiting.done(result, error, data, None)
        else:
            try:
                result = self._carried_out(op, waiting, channel, result, error)
            except OSError as failure:  # no descriptor for the channel
                result, error = -1, failure.errno or errno.ENOBUFS
            self._answer(waiting, channel, result, error, data)

    def _answer(
        self, waiting: Waiting, channel: Channel, result: int, error: int, data: bytes
    ) -> None:
        fresh = channel.renewed or waiting.op == Op.SOCKET
        waiting.done(result, error, data, channel if fresh else None)
        if waiting.held or channel.renewed:
            channel.let_go()

    def _carried_out(
        self, op: int, waiting: Waiting, channel: Channel, result: int, error: int
    ) -> int:
        """Bring the channel to the state that the socket is in now.  The result for the client.

        OSError: no descriptor can be had for it.
        """
        if op == Op.LISTEN and not error:
            self._usable(channel)
            self._listening(channel, waiting.a)
        elif op == Op.SHUTDOWN and not error:
            return self._shut(channel, waiting.a)
        elif op == Op.CONNECT:
            if not error and is_unspec(waiting.data):
                self._disconnected(channel)
            elif error == errno.EINPROGRESS or (error == errno.EALREADY and waiting.held):
                self._usable(channel)
                channel.connecting()
            elif error not in NEWS and channel.state in (State.CONNECTING, State.DEAD):
                self._renew(channel)  # the attempt has been told of, and may be made again
            elif not error and channel.state != State.OPEN:
                raise OSError(errno.ENOBUFS, "no channel for the connection")
        return result

    def _listening(self, channel: Channel, backlog: int) -> None:
        backlog = bounded(backlog)
        if channel.state == State.LISTENING:
            self._accepts[channel.number].backlog = backlog
        elif channel.state == State.UNCONNECTED:
            self._forget_accepts(channel)
            open_listener(channel, backlog)
            self._accepts[channel.number] = Accepting(channel, backlog, self._send)

    def _forget_accepts(self, channel: Channel) -> None:
        if channel.number in self._accepts:
            self._accepts.pop(channel.number).drop()

    def _shut(self, channel: Channel, how: int) -> int:
        """1: the client is to leave its end alone."""
        if channel.state == State.LISTENING and how != socket.SHUT_WR:
            self._renew(channel)
        elif channel.state == State.CONNECTING:
            channel.failed()
        if how != socket.SHUT_WR:
            hand_out(channel.outlet, INT_MAX)  # while it can
        return 0 if channel.state == State.OPEN else 1

    def _usable(self, channel: Channel) -> None:
        if channel.state == State.DEAD:
            self._renew(channel)

    def _connected(self, channel: Channel) -> None:
        try:
            self._usable(channel)
            channel.connected()
        except OSError:
            self.counters["refused"] += 1
            channel.lost()

    def _disconnected(self, channel: Channel) -> None:
        """connect(AF_UNSPEC)."""
        if channel.state == State.CONNECTING:
            channel.failed()  # whoever waits is told; the next connect gets another end
        elif channel.state != State.UNCONNECTED:
            self._renew(channel)

    def _note(self, note: int, chan: int, a: int, b: int, data: bytes) -> None:
        channel = self.channels.get(chan)
        if note == Note.ACCEPTED:
            self._accepted(channel, a & 0xFFFFFFFF, data)
        elif note == Note.CONNECTED:
            if channel is not None:
                self._connected(channel)
        elif note == Note.FAILED:
            if channel is not None:
                if b == 1:
                    channel.broken()
                else:
                    self._copy.failed(channel, b == 2)
        else:
            self._copy.note(note, chan, a, data)

    def _accepted(self, listener: Channel | None, number: int, addresses: bytes) -> None:
        """A connection is ready: its descriptor goes into the listener's channel."""
        fresh = number >= messages.SERVER_CHANNELS and number not in self.channels
        if not fresh or len(addresses) != ADDRESSES_BYTES:
            self.counters["refused"] += 1
            return
        try:
            child = self._create(number, True, listener.pid if listener is not None else 0)
        except OSError:
            self.counters["refused"] += 1
            self._copy.refuse(number)
            return
        if listener is None or listener.number not in self._accepts:  # closed meanwhile
            child.let_go()
            return
        child.inherit(listener)
        self.counters["accepted"] += 1
        message = abi.ACCEPT.pack(abi.VERSION, 0, addresses[:16], addresses[16:32])
        self._accepts[listener.number].add(child, message)

    # -- the end

    def restarted(self) -> None:
        """The minion lost its memory: every request fails, every channel is dead."""
        waiting, self._waiting = self._waiting, {}
        for request in waiting.values():
            request.done(-1, errno.ENETDOWN, b"", None)
            if request.held and request.channel is not None:
                request.channel.let_go()
        for channel in list(self.channels.values()):
            channel.failed()

    def close(self) -> None:
        for channel in list(self.channels.values()):
            channel.detach()
        self._liveness.close()
        self._lingering.close()
        self._rendezvous.close()


def fresh_ident() -> str:
    """Of a socket: unguessable, MINION_ID characters."""
    return secrets.token_urlsafe(12)


def is_unspec(address: bytes) -> bool:
    return int.from_bytes(address[:2], "little") == socket.AF_UNSPEC
