"""Stream sockets: the socket(2) calls over TCP, without blocking.

Theory of operation.  Beside the connection's own state a socket has a `phase`, as in Linux: what
its calls have been told.  A connection that has been made, or has failed, is CONNECTING until a
call says so; after a failure it is UNCONNECTED again and may try anew.  Its *user* (the sysproxy, a
gateway's relay, an app) is told of what happens; whoever wants to block, blocks there.  Errors are
OSError with Linux's errnos; a pending error is reported once (so_error).
"""

from __future__ import annotations

from collections.abc import Callable
from errno import (
    EADDRNOTAVAIL,
    EAGAIN,
    EALREADY,
    ECONNABORTED,
    ECONNREFUSED,
    ECONNRESET,
    EINVAL,
    EISCONN,
    ENETUNREACH,
    ENOTCONN,
    EPIPE,
)

from hypercalls.api import Buffer
from stack.config import SECOND
from stack.netstack import Netstack
from stack.socket import constants as c
from stack.socket.constants import SHUT_RD, SHUT_RDWR, SHUT_WR
from stack.socket.settings import Settings
from stack.socket.user import Address, Phase, User
from stack.tcp import hold as holding
from stack.tcp.connections import Listener
from stack.tcp.ports import Hold
from stack.tcp.state import MAY_SEND, UNACKNOWLEDGED, State
from stack.tcp.tcb import NOBODY, Tcb
from stack.wire.ipv4 import Ipv4, is_multicast
from stack.wire.tcp import Tcp

LISTENERS_OWN = frozenset(((c.SOL_SOCKET, c.SO_PRIORITY), (c.IPPROTO_TCP, c.TCP_FASTOPEN)))
"""Options that accepted sockets do not inherit; nor IP_OPTIONS and TCP_DEFER_ACCEPT."""
WRITE_MIN_BYTES = 2048


