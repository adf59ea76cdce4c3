"""Stream sockets of apps: straight on the stack, no line and no proxy in between."""

from __future__ import annotations

from errno import ECONNABORTED, EINPROGRESS, ENOTCONN, EPIPE
from struct import pack
from typing import Final

from hypercalls.api import Buffer
from minion.app.files import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLOUT,
    POLLRDHUP,
)
from minion.app.socketfile import MSG_PEEK, MSG_WAITALL, Address, SocketFile
from stack.netstack import Netstack
from stack.socket import constants as c
from stack.socket.options import getsockopt, setsockopt
from stack.socket.stream import StreamSocket
from stack.socket.user import Phase
from stack.tcp.state import MAY_SEND

CHUNK: Final = 32768
"""Bytes per buffer of what an app sends."""


class TcpFile(SocketFile):
    """A stream socket; a stack.socket.stream.User."""

    kind = c.SOCK_STREAM
    protocol = c.IPPROTO_TCP

    def __init__(self, net: Netstack, sock: StreamSocket | None = None) -> None:
        super().__init__()
        self._net = net
        self._sock = sock if sock is not None else StreamSocket(net, self)
        self._starved = False

    # -- upcalls (stack.socket.stream.User)

    def received(self, _buffer: Buffer, _offset: int, _length: int) -> int:
        return 0  # all of it is queued, until somebody reads

    def readable(self) -> None:
        self.changed()

    def writable(self) -> None:
        tcb = self._sock.tcb
        if tcb is not None:
            tcb.write_blocked = False
        self.changed()

    def connected(self) -> None:
        self.changed()

    def closed(self, _error: int) -> None:
        self.changed()

    # -- calls

    def poll(self) -> int:
        sock, tcb = self._sock, self._sock.tcb
        if sock.listener is not None:
            return POLLIN if sock.listener.ready else 0
        if tcb is None or not (sock.was_connected or sock.failed):
            if sock.connecting:
                return 0
            return POLLOUT | POLLHUP | (POLLERR if sock.error else 0)
        ready = 0
        read_end = tcb.fin_received or sock.shut_read or sock.failed
        if tcb.rcv.length or read_end:
            ready |= POLLIN
        if read_end:
            ready |= POLLRDHUP
        if sock.error:
            ready |= POLLERR
        if tcb.state not in MAY_SEND or sock.shut_write:
            ready |= POLLOUT
            if read_end:
                ready |= POLLHUP
        elif sock.send_space:
            ready |= POLLOUT
        return ready

    def bind(self, address: Address) -> None:
        self._sock.bind(address)

    def listen(self, backlog: int) -> None:
        self._sock.listen(backlog)

    def accept(self) -> SocketFile:
        made: list[TcpFile] = []

        def make(sock: StreamSocket) -> TcpFile:
            made.append(TcpFile(self._net, sock))
            return made[0]

        listener = self._sock.listener
        if listener is not None and not listener.ready:
            raise BlockingIOError
        self._sock.accept(make)
        return made[0]

    def connect(self, address: Address) -> None:
        if not self._sock.connect(address):
            raise BlockingIOError(EINPROGRESS, "connecting")

    def connect_result(self) -> None:
        sock = self._sock
        if sock.connecting:
            raise BlockingIOError
        if sock.phase == Phase.UNCONNECTED:  # another thread has shut it down
            raise OSError(sock.take_error() or ECONNABORTED, "connect")
        if sock.phase == Phase.CONNECTING:
            sock.connect((0, 0))  # as it has ended, this tells how

    def disconnect(self) -> None:
        self._sock.disconnect()
        self.changed()

    def _check_open(self) -> None:
        """EPIPE, or what ended the connection."""
        sock = self._sock
        if sock.error:
            raise OSError(sock.take_error(), "the connection has failed")
        if sock.tcb is None or not (sock.was_connected or sock.connecting):
            raise OSError(EPIPE, "no connection")

    def send(self, data: bytes | memoryview, to: Address | None) -> int:
        """EPIPE, the error of the connection; BlockingIOError."""
        sock = self._sock
        if to is not None and not sock.was_connected:
            raise OSError(ENOTCONN, "connect first")
        self._check_open()
        tcb = sock.tcb
        if sock.connecting:
            raise BlockingIOError
        if sock.shut_write or tcb is None or tcb.state not in MAY_SEND:
            raise OSError(EPIPE, "not open for writing")
        if not data:
            return 0
        space = sock.send_space
        if not space:
            raise BlockingIOError
        count = min(len(data), space, CHUNK)
        buffer = self._net.hyper.memory.alloc(count)
        if buffer is None:
            self._wait_for_memory()
            raise BlockingIOError
        buffer.view[:count] = data[:count]
        sock.write(buffer, 0, count)
        return count

    def _wait_for_memory(self) -> None:
        """Whoever waits is woken when some has been freed."""
        if not self._starved:
            self._starved = True
            self._net.hyper.memory.when_freed(self._net.hyper.threads.softint(self._fed).schedule)

    def _fed(self) -> None:
        self._starved = False
        self.changed()

    def recv(self, length: int, flags: int) -> tuple[bytes, Address | None, int]:
        sock, tcb = self._sock, self._sock.tcb
        if tcb is None or not (sock.was_connected or sock.connecting):
            if sock.error:
                raise OSError(sock.take_error(), "the connection has failed")
            raise OSError(ENOTCONN, "no connection")
        ended = tcb.fin_received or sock.shut_read or sock.failed
        if not tcb.rcv.length:
            if sock.error:
                raise OSError(sock.take_error(), "the connection has failed")
            if not ended and length:
                raise BlockingIOError
            return b"", None, 0
        whole = flags & MSG_PEEK and flags & MSG_WAITALL
        if whole and tcb.rcv.length < length and not ended:
            raise BlockingIOError
        data = self._peek(length) if flags & MSG_PEEK else self._take(length)
        return data, None, len(data)

    def _take(self, length: int) -> bytes:
        tcb = self._sock.tcb
        assert tcb is not None
        found: list[bytes] = []
        while length > 0 and (item := tcb.rcv.peek()) is not None:
            buffer, offset, count = item
            count = min(count, length)
            found.append(bytes(buffer.view[offset : offset + count]))
            tcb.rcv.consume(count)
            length -= count
        self._sock.consumed()
        return b"".join(found)

    def _peek(self, length: int) -> bytes:
        tcb = self._sock.tcb
        assert tcb is not None
        found = b"".join([bytes(b.view[o : o + n]) for b, o, n in tcb.rcv.slices()])
        return found[:length]

    def shutdown(self, how: int) -> None:
        sock = self._sock
        sock.shutdown(how)
        if how != c.SHUT_RD and sock.was_connected and not sock.shut_write:
            sock.finish_writing()
        self.changed()

    @property
    def state(self) -> str:
        if self._sock.listener is not None:
            return "LISTEN"
        return self._sock.tcb.state.name if self._sock.tcb is not None else "CLOSED"

    def getsockname(self) -> Address:
        return self._sock.getsockname()

    def getpeername(self) -> Address:
        return self._sock.getpeername()

    def getsockopt(self, level: int, name: int, room: int) -> bytes:
        return getsockopt(self._sock, level, name, room)

    def setsockopt(self, level: int, name: int, value: bytes) -> None:
        setsockopt(self._sock, level, name, value)

    def ioctl(self, request: int) -> bytes | None:
        tcb = self._sock.tcb
        if request == c.SIOCINQ:
            return pack("i", 0 if tcb is None else tcb.rcv.length)
        if request == c.SIOCOUTQ:
            return pack("i", 0 if tcb is None else len(tcb.snd))
        return super().ioctl(request)

    def close(self) -> None:
        self._sock.close()
