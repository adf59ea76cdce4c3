"""The control socket: clients connect, send a request, and wait for its answer.

A client is distrusted: it must run as our user (SO_PEERCRED), its messages are checked, and a
connection carries one request at a time.  Closing the connection abandons the request.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from array import array
from collections.abc import Callable
from functools import partial
from select import EPOLLIN

from hypercalls.host.reactor import Reactor
from minion.driver import abi
from minion.driver.channel import Channel
from minion.driver.driver import PASSING, Request
from minion.sysproxy.operations import Op

BACKLOG = 512
UCRED = struct.Struct("iII")
PAUSE_NS = 100_000_000
LINE_OPS = frozenset(Op) - {Op.STATUS, Op.STOP, Op.ADOPT, Op.APP}
APP_FDS = 4
"""Program, standard input, output and error."""
RIGHTS_ROOM = socket.CMSG_SPACE(4 * APP_FDS)
AppDone = Callable[[int, int, bytes], None]
"""Of an app's exit status, or -1, an errno, and why."""
StartApp = Callable[[bytes, list[int], AppDone], Callable[[], None]]
"""Of a request's data and descriptors, the callee's from then on; returns what ends the app."""


class Client:
    """One connection of one process."""

    __slots__ = ("abandon", "busy", "fd", "pid", "sock", "uid")

    def __init__(self, sock: socket.socket, door: Client | None = None) -> None:
        """door: the client that vouches for this one."""
        self.sock = sock
        self.fd = sock.fileno()
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size)
        self.pid, self.uid, _gid = UCRED.unpack(credentials)
        if door is not None:
            self.uid = door.uid
        self.busy = False
        self.abandon: Callable[[], None] | None = None
        """What to do if it goes away before its request is done."""


def no_apps(_data: bytes, fds: list[int], _done: AppDone) -> Callable[[], None]:
    for fd in fds:
        os.close(fd)
    raise OSError(errno.ENOSYS, "no apps here")


