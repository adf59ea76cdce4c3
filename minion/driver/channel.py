"""A channel: the AF_UNIX pair behind a proxied descriptor, and what its states look like there.

Theory of operation.  `UNCONNECTED`: the program's end has no other end; the kernel reports it
writable and hung up, as Linux does for a TCP socket that is not connected.  `CONNECTING`: a pair,
whose program side was filled, so that the program can neither write nor is told that it could; the
fill is read back when the connection opens.  `OPEN`: bytes pass.  `LISTENING`: messages with
descriptors pass.  `BROKEN`: the connection has failed, and what it had received is still on its way
to the program, which can write no more.  `DEAD`: the connection or the attempt has failed and our
end is closed, with something the program had written unread where possible, which its kernel
reports as an error; only its close is waited for.

Closing is noticed as EPOLLHUP, or EPOLLERR if the program left data unread.  A hang-up cannot be
masked, so a channel that shows one and is not being read is taken out of epoll.  Whether the
program has closed its descriptor, or only shut it down, is asked of the kernel (liveness.py).
"""

from __future__ import annotations

import errno
import socket
from array import array
from collections.abc import Callable
from enum import IntEnum
from fcntl import ioctl
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT
from termios import TIOCOUTQ

from hypercalls.api import CLOSED, EOF, RESET, Ready
from hypercalls.host.reactor import Reactor
from minion.driver import abi
from minion.driver.intake import Intake
from minion.driver.liveness import Liveness
from minion.driver.rendezvous import Rendezvous

FILL = bytes(1 << 16)
SNDBUF_BYTES = 2 << 20
HELD = b"\0"
"""What lies in a new channel, so that there is something to be left unread (intake.py)."""
ACCEPT_MARK = b"\0"
"""Lies unread in an accepted channel until accept() takes it: closed before that, it is a reset."""
ACCEPT_BYTES = 1536
"""More than what a message with a descriptor takes in the kernel."""
IN, OUT = int(Ready.IN), int(Ready.OUT)
READY = [Ready(number) for number in range(8)]


class State(IntEnum):
    UNCONNECTED = 0
    CONNECTING = 1
    OPEN = 2
    LISTENING = 3
    BROKEN = 4
    DEAD = 5


