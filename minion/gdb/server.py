"""The socket GDB connects to: one client at a time, on 127.0.0.1."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final, Protocol

from minion.gdb.packets import ACK, DAMAGED, INTERRUPT, NAK, Receiver, frame
from minion.gdb.stub import Stub, Target

IN: Final = 1
OUT: Final = 4
"""epoll's events."""
READ_MAX: Final = 1 << 16
QUEUE_MAX: Final = 1 << 20
"""Bytes for a client that does not read; then it is dropped."""


class Events(Protocol):
    """The reactor."""

    def register(self, fd: int, events: int, handler: Callable[[int], None], /) -> None: ...

    def modify(self, fd: int, events: int, /) -> None: ...

    def unregister(self, fd: int, /) -> None: ...


class Client:
    """A connected GDB: packets in, replies out."""

    def __init__(
        self, sock: socket.socket, events: Events, target: Target, gone: Callable[[], None]
    ) -> None:
        self._sock = sock
        self._events = events
        self._target = target
        self._gone = gone
        self._stub = Stub(target)
        self._receiver = Receiver()
        self._out = bytearray()
        self._last = b""
        """Sent again if it arrived damaged."""
        self._waiting = False
        """GDB waits for the hart to stop."""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        events.register(sock.fileno(), IN, self._ready)

    def _ready(self, mask: int) -> None:
        try:
            if mask & OUT:
                self._flush()
            if mask & ~OUT:
                data = self._sock.recv(READ_MAX)
                if not data:
                    self.close()
                    return
                self._input(data)
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def _input(self, data: bytes) -> None:
        for item in self._receiver.feed(data):
            if self._sock.fileno() < 0:
                return
            if item == INTERRUPT:
                self._target.pause()
            elif item == NAK:
                self._send(self._last)
            elif item[:1] == b"$":
                self._packet(item[1:])
            elif item == DAMAGED and self._stub.acknowledged:
                self._send(NAK)

    def _packet(self, packet: bytes) -> None:
        if self._stub.acknowledged:
            self._send(ACK)
        reply = self._stub.command(packet)
        if reply is None:
            self._waiting = True
            return
        self._reply(reply)
        if self._stub.detached:
            self.close()

    def _reply(self, payload: bytes) -> None:
        self._last = frame(payload)
        self._send(self._last)

    def _send(self, data: bytes) -> None:
        if len(self._out) + len(data) > QUEUE_MAX:
            self.close()
            return
        self._out += data
        self._flush()

    def _flush(self) -> None:
        try:
            sent = self._sock.send(self._out) if self._out else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return
        del self._out[:sent]
        self._events.modify(self._sock.fileno(), IN | OUT if self._out else IN)

    def stopped(self) -> None:
        if self._waiting:
            self._waiting = False
            self._reply(self._target.reason().encode())

    def ended(self, status: int) -> None:
        """The machine has ended: the last words."""
        if self._waiting:
            self._reply(b"W%02x" % (status & 0xFF))

    def close(self) -> None:
        if self._sock.fileno() >= 0:
            self._events.unregister(self._sock.fileno())
            self._sock.close()
            self._gone()


class Server:
    """Also the machine's Debugger."""

    def __init__(
        self, events: Events, target: Target, disconnected: Callable[[], None], port: int
    ) -> None:
        """disconnected: the client has gone, with or without a word.  OSError: the port is taken.

        Port 0: any; `port` says which.
        """
        self._events = events
        self._target = target
        self._disconnected = disconnected
        self._client: Client | None = None
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        events.register(self._listener.fileno(), IN, self._accept)

    def _accept(self, _mask: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:  # it has gone already
            return
        if self._client is not None:
            sock.close()
            return
        self._target.pause()
        self._client = Client(sock, self._events, self._target, self._lost)

    def _lost(self) -> None:
        self._client = None
        self._disconnected()

    def attached(self) -> bool:
        return self._client is not None

    def stopped(self) -> None:
        if self._client is not None:
            self._client.stopped()

    def close(self, status: int) -> None:
        """The machine has ended, with this exit status."""
        if self._client is not None:
            self._client.ended(status)
        if self._client is not None:
            self._client.close()
        self._events.unregister(self._listener.fileno())
        self._listener.close()