class ControlServer:
    def __init__(
        self,
        reactor: Reactor,
        listener: socket.socket,
        request: Request,
        abandon: Callable[[int], None],
        status: Callable[[], bytes],
        stop: Callable[[], None],
        clients_changed: Callable[[], None] = lambda: None,
        start_app: StartApp = no_apps,
    ) -> None:
        """listener: bound and listening, SOCK_SEQPACKET, non-blocking.  status: JSON, UTF-8.

        request: Driver.request, or what stands before it; abandon: Driver.abandon.
        """
        self.clients: dict[int, Client] = {}
        self.counters = {"clients": 0, "refused": 0, "bad_requests": 0}
        self._reactor = reactor
        self._listener = listener
        self._request = request
        self._abandon = abandon
        self._status = status
        self._stop = stop
        self._changed = clients_changed
        self._start_app = start_app
        self._uids = {os.getuid(), 0}
        reactor.register(listener.fileno(), EPOLLIN, self._accept)

    def _accept(self, _events: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                raise
            self._pause()
            return
        self._welcome(Client(sock))

    def _welcome(self, client: Client) -> None:
        sock = client.sock
        sock.setblocking(False)
        if client.uid not in self._uids:
            self.counters["refused"] += 1
            sock.close()
            return
        self.counters["clients"] += 1
        self.clients[client.fd] = client
        self._reactor.register(client.fd, EPOLLIN, partial(self._readable, client))
        self._changed()

    def _pause(self) -> None:
        """No descriptors left: accept again when some may have been freed, and do not spin."""
        self._reactor.modify(self._listener.fileno(), 0)
        self._reactor.call_at(
            time.monotonic_ns() + PAUSE_NS,
            lambda: self._reactor.modify(self._listener.fileno(), EPOLLIN),
        )

    def _drop(self, client: Client) -> None:
        if self.clients.get(client.fd) is client:  # its number may be another's by now
            del self.clients[client.fd]
            self._reactor.unregister(client.fd)
            client.sock.close()
            if client.abandon is not None:
                client.abandon()
            self._changed()

    def _readable(self, client: Client, _events: int) -> None:
        rights: list[tuple[int, int, bytes]] = []
        try:
            message, rights, _flags, _address = client.sock.recvmsg(
                abi.REQUEST.size + abi.DATA_MAX + 1, RIGHTS_ROOM, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if rights:
            if self._with_descriptors(client, message, descriptors_of(rights)):
                return
            self.counters["bad_requests"] += 1
            message = b""
        if not message:
            self._drop(client)
            return
        size = abi.REQUEST.size
        if len(message) < size or client.busy:
            self.counters["bad_requests"] += 1
            self._drop(client)
            return
        version, op, ident, a, b, c, length = abi.REQUEST.unpack_from(message)
        if version != abi.VERSION:
            self._reply(client, op, -1, errno.EPROTO)
        elif length != len(message) - size or op not in OPS:
            self.counters["bad_requests"] += 1
            self._reply(client, op, -1, errno.EINVAL)
        elif op in LINE_OPS:
            self._forward(client, op, ident, a, b, c, message[size:], None)
        elif op == Op.STATUS:
            self._send_status(client)
        elif op == Op.STOP:
            self._reply(client, op, 0, 0)
            self._stop()
        else:  # ADOPT or APP, but nothing came with it
            self._reply(client, op, -1, errno.EINVAL)

    def _with_descriptors(self, client: Client, message: bytes, fds: list[int]) -> bool:
        """ADOPT, APP, and PASSING requests; what else comes with descriptors is nonsense."""
        size = abi.REQUEST.size
        if len(message) >= size:
            version, op, ident, a, b, c, length = abi.REQUEST.unpack_from(message)
            legal = version == abi.VERSION and length == len(message) - size
            if legal and op == Op.ADOPT and len(fds) == 1 and not length:
                return self._adopt(client, fds[0])
            if legal and op == Op.APP and len(fds) == APP_FDS and not client.busy:
                self._app(client, message[size:], fds)
                return True
            if legal and op in PASSING and len(fds) == 1 and not client.busy:
                try:
                    program = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fds[0])
                except OSError:  # not a socket
                    os.close(fds[0])
                    self._reply(client, op, -1, errno.EINVAL)
                    return True
                self._forward(client, op, ident, a, b, c, message[size:], program)
                return True
        for fd in fds:
            os.close(fd)
        return False

    def _adopt(self, door: Client, fd: int) -> bool:
        try:
            sock = socket.socket(fileno=fd)
        except OSError:  # not a socket
            os.close(fd)
            return False
        if (sock.family, sock.type) != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
            sock.close()
            return False
        self._welcome(Client(sock, door))
        return True

    def _app(self, client: Client, data: bytes, fds: list[int]) -> None:
        client.busy = True

        def done(result: int, error: int, text: bytes) -> None:
            client.busy = False
            client.abandon = None
            self._reply(client, Op.APP, result, error, text[: abi.DATA_MAX])

        try:
            client.abandon = self._start_app(data, fds, done)
        except OSError as error:
            done(-1, error.errno or errno.EIO, str(error.strerror).encode())

    def _forward(
        self, client: Client, op: int, ident: bytes, a: int, b: int, c: int, data: bytes,
        program: socket.socket | None,
    ) -> None:  # fmt: skip
        client.busy = True

        def done(result: int, error: int, data: bytes, channel: Channel | None) -> None:
            client.busy = False
            client.abandon = None
            end = channel.program.sock if channel is not None else None
            self._reply(client, op, result, error, data, end)

        try:
            reqno = self._request(op, ident, a, b, c, data, client.pid, program, done)
        except OSError as error:
            client.busy = False
            self._reply(client, op, -1, error.errno or errno.EIO)
        else:
            if client.busy:
                client.abandon = partial(self._abandon, reqno)

    def _reply(
        self, client: Client, op: int, result: int, error: int, data: bytes = b"",
        end: socket.socket | int | None = None,
    ) -> None:  # fmt: skip
        message = abi.REPLY.pack(abi.VERSION, op, result, error, len(data)) + data
        try:
            if end is None:
                client.sock.send(message)
            else:
                fd = end if isinstance(end, int) else end.fileno()
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", [fd]))]
                client.sock.sendmsg([message], rights)
        except OSError:
            self._drop(client)  # it went away, or does not read: its request is lost with it

    def _send_status(self, client: Client) -> None:
        """JSON of any size, in a memory file."""
        fd = os.memfd_create("minion-status", os.MFD_CLOEXEC)
        try:
            with open(fd, "wb", closefd=False) as file:
                file.write(self._status())
            os.lseek(fd, 0, os.SEEK_SET)
            self._reply(client, Op.STATUS, 0, 0, b"", fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        for client in list(self.clients.values()):
            self._drop(client)
        self._reactor.unregister(self._listener.fileno())
        self._listener.close()


def descriptors_of(rights: list[tuple[int, int, bytes]]) -> list[int]:
    fds = array("i")
    for _level, _kind, data in rights:
        fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    return list(fds)


OPS = frozenset(int(op) for op in Op)
