"""The system call server: requests from the line, carried out by the stack, answered on the line.

Theory of operation.  Requests are handled as they arrive, in a softint; none blocks the next: a
connect that waits, or a name that is looked up, keeps its request number and answers when it is
done.  A request on a socket first takes what the program has already written to its channel, so
that the two ways into a socket stay in order.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import (
    EAFNOSUPPORT,
    EBADF,
    ECONNABORTED,
    EINPROGRESS,
    EINVAL,
    EIO,
    ENOSYS,
    EPROTONOSUPPORT,
)
from functools import partial
from struct import Struct

from hypercalls.api import Copy, Hypercalls
from minion.sysproxy import messages
from minion.sysproxy.interfaces import interfaces
from minion.sysproxy.messages import NOTE, REQUEST, RESPONSE, Note
from minion.sysproxy.neighbours import REQUESTS, neighbour
from minion.sysproxy.operations import (
    MINION_ADMIN,
    MINION_ASK,
    MINION_NONBLOCK,
    MINION_NULL,
    Op,
)
from minion.sysproxy.session import Session
from minion.sysproxy.work import SessionWork
from stack.netstack import Netstack
from stack.services.resolver import Answer, Resolver
from stack.socket import constants as c
from stack.socket.options import getsockopt, setsockopt
from stack.socket.stream import StreamSocket
from stack.socket.user import Phase
from stack.tcp.state import State
from stack.wire import dns

ADDRESS = Struct("<HH16s")
EAI_NONAME, EAI_AGAIN, EAI_FAIL, EAI_NODATA = -2, -3, -4, -5
Reply = tuple[int, int, bytes]
"""(result, errno, data)"""
OK: Reply = (0, 0, b"")
SCRATCH_BYTES = 16 << 10


def family_of(address: bytes) -> int:
    """The family of a struct sockaddr, or -1."""
    return int.from_bytes(address[:2], "little") if len(address) >= 2 else -1


def parse_sockaddr(data: bytes) -> tuple[int, int]:
    """struct sockaddr_in to (address, port).  OSError: EINVAL, EAFNOSUPPORT."""
    family = family_of(data)
    if family not in (c.AF_INET, -1):
        raise OSError(EAFNOSUPPORT, "not an IPv4 address")
    if len(data) < 16:
        raise OSError(EINVAL, "address too short")
    return int.from_bytes(data[4:8], "big"), int.from_bytes(data[2:4], "big")


def emit_sockaddr(address: tuple[int, int]) -> bytes:
    return (
        c.AF_INET.to_bytes(2, "little")
        + address[1].to_bytes(2, "big")
        + address[0].to_bytes(4, "big")
        + bytes(8)
    )


class Server:
    """Minion side of the proxy; `send` puts a message on the line."""

    def __init__(
        self,
        hyper: Hypercalls,
        net: Netstack,
        resolver: Resolver,
        copy: Copy,
        send: Callable[[bytes], None],
    ) -> None:
        scratch = hyper.memory.alloc(SCRATCH_BYTES)
        if scratch is None:
            raise MemoryError("sysproxy: no memory for the scratch buffer")
        self.scratch = scratch
        self.net = net
        self.copy = copy
        self.work = SessionWork(hyper.threads, hyper.memory)
        self.sessions: dict[int, Session] = {}
        self.counters = {"requests": 0, "refused": 0, "accepted": 0}
        self.copy_note: Callable[[int, int, int, bytes], bool] = lambda _op, _chan, _a, _data: False
        """Takes notes about copying (--copy serial)."""
        self._resolver = resolver
        self._send = send
        self._next_chan = messages.SERVER_CHANNELS
        self._threads = hyper.threads
        self._calls: dict[int, Callable[[Session, int, int, int, bytes], Reply]] = {
            Op.BIND: self._bind,
            Op.LISTEN: self._listen,
            Op.GETSOCKNAME: self._getsockname,
            Op.GETPEERNAME: self._getpeername,
            Op.GETSOCKOPT: self._getsockopt,
            Op.SETSOCKOPT: self._setsockopt,
            Op.SHUTDOWN: self._shutdown,
            Op.IOCTL: self._ioctl,
            Op.ERROR: self._error,
            Op.MORE: self._more,
        }

    # -- messages from the line

    def input(self, message: bytes) -> None:
        """One message.  Nonsense is refused, and harms nobody."""
        if len(message) < messages.HEADER.size:
            self.counters["refused"] += 1
            return
        kind, op, _, reqno, chan, a, b, d = messages.HEADER.unpack_from(message)
        data = message[messages.HEADER.size :]
        if kind == REQUEST:
            self.counters["requests"] += 1
            self.work.catch_up()
            self._request(op, reqno, chan, a, b, d, data)
        elif kind == NOTE and op in (Note.ACCEPT_FULL, Note.ACCEPT_TAKEN, Note.LEAVE):
            session = self.sessions.get(chan)
            if session is None:
                return  # it was released while the note was under way
            if op == Note.LEAVE:
                session.waiters.pop(reqno, None)
                return
            listener = session.sock.listener
            if op == Note.ACCEPT_TAKEN:
                if listener is not None:
                    listener.handed_out = max(0, listener.handed_out - a)
                return
            session.held = bool(a)
            if not a:
                self.accept(session)
        elif kind != NOTE or not self.copy_note(op, chan, a, data):
            self.counters["refused"] += 1

    def _request(self, op: int, reqno: int, chan: int, a: int, b: int, d: int, data: bytes) -> None:
        try:
            if op == Op.SOCKET:
                reply = self._socket(chan, a, b, d)
            elif op == Op.GETADDRINFO:
                self._getaddrinfo(reqno, a, data)
                return
            elif op == Op.GETNAMEINFO:
                self._getnameinfo(reqno, data)
                return
            elif op == Op.INTERFACES:
                reply = 0, 0, interfaces(self.net)
            else:
                session = self.sessions.get(chan)
                if session is None:
                    raise OSError(EBADF, "no such channel")
                if op == Op.CONNECT:
                    self._connect(session, reqno, a, data)
                    return
                if op == Op.LINGER:
                    session.lingers = partial(self._respond, Op.LINGER, reqno, chan, OK)
                    return
                call = self._calls.get(op)
                if call is None:
                    raise OSError(ENOSYS, "no such call")
                reply = call(session, a, b, d, data)
        except OSError as error:
            reply = (-1, error.errno or EINVAL, b"")
        except Exception as error:  # our fault: costs this request, and nobody waits for ever
            self._threads.crashed(f"request {op}", error)
            reply = (-1, EIO, b"")
        self._respond(op, reqno, chan, reply)

    def _respond(self, op: int, reqno: int, chan: int, reply: Reply) -> None:
        result, error, data = reply
        self._send(messages.emit(RESPONSE, op, reqno, chan, result, error, 0, data))

    def _note(self, note: Note, chan: int, a: int = 0, data: bytes = b"") -> None:
        self._send(messages.emit(NOTE, note, 0, chan, a, 0, 0, data))

    # -- calls

    def _socket(self, chan: int, domain: int, kind: int, protocol: int) -> Reply:
        if domain != c.AF_INET:
            raise OSError(EAFNOSUPPORT, "IPv4 only")
        if kind != c.SOCK_STREAM or protocol not in (0, c.IPPROTO_TCP):
            raise OSError(EPROTONOSUPPORT, "TCP only")
        if chan in self.sessions or chan >= messages.SERVER_CHANNELS:
            raise OSError(EINVAL, "channel in use")
        session = Session(self, chan, None)
        self.sessions[chan] = session
        session.attach()
        return OK

    def _bind(self, session: Session, _a: int, _b: int, _c: int, data: bytes) -> Reply:
        if family_of(data) == c.AF_UNSPEC and not any(data[4:8]):
            data = (
                c.AF_INET.to_bytes(2, "little") + data[2:]
            )  # as Linux: INADDR_ANY needs no family
        session.sock.bind(parse_sockaddr(data))
        return OK

    def _listen(self, session: Session, backlog: int, _b: int, _c: int, _data: bytes) -> Reply:
        session.sock.listen(backlog)
        return OK

    def _connect(self, session: Session, reqno: int, flags: int, data: bytes) -> None:
        """Answered at once (error, EINPROGRESS), or when the handshake has ended."""
        chan, sock = session.chan, session.sock
        if flags & MINION_ASK:
            self._respond(Op.CONNECT, reqno, chan, self._connect_outcome(session))
            return
        if family_of(data) == c.AF_UNSPEC:
            self._disconnect(session)
            self._respond(Op.CONNECT, reqno, chan, OK)
            return
        address = parse_sockaddr(data)
        if flags & MINION_NONBLOCK or not sock.connecting:
            if sock.connect(address):
                self._respond(Op.CONNECT, reqno, chan, OK)
                return
            session.begin()
        if flags & MINION_NONBLOCK:
            raise OSError(EINPROGRESS, "connecting")

        def answer(error: int) -> None:
            self._respond(Op.CONNECT, reqno, chan, (-1 if error else 0, error, b""))

        session.waiters[reqno] = answer

    @staticmethod
    def _connect_outcome(session: Session) -> Reply:
        """For a caller that gave up waiting: how the attempt stands.  EALREADY: under way."""
        if session.sock.phase == Phase.CONNECTING:
            session.sock.connect((0, 0))
        elif session.sock.phase == Phase.UNCONNECTED:
            raise OSError(session.outcome or ECONNABORTED, "the attempt has ended")
        return OK

    @staticmethod
    def _disconnect(session: Session) -> None:
        """connect(AF_UNSPEC)."""
        session.sock.disconnect()
        if session.waiters:
            session.answer_waiters(session.sock.take_error() or ECONNABORTED)

    def _getsockname(self, session: Session, _a: int, _b: int, _c: int, _data: bytes) -> Reply:
        return 0, 0, emit_sockaddr(session.sock.getsockname())

    def _getpeername(self, session: Session, _a: int, _b: int, _c: int, _data: bytes) -> Reply:
        return 0, 0, emit_sockaddr(session.sock.getpeername())

    def _getsockopt(self, session: Session, level: int, name: int, room: int, _d: bytes) -> Reply:
        session.pump_in()
        return 0, 0, getsockopt(session.sock, level, name, room)

    def _setsockopt(self, session: Session, level: int, name: int, how: int, data: bytes) -> Reply:
        session.pump_in()
        value = None if how & MINION_NULL else data
        setsockopt(session.sock, level, name, value, max(how >> 8, 0), how & MINION_ADMIN != 0)
        return OK

    def _shutdown(self, session: Session, how: int, _b: int, _c: int, _data: bytes) -> Reply:
        session.pump_in()
        session.sock.shutdown(how)
        if session.waiters and session.sock.phase == Phase.UNCONNECTED:
            session.answer_waiters(session.sock.take_error() or ECONNABORTED)
        return OK

    def _ioctl(self, session: Session, request: int, _b: int, _c: int, data: bytes) -> Reply:
        if request in REQUESTS:
            return 0, 0, neighbour(self.net, self.net.hyper.clock.monotonic_ns(), request, data)
        session.pump_in()
        tcb = session.sock.tcb
        if session.sock.listener is not None:
            raise OSError(EINVAL, "listening")
        if request == c.SIOCOUTQ:
            value = 0 if tcb is None or tcb.all_sent else tcb.snd.end + tcb.fin_queued - tcb.snd_una
        elif request == c.SIOCOUTQNSD:
            value = 0 if tcb is None else max(0, tcb.snd.end + tcb.fin_queued - tcb.snd_nxt)
        elif request == c.SIOCATMARK:
            value = 0
        else:
            raise OSError(25, "no such ioctl")  # ENOTTY
        return 0, 0, value.to_bytes(4, "little")

    def _more(self, session: Session, length: int, _b: int, _c: int, _data: bytes) -> Reply:
        session.more(max(0, length))
        return OK

    def _error(self, session: Session, _a: int, _b: int, _c: int, _data: bytes) -> Reply:
        """SO_ERROR, and what became of the socket (enum minion_fate)."""
        sock = session.sock
        error = sock.take_error()
        if sock.failed:
            fate = 2
        else:
            fate = 0 if sock.was_connected else 1
        return error, 0, fate.to_bytes(4, "little")

    # -- names

    def _getaddrinfo(self, reqno: int, family: int, data: bytes) -> None:
        name = data.rstrip(b"\0").decode("ascii", "replace")

        def done(answer: Answer) -> None:
            found = b"".join(
                ADDRESS.pack(c.AF_INET, 0, address.to_bytes(4, "big"))
                for address in answer.addresses[:64]
            )
            self._respond(Op.GETADDRINFO, reqno, 0, (eai(answer), 0, found))

        if family not in (c.AF_UNSPEC, c.AF_INET):
            self._respond(Op.GETADDRINFO, reqno, 0, (EAI_NODATA, 0, b""))
        else:
            self._resolver.lookup(name, done)

    def _getnameinfo(self, reqno: int, data: bytes) -> None:
        address, _port = parse_sockaddr(data)

        def done(answer: Answer) -> None:
            result = EAI_NONAME if not answer.name else eai(answer)
            self._respond(Op.GETNAMEINFO, reqno, 0, (result, 0, answer.name.encode("ascii")))

        self._resolver.reverse(address, done)

    # -- sessions (session.SessionServer)

    def accept(self, listener: Session) -> None:
        """Hand every connection that is ready to the driver."""
        ready = listener.sock.listener
        while ready is not None and ready.ready and not listener.held and not listener.released:
            chan = self._next_chan
            self._next_chan = messages.SERVER_CHANNELS | (chan + 1 & messages.SERVER_CHANNELS - 1)
            if chan in self.sessions:
                continue

            def make(sock: StreamSocket, chan: int = chan) -> Session:
                session = Session(self, chan, sock)
                self.sessions[chan] = session
                return session

            child = listener.sock.accept(make)
            session = self.sessions[chan]
            tcb = child.tcb
            ready.handed_out += 1
            self.counters["accepted"] += 1
            assert child.remote is not None
            addresses = emit_sockaddr(child.remote) + emit_sockaddr(child.local)
            self._note(Note.ACCEPTED, listener.chan, chan - (1 << 32), addresses)
            session.attach()
            if tcb is not None and tcb.state == State.CLOSED:
                session.closed(child.error)
            else:
                session.pump_out()

    def connected(self, session: Session) -> None:
        self._note(Note.CONNECTED, session.chan)

    def failed(self, session: Session, error: int, more: int) -> None:
        self._send(messages.emit(NOTE, Note.FAILED, 0, session.chan, error, more))

    def forget(self, session: Session) -> None:
        self.sessions.pop(session.chan, None)
        self.work.forget(session)
        self.copy.detach(session.chan)

    def restarted(self) -> None:
        """The driver came back without its memory: nothing of before is anybody's any more."""
        for session in list(self.sessions.values()):
            session.release(reset=True)


def eai(answer: Answer) -> int:
    """An answer as a getaddrinfo(3) result."""
    if answer.rcode == dns.NOERROR:
        return 0 if answer.addresses else EAI_NODATA
    return {dns.NXDOMAIN: EAI_NONAME, dns.SERVFAIL: EAI_AGAIN}.get(answer.rcode, EAI_FAIL)
