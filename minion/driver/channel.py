"""A channel: the AF_UNIX pair behind a proxied descriptor, and what its states look like there.

Theory of operation.  `FILLED`: not connected.  The program's send side was filled with one write,
so that its descriptor does not poll writable; the fill is read back when the connection opens.
`OPEN`: bytes pass.  `LISTENING`: messages with descriptors pass.  `DEAD`: the connection has failed
and the channel is shut down; only the program's close is still waited for.

A hang-up (EPOLLHUP) cannot be masked, so a channel that shows one and is not being read is taken
out of epoll.  Whether the program has closed its descriptor, or only shut it down, is asked of the
kernel: the abstract name of its end exists as long as the descriptor does.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from enum import IntEnum
from select import EPOLLHUP, EPOLLIN, EPOLLOUT

from hypercalls.api import CLOSED, EOF, RESET, Ready
from hypercalls.host.reactor import Reactor
from minion.driver import abi

FILL = bytes(60_000)
SNDBUF_BYTES = 2 << 20
IN, OUT = int(Ready.IN), int(Ready.OUT)


class State(IntEnum):
    FILLED = 0
    OPEN = 1
    LISTENING = 2
    DEAD = 3


class Channel:
    """The minion side of one pair; minion.devices.dma.ChannelEnd."""

    __slots__ = (
        "_closed", "_eof", "_epoll", "_fill", "_liveness", "_name", "_program", "_reactor",
        "accept_room", "fd",
        "gone", "ident", "number", "on_detach", "pid", "registered", "report", "sock", "state",
        "wanted",
    )  # fmt: skip

    def __init__(
        self, number: int, ident: str, control_path: bytes, reactor: Reactor,
        liveness: Liveness, filled: bool, pid: int,
    ) -> None:  # fmt: skip
        """Makes the pair; `take_program_end` hands the other end out.  OSError(EMFILE, ENFILE)."""
        self.number = number
        self.ident = ident
        self.pid = pid
        self._name = abi.NAME_PREFIX + b"s" + ident.encode() + b":" + control_path
        self._reactor = reactor
        self._liveness = liveness
        self._fill = 0
        self._closed = False
        self._epoll = 0
        self.registered = False
        self.gone = False
        self._eof = False
        self.wanted = IN
        self.report: Callable[[Ready], None] = lambda _events: None
        """Tells the copy engine that the channel can be read or written."""
        self.accept_room: Callable[[], None] = lambda: None
        self.on_detach: Callable[[Channel], None] = lambda _channel: None
        self.sock, self._program = socket.socketpair()
        self.fd = self.sock.fileno()
        try:
            self._program.bind(self._name)
            self.sock.setblocking(False)
            self.state = State.OPEN
            if filled:
                self.state = State.FILLED
                self._fill = self._program.send(FILL, socket.MSG_DONTWAIT)
            else:
                self._grow()
        except OSError:
            self.sock.close()
            self._program.close()
            raise

    def _grow(self) -> None:
        """Room for some super-segments: each wake-up of the program then moves more."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SNDBUF_BYTES)

    def take_program_end(self) -> socket.socket:
        """The program's end, to be sent to it and then closed here."""
        return self._program

    def start(self) -> None:
        """Watch the channel; the program's end has been handed over."""
        self._program.close()
        self._watch()

    # -- epoll

    def _interest(self) -> int:
        if self.state == State.OPEN:
            readable = EPOLLIN if self.wanted & IN and not self._eof else 0
            return readable | (EPOLLOUT if self.wanted & OUT else 0)
        if self.state == State.LISTENING and self.wanted & OUT:
            return EPOLLOUT
        return 0

    def _watch(self) -> None:
        interest = self._interest()
        if self._closed:
            return
        if not self.registered:
            self._reactor.register(self.fd, interest, self._event)
            self.registered = True
            self._epoll = interest
        elif interest != self._epoll:
            self._reactor.modify(self.fd, interest)
            self._epoll = interest

    def _unwatch(self) -> None:
        if self.registered:
            self._reactor.unregister(self.fd)
            self.registered = False

    def _event(self, events: int) -> None:
        if self.state == State.LISTENING and events & EPOLLOUT:
            self.wanted &= ~OUT
            self._watch()
            self.accept_room()
            return
        ready = (IN if events & EPOLLIN else 0) | (OUT if events & EPOLLOUT else 0)
        if events & EPOLLHUP:
            ready |= IN | (self.wanted & OUT)
            if not self.wanted & IN or self._eof or self.state != State.OPEN:
                self._hung_up()
                return
        if ready:
            self.report(READY[ready])

    def _hung_up(self) -> None:
        """Both directions are shut: is anybody still holding the descriptor?"""
        if self.alive():
            self._unwatch()
            self._liveness.watch(self)
            return
        self.program_closed()

    def program_closed(self) -> None:
        """The last copy of the program's descriptor is gone."""
        self._liveness.forget(self)
        if self.state == State.OPEN and not self.wanted & IN:
            self._unwatch()  # what it wrote before is still to be read, when there is room
            self.gone = True
            return
        self.gone = True
        self._unwatch()
        self.report(READY[IN | OUT])

    def alive(self) -> bool:
        """Whether the program's end exists."""
        return not self.gone and self._liveness.exists(self._name)

    # -- minion.devices.dma.ChannelEnd

    def recv_into(self, view: memoryview) -> int:
        if self.state != State.OPEN:
            return CLOSED if self.gone or not self.alive() else 0
        try:
            count = self.sock.recv_into(view)
        except BlockingIOError:
            return 0
        except ConnectionResetError:
            return RESET
        if count:
            return count
        if not self.alive():
            return CLOSED
        self._eof = True  # shut down, but held: the next news is its close
        self._watch()
        return EOF

    def send(self, view: memoryview) -> int:
        if self.state != State.OPEN:
            return CLOSED if self.gone else 0
        try:
            return self.sock.send(view)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            # SHUT_RD: the program does not want it, and TCP takes it all the same
            return len(view) if self.alive() else CLOSED
        except ConnectionResetError:
            return RESET

    def want(self, events: Ready) -> None:
        self.wanted = int(events)
        if self.gone:
            if self.wanted & IN:
                self.report(READY[IN])
            return
        if self._liveness.watches(self):
            if self.state != State.OPEN or self._eof or not self.wanted & IN:
                return
            self._liveness.forget(self)
        self._watch()

    def end(self) -> None:
        """The peer's FIN: the mark that makes an EOF an EOF, and the EOF."""
        self._shut(abi.FIN_MARK, socket.SHUT_WR)

    def detach(self) -> None:
        """Close the channel."""
        if self._closed:
            return
        self._closed = True
        self._liveness.forget(self)
        self._unwatch()
        self.sock.close()
        self.on_detach(self)

    # -- what the driver is told by the server

    def connected(self) -> None:
        """Let the program write."""
        if self.state == State.FILLED:
            self._drain()
            self.state = State.OPEN
            self._grow()
            if not self.gone:
                self._watch()

    def failed(self) -> None:
        """Mark and shut the channel; the shim asks for the error."""
        self.state = State.DEAD
        self._shut(abi.ERROR_MARK, socket.SHUT_RDWR)
        self._drain()  # after it: who sees POLLOUT must not find the channel open
        if not self.gone:
            self._hung_up()

    def listening(self, backlog: int) -> None:
        """From now on the channel carries accepted descriptors, some of the backlog at a time."""
        if self.state == State.FILLED:
            self.state = State.LISTENING
            self.wanted = 0
            # about 1 kB per message with its descriptor; the kernel doubles what is set
            room = 512 * max(4, min(backlog, 64))
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)

    def wait_for_room(self) -> None:
        """Have accept_room called when the listener's channel takes messages again."""
        self.wanted |= OUT
        self._watch()

    def _drain(self) -> None:
        if self._fill:
            scratch = bytearray(self._fill)
            try:
                self._fill -= self.sock.recv_into(scratch)
            except OSError:
                self._fill = 0  # the program is gone, and the fill with it

    def _shut(self, mark: bytes, how: int) -> None:
        try:
            self.sock.bind(mark + self.ident.encode())
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EADDRINUSE):  # marked already
                raise
        try:
            self.sock.shutdown(how)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise


READY = [Ready(number) for number in range(4)]
PROBE_NS = 1_000_000_000


class Liveness:
    """Finds out whether a program's end still exists, for channels where no event can tell."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._watched: set[Channel] = set()
        self._scheduled = False

    def exists(self, name: bytes) -> bool:
        """A name can be bound to only while nobody has it."""
        try:
            self._probe.bind(name)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return True
        self._probe.close()
        self._probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        return False

    def watch(self, channel: Channel) -> None:
        self._watched.add(channel)
        if not self._scheduled:
            self._scheduled = True
            self._reactor.call_at(time.monotonic_ns() + PROBE_NS, self.look)

    def forget(self, channel: Channel) -> None:
        self._watched.discard(channel)

    def watches(self, channel: Channel) -> bool:
        return channel in self._watched

    def look(self) -> None:
        """Ask for each: its program may have closed it since."""
        self._scheduled = False
        for channel in list(self._watched):
            if not channel.alive():
                channel.program_closed()
            else:
                self.watch(channel)

    def close(self) -> None:
        self._probe.close()
