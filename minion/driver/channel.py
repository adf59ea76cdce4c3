"""A channel: the AF_UNIX pair behind a proxied descriptor, and what its states look like there.

What the states look like on the channel is said in state.py.

Closing is noticed as EPOLLHUP, or EPOLLERR if the program left data unread.  A hang-up cannot be
masked, so a channel that shows one and is not being read is taken out of epoll.  Whether the
program has closed its descriptor, or only shut it down, is asked of the kernel (liveness.py).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from select import EPOLLERR, EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT

from hypercalls.api import CLOSED, EOF, RESET, Ready
from hypercalls.host.reactor import Reactor
from minion.driver import abi
from minion.driver.intake import Intake
from minion.driver.liveness import Liveness
from minion.driver.low_water import make_outlet
from minion.driver.outlet import NEVER, SNDBUF_BYTES, Outlet, hand_out
from minion.driver.program_end import ProgramEnd
from minion.driver.rendezvous import Rendezvous
from minion.driver.state import State

HELD = b"\0"
"""What lies in a new channel, so that there is something to be left unread (intake.py)."""
ACCEPT_MARK = b"\0"
"""Lies unread in an accepted channel until accept() takes it: closed before that, it is a reset."""
IN, OUT = int(Ready.IN), int(Ready.OUT)
READY = [Ready(number) for number in range(8)]


class Channel:
    """The minion side of one pair; minion.devices.dma.ChannelEnd."""

    __slots__ = (
        "_closed", "_eof", "_epoll", "_fill", "_holds", "_intake", "_liveness",
        "_reactor", "_rendezvous", "_reset", "accept_room", "bound_bytes", "fd", "gone",
        "low_water", "number", "on_detach", "outlet", "pid", "program", "registered", "renewed",
        "report", "send_bytes", "sock", "state", "wanted",
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
        self._reactor = reactor
        self._liveness = liveness
        self._rendezvous = rendezvous
        self.program = ProgramEnd(control_path)
        self.renewed = False
        """The program's end is a new one, which it has not been given yet."""
        self.sock: socket.socket | None = None
        self._intake: Intake | None = None
        self.outlet: Outlet | None = None
        """Of an open channel, both."""
        self._holds = True
        self.fd = -1
        self.state = State.UNCONNECTED
        self._fill = 0
        self.bound_bytes = self.send_bytes = NEVER
        """SO_RCVBUF and SO_SNDBUF, if the program has set them."""
        self.low_water = 1
        """SO_RCVLOWAT."""
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
                self.program.make(program, ident)
            except OSError:
                ours.close()
                raise
            program.send(HELD)
            self._carry(ours, State.OPEN)
            ours.send(ACCEPT_MARK)
        else:
            self.program.make(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), ident)

    @property
    def name(self) -> bytes:
        return self.program.name

    # -- the program's end, as long as it is ours as well

    def hold(self, copy: socket.socket) -> bool:
        """The client has passed its descriptor along, to be connected.  False: of no use.

        OSError(EINVAL): it is not this channel's.  Undone by `let_go`.
        """
        if self.state != State.UNCONNECTED or self.gone:
            copy.close()
            return False
        self.program.hold(copy)
        return True

    def let_go(self) -> None:
        """The program's end has been handed over, or is not needed any more: watch the channel."""
        self.renewed = False
        if self.program.let_go() and not self.gone:
            self._watch()

    def renew(self, ident: str) -> None:
        """Another end for the program, unconnected, in place of one that cannot be used again."""
        self._hang_up()
        self._liveness.forget(self)
        self.program.make(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), ident)
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

    def pair(self, state: State) -> None:
        """Give the program's end, which is held, another end.  OSError."""
        program = self.program.sock
        self._liveness.forget(self)
        ours = self._rendezvous.pair(program, self.name)
        if state == State.OPEN:
            program.send(HELD)
        self._carry(ours, state)

    def _ready(self) -> None:
        """Bytes pass from now on, with room for some super-segments in a wake-up of the program."""
        if self.sock is not None:
            self._intake = Intake(self.sock, self._fill or len(HELD))
            self._fill = 0
            if not self._holds:
                self._intake.hold_nothing()
            self._new_outlet(self.sock)

    def _new_outlet(self, sock: socket.socket) -> None:
        self.outlet = make_outlet(sock, self.program.ident, self.bound_bytes, self.low_water)

    def set_low_water(self, low_water: int) -> None:
        """SO_RCVLOWAT was set."""
        if low_water != self.low_water:
            self.low_water = low_water
            if self.outlet is not None and self.sock is not None:
                hand_out(self.outlet, 0)
                self._new_outlet(self.sock)

    def inherit(self, listener: Channel) -> None:
        """The buffers of an accepted connection are its listener's."""
        if listener.bound_bytes != NEVER:
            self.bound(listener.bound_bytes)
        self.set_low_water(listener.low_water)
        if listener.send_bytes != NEVER and self.program.held:
            self.hold_nothing()
            self.program.sock.setsockopt(
                socket.SOL_SOCKET, socket.SO_SNDBUF, min(listener.send_bytes >> 1, SNDBUF_BYTES)
            )

    def bound(self, room_bytes: int) -> None:
        """SO_RCVBUF was set: what lies here counts too, and there is no more room for it."""
        self.bound_bytes = room_bytes
        if self.outlet is not None:
            self.outlet.bound(room_bytes)

    def _hang_up(self) -> None:
        """Close our end."""
        self._unwatch()
        self._fill = 0
        self._intake = self.outlet = None
        if self.sock is not None:
            self.sock.close()
            self.sock = None
            self.fd = -1

    # -- epoll

    def _interest(self) -> int:
        if self.state == State.OPEN:
            readable = EPOLLIN if self.wanted & IN and not self._eof else 0
            writable = self.wanted & OUT and self.outlet is not None and not self.outlet.full
            return readable | EPOLLET | (EPOLLOUT if writable else 0)
        if self.state == State.LISTENING and self.wanted & OUT:
            return EPOLLOUT | EPOLLET  # told of each message that is taken
        if self.state == State.BROKEN and self.wanted & OUT:
            return EPOLLOUT
        return 0

    def _watch(self) -> None:
        if self._closed or self.gone:
            return
        if self.sock is None:
            if not self.program.held:
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
        if self.outlet is not None and self.outlet.kept:  # that, too, was left unread
            self._reset = True
            self.state = State.DEAD
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
        outlet = self.outlet
        if outlet is None:
            return RESET if self._reset else CLOSED if self.gone else 0
        try:
            return outlet.send(view)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            # SHUT_RD: but a read that asks still gets it
            return outlet.send_late(view) if self.alive() else CLOSED
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
        if not self.program.held:
            self._watch()

    def end(self) -> None:
        """The peer's FIN: the mark that makes an EOF an EOF, and the EOF."""
        if self.outlet is not None:
            self.outlet.shut(abi.FIN_MARK, socket.SHUT_WR)

    def detach(self) -> None:
        """Close the channel."""
        if self._closed:
            return
        self._closed = True
        self._liveness.forget(self)
        self._hang_up()
        self.program.close()
        self.on_detach(self)

    # -- what the driver is told by the server

    def connecting(self) -> None:
        """The handshake is under way: the program can neither read nor write until it has ended."""
        if self.state == State.UNCONNECTED:
            self.pair(State.CONNECTING)
            self._fill = self.program.fill()

    def connected(self) -> None:
        """Let the program write."""
        if self.state == State.UNCONNECTED:
            self.pair(State.OPEN)
        elif self.state == State.CONNECTING:
            self.state = State.OPEN
            self._ready()
        if not self.program.held:
            self._watch()

    def broken(self) -> None:
        """Nothing more can be sent; what was received before is still on its way to the program."""
        if self.state != State.OPEN or self.outlet is None:
            return
        self.outlet.shut(abi.ERROR_MARK, socket.SHUT_RD)
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
        if self.outlet is not None:
            self.outlet.mark(abi.ERROR_MARK)
        self.state = State.DEAD
        self._hang_up()
        if not self.program.held:
            self._watch()