class Channel:
    """The minion side of one pair; minion.devices.dma.ChannelEnd."""

    __slots__ = (
        "_accept_bytes", "_closed", "_eof", "_epoll", "_fill", "_holders", "_holds", "_intake",
        "_liveness", "_path", "_program", "_reactor", "_rendezvous", "_reset", "accept_room", "fd",
        "gone", "ident", "idents", "name", "number", "on_detach", "pid", "registered", "renewed",
        "report", "sock", "state", "wanted",
    )  # fmt: skip

    def __init__(
        self, number: int, ident: str, control_path: bytes, reactor: Reactor,
        liveness: Liveness, rendezvous: Rendezvous, connected: bool, pid: int,
    ) -> None:  # fmt: skip
        """connected: an accepted connection's.  The program's end is held until `let_go`.

        OSError(EMFILE, ENFILE).
        """
        self.number = number
        self.pid = pid
        self._path = control_path
        self._reactor = reactor
        self._liveness = liveness
        self._rendezvous = rendezvous
        self.ident = ""
        self.idents: list[str] = []
        """Its ids, the last one first: what an older end of the program still asks by."""
        self.name = b""
        self._program: socket.socket | None = None
        self._holders = 0
        self.renewed = False
        """The program's end is a new one, which it has not been given yet."""
        self.sock: socket.socket | None = None
        self._intake: Intake | None = None
        """Of an open channel."""
        self._holds = True
        self.fd = -1
        self.state = State.UNCONNECTED
        self._fill = 0
        self._accept_bytes = 0
        self._closed = False
        self._epoll = 0
        self.registered = False
        self.gone = False
        self._reset = False
        self._eof = False
        self.wanted = IN
        self.report: Callable[[Ready], None] = lambda _events: None
        """Tells the copy engine that the channel can be read or written."""
        self.accept_room: Callable[[], None] = lambda: None
        self.on_detach: Callable[[Channel], None] = lambda _channel: None
        if connected:
            ours, program = socket.socketpair()
            try:
                self._own(program, ident)
            except OSError:
                ours.close()
                raise
            program.send(HELD)
            self._carry(ours, State.OPEN)
            ours.send(ACCEPT_MARK)
        else:
            self._own(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), ident)

    # -- the program's end, as long as it is ours as well

    def _own(self, program: socket.socket, ident: str) -> None:
        self.name = abi.NAME_PREFIX + b"s" + ident.encode() + b":" + self._path
        try:
            program.bind(self.name)
        except OSError:
            program.close()
            raise
        self.ident = ident
        self.idents.insert(0, ident)
        self._program = program
        self._holders += 1

    def hold(self, program: socket.socket) -> bool:
        """The client has passed its descriptor along, to be connected.  False: of no use.

        OSError(EINVAL): it is not this channel's.  Undone by `let_go`.
        """
        if self.state != State.UNCONNECTED or self.gone:
            program.close()
            return False
        try:
            ours = program.getsockname() == self.name
        except OSError:
            ours = False
        if not ours:
            program.close()
            raise OSError(errno.EINVAL, "that is not the socket's descriptor")
        self._holders += 1
        if self._program is None:
            self._program = program
        else:
            program.close()
        return True

    @property
    def held(self) -> bool:
        return self._program is not None

    def program_end(self) -> socket.socket:
        """The program's end, to be sent to it."""
        assert self._program is not None
        return self._program

    def let_go(self) -> None:
        """The program's end has been handed over, or is not needed any more: watch the channel."""
        self.renewed = False
        self._holders -= 1
        if self._holders > 0:
            return
        self._holders = 0
        if self._program is not None:
            self._program.close()
            self._program = None
        if not self.gone:
            self._watch()

    def renew(self, ident: str) -> None:
        """Another end for the program, unconnected, in place of one that cannot be used again."""
        self._hang_up()
        self._liveness.forget(self)
        self._own(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), ident)
        self.state = State.UNCONNECTED
        self._reset = self._eof = False
        self.wanted = IN
        self.renewed = True

    # -- our end

    def _carry(self, ours: socket.socket, state: State) -> None:
        ours.setblocking(False)
        self.sock = ours
        self.fd = ours.fileno()
        self.state = state
        if state == State.OPEN:
            self._ready()

    def _pair(self, state: State) -> socket.socket:
        """Give the program's end, which is held, another end.  The program's end."""
        program = self._program
        if program is None:
            raise OSError(errno.EINVAL, "the socket's descriptor did not come along")
        self._liveness.forget(self)
        ours = self._rendezvous.pair(program, self.name)
        if state == State.OPEN:
            program.send(HELD)
        self._carry(ours, state)
        return program

    def _ready(self) -> None:
        """Bytes pass from now on, with room for some super-segments in a wake-up of the program."""
        if self.sock is not None:
            self._intake = Intake(self.sock)
            if not self._holds:
                self._intake.hold_nothing()
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SNDBUF_BYTES)

    def _fill_up(self, program: socket.socket) -> None:
        """As long as these bytes are not read, the program can write nothing."""
        try:
            while True:
                self._fill += program.send(FILL, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass

    def _drain(self) -> None:
        """Read the fill, all but a byte (HELD)."""
        if self.sock is None:
            return
        left, self._fill = self._fill - len(HELD), 0
        scratch = bytearray(left)
        try:
            while left > 0:
                left -= self.sock.recv_into(scratch, left)
        except OSError:
            pass  # the program is gone, and the fill with it: its close is the next news

    def _hang_up(self) -> None:
        """Close our end."""
        self._unwatch()
        self._fill = 0
        self._intake = None
        if self.sock is not None:
            self.sock.close()
            self.sock = None
            self.fd = -1

    # -- epoll

    def _interest(self) -> int:
        if self.state == State.OPEN:
            readable = EPOLLIN if self.wanted & IN and not self._eof else 0
            return readable | EPOLLET | (EPOLLOUT if self.wanted & OUT else 0)
        if self.state == State.LISTENING and self.wanted & OUT:
            return EPOLLOUT | EPOLLET  # told of each message that is taken
        if self.state == State.BROKEN and self.wanted & OUT:
            return EPOLLOUT
        return 0

    def _watch(self) -> None:
        if self._closed or self.gone:
            return
        if self.sock is None:
            if self._program is None:
                self._liveness.watch(self)
            return
        interest = self._interest()
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
        if events & EPOLLERR:  # closed with data unread: what it wrote itself is void (RFC 2525)
            self._reset = True
            self.state = State.DEAD
            self.program_closed()
            return
        ready = (IN if events & EPOLLIN else 0) | (OUT if events & EPOLLOUT else 0)
        if events & EPOLLHUP:
            if not self.alive():
                self.program_closed()
                return
            if not self.wanted & IN or self._eof or self.state != State.OPEN:
                self._unwatch()
                self._liveness.watch(self)
                return
            ready |= IN | (self.wanted & OUT)
        elif self.state == State.LISTENING:
            self.accept_room()
            return
        if ready:
            self.report(READY[ready])

    def program_closed(self) -> None:
        """The last copy of the program's descriptor is gone; what it wrote is still to be read."""
        self._liveness.forget(self)
        self.gone = True
        self._unwatch()
        self.report(Ready.HUP)

    def lost(self) -> None:
        """No pair could be had for a connection that is there: the minion is to reset it."""
        self._reset = True
        self.state = State.DEAD
        self.program_closed()

    def alive(self) -> bool:
        """Whether the program's end exists."""
        return not self.gone and self._liveness.exists(self.name)

    # -- minion.devices.dma.ChannelEnd

    def recv_into(self, view: memoryview) -> int:
        intake = self._intake
        if intake is None or self.state != State.OPEN:
            return RESET if self._reset else CLOSED if self.gone else 0
        try:
            count = intake.read_into(view)
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

    @property
    def readable_bytes(self) -> int:
        """What the program has written and nobody has read."""
        intake = self._intake
        return intake.fresh_bytes if intake is not None and self.state == State.OPEN else 0

    def look_again(self) -> None:
        """Report what is still ready: an edge is told of only once."""
        if self.registered:
            self._reactor.modify(self.fd, self._epoll)

    def hold_nothing(self) -> None:
        """The program has chosen the size of its send buffer: none of it is ours."""
        self._holds = False
        if self._intake is not None:
            self._intake.hold_nothing()

    def send(self, view: memoryview) -> int:
        sock = self.sock
        if sock is None or (self.state != State.OPEN and self.state != State.BROKEN):
            return RESET if self._reset else CLOSED if self.gone else 0
        try:
            return sock.send(view)
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
                self.report(Ready.HUP)
            return
        if self._liveness.watches(self):
            if self.state != State.OPEN or self._eof or not self.wanted & IN:
                return
            self._liveness.forget(self)
        if self._program is None:
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
        self._hang_up()
        if self._program is not None:
            self._program.close()
            self._program = None
        self.on_detach(self)

    # -- what the driver is told by the server

    def connecting(self) -> None:
        """The handshake is under way: the program can neither read nor write until it has ended."""
        if self.state == State.UNCONNECTED:
            self._fill_up(self._pair(State.CONNECTING))

    def connected(self) -> None:
        """Let the program write."""
        if self.state == State.UNCONNECTED:
            self._pair(State.OPEN)
        elif self.state == State.CONNECTING:
            self._drain()
            self.state = State.OPEN
            self._ready()
        if self._program is None:
            self._watch()

    def broken(self) -> None:
        """Nothing more can be sent; what was received before is still on its way to the program."""
        if self.state != State.OPEN:
            return
        self._shut(abi.ERROR_MARK, socket.SHUT_RD)
        self.state = State.BROKEN
        try:
            if self._intake is not None:
                self._intake.give_up()
        except OSError:
            pass  # it had closed already: its own event says so
        self._watch()

    def failed(self) -> None:
        """Mark our end and close it; the shim asks for the error.

        An attempt that a caller waits for has no pair yet: the caller is told.
        """
        if self.state in (State.UNCONNECTED, State.DEAD):
            return
        self._mark(abi.ERROR_MARK)
        self.state = State.DEAD
        self._hang_up()
        if self._program is None:
            self._watch()

    def listening(self, backlog: int) -> None:
        """From now on the channel carries accepted descriptors, some of the backlog at a time."""
        if self.state != State.UNCONNECTED:
            return
        program = self._pair(State.LISTENING)
        program.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 0)  # the fill stays
        self._fill_up(program)
        self.wanted = 0
        # the kernel doubles what is set, and tells of room while less than a quarter is used
        room = 2 * ACCEPT_BYTES * (min(backlog, 64) + 2)
        assert self.sock is not None
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
        self.sock.shutdown(socket.SHUT_RD)  # a listener cannot be written to: EPIPE

    def unaccepted(self) -> int:
        """Messages in the listener's channel that the program has not taken."""
        if self.sock is None:
            return 0
        queued = array("i", [0])
        try:
            ioctl(self.fd, TIOCOUTQ, queued, True)
        except OSError:
            return 0
        if not queued[0]:
            self._accept_bytes = 0
        elif not self._accept_bytes:
            self._accept_bytes = queued[0]  # one message's: nothing else was there before it
        return queued[0] // self._accept_bytes if self._accept_bytes else 0

    def watch_accepts(self, on: bool) -> None:
        """Whether accept_room is called when the program takes a message."""
        wanted = self.wanted | OUT if on else self.wanted & ~OUT
        if wanted != self.wanted:
            self.wanted = wanted
            self._watch()

    def _mark(self, mark: bytes) -> None:
        try:
            if self.sock is not None:
                self.sock.bind(mark + self.ident.encode())
        except OSError as error:
            # marked already, or named after the rendezvous
            if error.errno not in (errno.EINVAL, errno.EADDRINUSE):
                raise

    def _shut(self, mark: bytes, how: int) -> None:
        self._mark(mark)
        try:
            if self.sock is not None:
                self.sock.shutdown(how)
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                raise