class StreamSocket(Settings):
    __slots__ = (
        "_address", "_port_chosen", "accepted", "defer_accept", "error", "failed", "linger_s",
        "listener", "local", "phase", "port_range", "rcvlowat", "readable", "received", "remote",
        "shut_read", "shut_write", "user", "was_connected", "writable",
    )  # fmt: skip

    def __init__(self, net: Netstack, user: User) -> None:
        super().__init__(net)
        self.local: Address = (0, 0)
        self._address = 0  # what it was bound to
        self._port_chosen = False  # by bind, not by its caller
        self.remote: Address | None = None
        self.listener: Listener | None = None
        self.phase = Phase.UNCONNECTED
        self.error = 0
        """so_error: told once, by getsockopt or the next call."""
        self.was_connected = False
        self.failed = False
        """The connection, or the attempt, ended with an error."""
        self.shut_read = self.shut_write = False
        self.linger_s: int | None = None
        """None: close in the background; 0: reset; else as None (close never waits here)."""
        self.rcvlowat = 1
        self.defer_accept = 0
        self.port_range: Address = (0, 0)
        self.accepted = False
        self.attach(user)

    def attach(self, user: User) -> None:
        """Change who is told.  The upcalls are the user's own methods: no detour per segment."""
        self.user = user
        self.received = user.received
        self.readable = user.readable
        self.writable = user.writable

    # -- upcalls from TCP

    def connected(self) -> None:
        self.was_connected = True
        self.user.connected()

    def closed(self, error: int) -> None:
        if error:
            self.error = error
            self.failed = True
        if self._hold is not None:
            self._let_port_go()
        self.user.closed(error)

    def _forget_choice(self) -> None:
        """An address that was chosen for a remote may not do for another.

        The port is free again, though getsockname goes on telling of it, as on Linux.
        """
        self._let_port_go()
        self.local = (self._address, self.local[1])

    def _let_port_go(self) -> None:
        """bind was given none: the next connect, or listen, chooses another (tcp_set_state())."""
        if self._hold is not None and self._port_chosen:
            self._release()

    # -- calls

    def bind(self, address: Address) -> None:
        """EINVAL, EADDRNOTAVAIL, EADDRINUSE."""
        ip, port = address
        if ip and not self._net.ip.is_local(ip):  # first, as in Linux's inet_bind
            raise OSError(EADDRNOTAVAIL, "not a local address")
        if self._hold is not None or self.listener or self.open:
            raise OSError(EINVAL, "already bound")
        connections = self._net.tcp.connections
        self._port_chosen = not port
        if not port:
            port = connections.free_port(None, ip, *self.port_range)
        self._address = ip
        hold = Hold(ip, port, self._options.get("reuse", 0))
        connections.hold(hold)
        self._hold = hold
        self.local = (ip, port)

    def listen(self, backlog: int) -> None:
        """EINVAL, EADDRINUSE.  Listening again only changes the backlog."""
        if self.listener is not None:
            self.listener.backlog = self._net.tcp.bounded(backlog)
            return
        if self.phase != Phase.UNCONNECTED:
            raise OSError(EINVAL, "connected")
        hold = self._hold
        if hold is None:
            self.bind((self._address, 0))
            hold = self._hold
        assert hold is not None
        self.listener = self._net.tcp.listen(hold, backlog, self.readable, self._apply)
        self.listener.defer_accept = self.defer_accept

    def connect(self, remote: Address) -> bool:
        """Start connecting; the user is told how it ends.  True: it is connected, told here.

        EISCONN, EALREADY, EINVAL, ENETUNREACH, EADDRNOTAVAIL, EADDRINUSE, or the error of the
        attempt before (ECONNABORTED if that has been told): then the next call makes a new one.
        """
        if self.listener is not None or self.phase == Phase.CONNECTED:
            raise OSError(EISCONN, "listening, or connected")
        if self.phase == Phase.CONNECTING:
            return self._outcome()
        ip, port = remote
        if is_multicast(ip) or ip == 0xFFFFFFFF:
            raise OSError(ENETUNREACH, "TCP has two ends")  # MUST-46
        if not ip:
            ip = 0x7F000001  # as on Linux and BSD: this host
        if not port:
            raise OSError(ECONNREFUSED, "nobody listens on port 0")
        tcp = self._net.tcp
        hold = self._hold
        local = self.local if hold is not None else (self._address, 0)
        tcb = tcp.create(local, (ip, port), self, self.port_range)
        self._apply(tcb)
        self._begin(tcb)
        self.phase = Phase.CONNECTING
        tcp.connect(tcb)
        return False

    def _begin(self, tcb: Tcb) -> None:
        self.tcb = tcb
        self.received = self.user.received
        self.local = tcb.key[:2]
        self.remote = tcb.key[2:]
        self.error = 0
        self.failed = self.was_connected = self.shut_read = self.shut_write = False

    def _outcome(self) -> bool:
        """Of the attempt, for a call that asks (Linux: __inet_stream_connect)."""
        if self.connecting:
            raise OSError(EALREADY, "connecting")
        if self.failed:
            error = self.take_error() or ECONNABORTED
            self.disconnect()
            raise OSError(error, "the attempt failed")
        self.phase = Phase.CONNECTED
        return True

    def disconnect(self) -> None:
        """Dissolve what there is: connection, attempt, or listener (connect(2), AF_UNSPEC)."""
        self.stop_listening()
        tcb, self.tcb = self.tcb, None
        if tcb is not None and tcb.owner is not NOBODY and tcb.state != State.CLOSED:
            if tcb.state not in (State.FIN_WAIT_2, State.TIME_WAIT):
                self.error = ECONNRESET
            self._net.tcp.abort(tcb)
        self.remote = None
        self.phase = Phase.UNCONNECTED
        self.failed = self.was_connected = self.shut_read = self.shut_write = False
        self._forget_choice()

    def stop_listening(self) -> None:
        listener, self.listener = self.listener, None
        if listener is not None:
            self._net.tcp.unlisten(listener)

    def answer(self, header: Ipv4, segment: Tcp) -> None:
        """Be the other end of a SYN that a forwarder took (a gateway); options set before hold."""
        tcb = self.tcb = self._net.tcp.answer(header, segment, self, self._apply)
        self.local, self.remote = tcb.key[:2], tcb.key[2:]

    def accept(self, make_user: Callable[[StreamSocket], User]) -> StreamSocket:
        """The oldest waiting connection as a socket.  EINVAL, EAGAIN."""
        if self.listener is None:
            raise OSError(EINVAL, "not listening")
        if not self.listener.ready:
            raise OSError(EAGAIN, "nothing to accept")
        child = StreamSocket(self._net, self.user)
        child.attach(make_user(child))
        tcb = self._net.tcp.accept(self.listener, child)
        assert tcb is not None
        child.tcb = tcb
        child.local = tcb.key[:2]
        child.remote = tcb.key[2:]
        child.was_connected = True
        child.phase = Phase.CONNECTED
        child.accepted = True
        child.inherit(self)
        if tcb.state == State.CLOSED:  # reset while it waited
            child.error, child.failed = tcb.error, tcb.error != 0
        return child

    def inherit(self, parent: StreamSocket) -> None:
        """What accept(2) leaves as the listener had it."""
        self._options = dict(parent._options)
        self.kept = {key: value for key, value in parent.kept.items() if key not in LISTENERS_OWN}
        self.linger_s = parent.linger_s
        self.device = parent.device
        self.rcvlowat = parent.rcvlowat
        self.port_range = parent.port_range

    def getsockname(self) -> Address:
        return self.local

    def getpeername(self) -> Address:
        """ENOTCONN."""
        tcb = self.tcb
        if self.remote is None or tcb is None or not self.was_connected:
            raise OSError(ENOTCONN, "not connected")
        if tcb.state in (State.CLOSED, State.TIME_WAIT):
            raise OSError(ENOTCONN, "not connected any more")
        return self.remote

    @property
    def connecting(self) -> bool:
        return self.tcb is not None and self.tcb.state in (State.SYN_SENT, State.SYN_RECEIVED)

    @property
    def open(self) -> bool:
        return self.tcb is not None and self.tcb.state not in (State.CLOSED, State.TIME_WAIT)

    def take_error(self) -> int:
        error, self.error = self.error, 0
        return error

    # -- data

    @property
    def send_space(self) -> int:
        """Bytes that may be written now, in one buffer; 0 also marks the user as waiting for
        `writable`.  Buffers are freed whole, so there are several to a limit."""
        tcb = self.tcb
        if tcb is None or tcb.state not in MAY_SEND:
            return 0
        space = self._net.tcp.pool.send_space(tcb)
        if space <= 0:
            tcb.write_blocked = True
            return 0
        return min(space, max(WRITE_MIN_BYTES, tcb.snd_limit >> 2))

    def write(self, buffer: Buffer, offset: int, length: int, more: bool = False) -> None:
        """Queue bytes, shared until they are acknowledged.  EPIPE.

        more: they are not the end of what is being written, so no short segment ends with them.
        What is written next takes that back; or `push_within`; or time.
        """
        tcb = self.tcb
        if tcb is None or tcb.state not in MAY_SEND or self.shut_write:
            raise OSError(EPIPE, "not open for writing")
        tcb.snd.append(buffer, offset, length)
        if more:
            holding.written(tcb)
        self._net.tcp.push(tcb)

    def consumed(self) -> None:
        """After taking from `tcb.rcv`: opens the window."""
        if self.tcb is not None:
            self._net.tcp.consumed(self.tcb)

    @property
    def at_eof(self) -> bool:
        """Everything the peer sent has been read, and it has sent its FIN."""
        tcb = self.tcb
        return tcb is not None and tcb.fin_received and not tcb.rcv.length

    # -- the end

    def shutdown(self, how: int) -> None:
        """EINVAL, ENOTCONN.  The FIN follows what is still to be written: see finish_writing."""
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            raise OSError(EINVAL, "shutdown: how")
        tcb = self.tcb
        if self.listener is not None or self.connecting:
            if self.connecting or how != SHUT_WR:
                self.disconnect()
            return
        if tcb is None or not self.was_connected or tcb.state in (State.CLOSED, State.TIME_WAIT):
            raise OSError(ENOTCONN, "not connected")
        self.shut_read = self.shut_read or how != SHUT_WR
        self._both_shut()

    def finish_writing(self) -> None:
        """The last byte has been written: send the FIN after it."""
        self.shut_write = True
        self._both_shut()
        if self.tcb is not None:
            self._net.tcp.shutdown(self.tcb)

    def _both_shut(self) -> None:
        if self.shut_read and self.shut_write:
            self.received = self._refuse

    def _refuse(self, buffer: Buffer, offset: int, length: int) -> int:
        """Text, but the socket was shut both ways: a reset, as after close (RFC 1122, 4.2.2.13)."""
        del buffer, offset
        if self.tcb is not None:
            self._net.tcp.refuse_text(self.tcb)
        return length

    def more(self, length: int) -> None:
        """The next length bytes will be written with MSG_MORE."""
        if self.tcb is not None:
            holding.announce(self.tcb, length)

    def push(self, force: bool = False) -> None:
        """Send what options, or MSG_MORE, held back.  force: Nagle's algorithm and TCP_CORK too."""
        if self.tcb is not None:
            holding.release(self.tcb)
            self._net.tcp.push(self.tcb, force)

    def push_within(self, delay_ns: int) -> None:
        """Nothing follows what was written last with more, or nothing in that time."""
        if self.tcb is not None:
            self._net.tcp.push_within(self.tcb, delay_ns)

    def set_quickack(self, value: int) -> None:
        """TCP_QUICKACK; accepted sockets inherit it."""
        self._options["pingpong"] = int(not value)
        if self.tcb is not None:
            self._net.tcp.quickack(self.tcb, value)

    def close(self) -> None:
        """Give the socket back.  Unread data, or SO_LINGER of 0, makes it a reset."""
        self._release()
        self.stop_listening()
        tcb = self.tcb
        if tcb is None or tcb.owner is NOBODY:
            return
        if self.linger_s == 0:
            self._net.tcp.abort(tcb)
        else:
            self._net.tcp.close(tcb)

    def when_sent(self, done: Callable[[], None]) -> None:
        """After close: call done when all is acknowledged, or SO_LINGER's time has passed."""
        tcb, callouts = self.tcb, self._net.callouts
        if not self.linger_s or tcb is None or tcb.state not in UNACKNOWLEDGED:
            done()
            return
        late = callouts.at(callouts.now() + self.linger_s * SECOND, tcb.tell_sent)

        def sent() -> None:
            late.cancel()
            done()

        tcb.when_sent = sent

    def abort(self) -> None:
        """Reset the connection, or those that nobody has accepted."""
        self._release()
        self.stop_listening()
        if self.tcb is not None and self.tcb.owner is not NOBODY:
            self._net.tcp.abort(self.tcb)

    def _release(self) -> None:
        if self._hold is not None:
            self._net.tcp.connections.release(self._hold)
            self._hold = None
