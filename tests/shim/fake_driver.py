"""A driver without a minion: speaks abi.h, and its TCP is the host's.  A test double, nothing else.

    python fake_driver.py CONTROL     prints "ready" when it listens; ends by SIGTERM

Threads and blocking calls throughout: it shall be obviously right, not fast.
"""

from __future__ import annotations

import array
import errno
import os
import secrets
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from cffi import FFI

ABI = Path(__file__).resolve().parents[2] / "shim" / "libminion" / "abi.h"
ffi = FFI()
ffi.cdef(ABI.read_text())
C: Any = ffi.dlopen(None)  # the enums

NAMES = {b"one.test": ["127.0.0.1"], b"many.test": ["127.0.0.1", "127.0.0.2", "127.0.0.3"]}
HOSTS = {"127.0.0.9": b"nine.test"}
HANG = "192.0.2.1"  # connecting there never ends (RFC 5737: nobody has this address)
FILL = b"\0" * 65536
WATCH_S = (
    0.2  # how often a socket's watcher looks whether it is still there, or others look after it
)


def sockaddr(address: tuple[str, int]) -> bytes:
    return struct.pack("=H", socket.AF_INET) + struct.pack(
        "!H4s8x", address[1], socket.inet_aton(address[0])
    )


def tuple_of(raw: bytes) -> tuple[str, int]:
    port, host = struct.unpack_from("!H4s", raw, 2)
    return socket.inet_ntoa(host), port


class Rendezvous:
    """Connects a program's end, in place, to one of ours."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        Path(path).unlink(missing_ok=True)
        self.listener.bind(path)
        self.listener.listen(64)
        self.lock = threading.Lock()

    def pair(self, far: socket.socket) -> socket.socket:
        with self.lock:
            far.connect(self.path)
            return self.listener.accept()[0]


rendezvous: Rendezvous


class Proxied:
    """One socket: the host's, and the minion's end of its channel, when there is one."""

    def __init__(self, table: dict[bytes, Proxied], control: bytes, host: socket.socket) -> None:
        self.table, self.control, self.host = table, control, host
        self.near: socket.socket | None = None
        self.error = 0
        self.fate = C.MINION_FATE_UNCONNECTED
        self.lock = threading.Lock()
        self.filled = 0
        self.far = self.end(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))

    def end(self, far: socket.socket) -> socket.socket:
        """A name for the program's end."""
        self.id = secrets.token_urlsafe(12).encode()
        self.name = b"\0minion-s" + self.id + b":" + self.control
        far.bind(self.name)
        self.table[self.id] = self
        return far

    def accepted(self) -> None:
        self.far.close()
        self.near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.far = self.end(far)
        self.near.send(b"\0")  # taken by accept()

    def pair(self, far: socket.socket, fill: bool) -> None:
        if self.near is not None:
            return
        self.near = rendezvous.pair(far)
        while fill:
            try:
                self.filled += far.send(FILL, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break

    def drain(self) -> None:
        if self.filled and self.near is not None:
            self.near.recv(self.filled, socket.MSG_WAITALL)
        self.filled = 0

    def renew(self) -> socket.socket:
        """Another end, for a channel that has ended."""
        self.near = None
        self.filled = 0
        self.host.close()
        self.host = host_socket()
        self.fate = C.MINION_FATE_UNCONNECTED
        return self.end(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))

    def connected(self) -> None:
        self.fate = C.MINION_FATE_OPEN
        self.host.setblocking(True)
        self.drain()
        self.reader = threading.Thread(target=self.inwards, daemon=True)
        self.reader.start()
        threading.Thread(target=self.outwards, daemon=True).start()

    def failed(self, error: int) -> None:
        with self.lock:
            if not self.error:
                self.error = error
            self.mark(b"err-")
            self.hang_up()

    def hang_up(self) -> None:
        near = self.near
        if near is not None:
            near.shutdown(socket.SHUT_RDWR)  # wakes our threads
            near.close()

    def mark(self, what: bytes) -> None:
        assert self.near is not None
        try:
            self.near.bind(b"\0minion=" + what + self.id)
        except OSError:
            pass  # marked before

    def shut(self, how: int) -> None:
        assert self.near is not None
        try:
            self.near.shutdown(how)
        except OSError:
            pass  # the program has gone

    def inwards(self) -> None:
        near = self.near
        assert near is not None
        try:
            while data := self.host.recv(65536):
                near.sendall(data)
        except BrokenPipeError:
            return
        except OSError as e:
            self.failed(e.errno or errno.EIO)
            return
        with self.lock:
            self.mark(b"fin-")
            self.shut(socket.SHUT_WR)

    def outwards(self) -> None:
        near = self.near
        assert near is not None
        reset = False
        try:
            while data := near.recv(65536):
                try:
                    self.host.sendall(data)
                except OSError as e:
                    self.failed(e.errno or errno.EIO)
                    return
        except ConnectionResetError:
            reset = True
        except OSError:
            return  # hung up meanwhile
        if self.error or self.fate == C.MINION_FATE_RESET:
            return
        if reset:  # closed with data unread: RFC 2525
            self.linger(struct.pack("ii", 1, 0))
        gone = select.poll()
        gone.register(near, 0)
        if not reset and not gone.poll(0):
            self.host.shutdown(socket.SHUT_WR)
            gone.poll()  # POLLHUP: the last descriptor is closed
        self.close()

    def linger(self, value: bytes) -> None:
        try:
            self.host.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, value)
        except OSError:
            pass  # it has gone as well

    def close(self) -> None:
        if self.fate == C.MINION_FATE_OPEN and not self.error and not self.exists():
            self.table.pop(self.id, None)  # else: what became of it is kept by id
        try:
            self.host.shutdown(socket.SHUT_RD)  # wakes inwards, sends nothing
        except OSError:
            pass
        self.reader.join()
        self.host.close()  # FIN, or RST: as SO_LINGER says

    def watched(self) -> None:
        """Until the program has closed it: a socket that has no other thread to notice."""
        while self.exists():
            time.sleep(WATCH_S)  # a test double may poll
            if self.fate == C.MINION_FATE_OPEN:
                return  # its reader and writer look after it
        self.table.pop(self.id, None)
        try:
            self.host.shutdown(socket.SHUT_RDWR)  # wakes accepting
        except OSError:
            pass  # it was not listening
        self.host.close()

    def exists(self) -> bool:
        """A name can be bound to only while nobody has it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(self.name)
            except OSError:
                return True
        return False

    def accepting(self) -> None:
        while True:
            try:
                host, peer = self.host.accept()
            except OSError:
                return
            new = Proxied(self.table, self.control, host)
            new.accepted()
            message: Any = ffi.new("struct minion_accept *", {"abi": C.MINION_ABI})
            message.peer = sockaddr(peer)
            message.local = sockaddr(host.getsockname())
            rights = array.array("i", [new.far.fileno()])
            new.connected()
            assert self.near is not None
            self.near.sendmsg(
                [bytes(ffi.buffer(message))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
            )
            new.far.close()


Answer = bytes | socket.socket | int | tuple[int, bytes]  # data, a descriptor, result, or both


class Renewed(OSError):
    """An error that comes with a descriptor."""

    def __init__(self, number: int, fresh: socket.socket) -> None:
        super().__init__(number, "renewed")
        self.fresh = fresh


class Head(Protocol):
    """struct minion_request"""

    abi: int
    op: int
    id: Any
    a: int
    b: int
    c: int
    len: int


class Server:
    """One control connection."""

    def __init__(self, control: bytes, table: dict[bytes, Proxied], conn: socket.socket) -> None:
        self.control, self.table, self.conn = control, table, conn
        self.passed: socket.socket | None = None

    def start(self) -> None:
        threading.Thread(target=self.run, daemon=True).start()

    def run(self) -> None:
        size = ffi.sizeof("struct minion_request")
        with self.conn:
            while True:
                message, rights, _, _ = socket.recv_fds(self.conn, size + C.MINION_DATA_MAX, 1)
                if not message:
                    return
                head: Any = ffi.from_buffer("struct minion_request *", message)
                data = message[size:]
                assert head.abi == C.MINION_ABI
                assert head.len == len(data)
                if head.op == C.MINION_ADOPT:
                    Server(self.control, self.table, socket.socket(fileno=rights[0])).start()
                    continue
                self.passed = socket.socket(fileno=rights[0]) if rights else None
                reply: Any = ffi.new("struct minion_reply *", {"abi": C.MINION_ABI, "op": head.op})
                fds: list[int] = []
                answer: Answer
                try:
                    answer = self.OPS[head.op](self, head, data)
                except OSError as e:
                    reply.result, reply.error = -1, e.errno or errno.EIO
                    answer = e.fresh if isinstance(e, Renewed) else b""
                if self.passed is not None:
                    self.passed.close()
                payload = b""
                if isinstance(answer, socket.socket):
                    fds = [answer.fileno()]
                elif isinstance(answer, int):
                    reply.result = answer
                elif isinstance(answer, tuple):
                    reply.result, payload = answer
                else:
                    payload = answer
                reply.len = len(payload)
                sent = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))]
                self.conn.sendmsg([bytes(ffi.buffer(reply)) + payload], sent if fds else [])
                if isinstance(answer, socket.socket):
                    answer.close()

    def sock(self, head: Head) -> Proxied:
        found = self.table.get(bytes(ffi.buffer(head.id)))
        if not found:
            raise OSError(errno.EBADF, "unknown id")
        return found

    def on_socket(self, head: Head, data: bytes) -> socket.socket:
        assert (head.a, head.b) == (socket.AF_INET, socket.SOCK_STREAM)
        new = Proxied(self.table, self.control, host_socket())
        threading.Thread(target=new.watched, daemon=True).start()
        return new.far

    def on_bind(self, head: Head, data: bytes) -> int:
        self.sock(head).host.bind(tuple_of(data))
        return 0

    def on_listen(self, head: Head, data: bytes) -> int:
        s = self.sock(head)
        s.host.listen(head.a)
        if s.near is None:
            assert self.passed is not None
            s.pair(self.passed, fill=True)
            threading.Thread(target=s.accepting, daemon=True).start()
        return 0

    def on_connect(self, head: Head, data: bytes) -> int:
        s = self.sock(head)
        assert self.passed is not None
        if head.a & C.MINION_ASK:
            s.pair(self.passed, fill=True)
            raise OSError(errno.EALREADY, "it goes on")
        address = tuple_of(data)
        nonblocking = bool(head.a & C.MINION_NONBLOCK)
        if s.near is not None and s.fate != C.MINION_FATE_OPEN and (s.error or not s.filled):
            error, s.error = s.error or errno.ECONNABORTED, 0  # of the attempt before
            raise Renewed(error, s.renew())
        if address[0] == HANG:
            if nonblocking:
                s.pair(self.passed, fill=True)
                raise OSError(errno.EINPROGRESS, "for ever")
            poll = select.poll()
            poll.register(self.conn, select.POLLRDHUP)
            poll.poll()  # until the client gives up
            return 0
        if nonblocking:
            s.host.setblocking(False)
            error = s.host.connect_ex(address)
            if error == errno.EINPROGRESS:
                s.pair(self.passed, fill=True)
                threading.Thread(target=self.finish, args=(s,), daemon=True).start()
            if error:
                raise OSError(error, "connect")
        else:
            s.host.connect(address)
        s.pair(self.passed, fill=False)
        s.connected()
        return 0

    def finish(self, s: Proxied) -> None:
        poll = select.poll()
        poll.register(s.host, select.POLLOUT)
        poll.poll()
        error = s.host.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            s.failed(error)  # kept before POLLOUT and POLLHUP rise: SO_ERROR must find it
        else:
            s.connected()

    def on_getsockname(self, head: Head, data: bytes) -> bytes:
        return sockaddr(self.sock(head).host.getsockname())

    def on_getpeername(self, head: Head, data: bytes) -> bytes:
        return sockaddr(self.sock(head).host.getpeername())

    def on_getsockopt(self, head: Head, data: bytes) -> bytes:
        return self.sock(head).host.getsockopt(head.a, head.b, head.c)

    def on_setsockopt(self, head: Head, data: bytes) -> int:
        self.sock(head).host.setsockopt(head.a, head.b, data)
        return 0

    def on_shutdown(self, head: Head, data: bytes) -> int:
        s = self.sock(head)
        s.host.getpeername()  # ENOTCONN; the channel's EOF does the rest
        if head.a != socket.SHUT_WR:
            s.host.shutdown(socket.SHUT_RD)
        return 0

    def on_ioctl(self, head: Head, data: bytes) -> tuple[int, bytes]:
        assert head.a == 0x5411  # SIOCOUTQ
        assert len(data) == 4
        return 0, struct.pack("i", 7)

    def on_getaddrinfo(self, head: Head, data: bytes) -> tuple[int, bytes]:
        if data not in NAMES:
            return socket.EAI_NONAME, b""
        found = ffi.new("struct minion_address[]", len(NAMES[data]))
        for address, ip in zip(found, NAMES[data], strict=True):
            address.family = socket.AF_INET
            address.addr = socket.inet_aton(ip) + bytes(12)
        return 0, bytes(ffi.buffer(found))

    def on_getnameinfo(self, head: Head, data: bytes) -> tuple[int, bytes]:
        name = HOSTS.get(tuple_of(data)[0])
        return (0, name) if name else (socket.EAI_NONAME, b"")

    def on_error(self, head: Head, data: bytes) -> tuple[int, bytes]:
        s = self.sock(head)
        with s.lock:
            error, fate = s.error, s.fate
            if error:
                s.error, s.fate = 0, C.MINION_FATE_RESET
        return error, struct.pack("=I", fate)

    OPS: dict[int, Callable[[Server, Head, bytes], Answer]] = {
        C.MINION_SOCKET: on_socket,
        C.MINION_BIND: on_bind,
        C.MINION_LISTEN: on_listen,
        C.MINION_CONNECT: on_connect,
        C.MINION_GETSOCKNAME: on_getsockname,
        C.MINION_GETPEERNAME: on_getpeername,
        C.MINION_GETSOCKOPT: on_getsockopt,
        C.MINION_SETSOCKOPT: on_setsockopt,
        C.MINION_SHUTDOWN: on_shutdown,
        C.MINION_IOCTL: on_ioctl,
        C.MINION_GETADDRINFO: on_getaddrinfo,
        C.MINION_GETNAMEINFO: on_getnameinfo,
        C.MINION_ERROR: on_error,
    }


def host_socket() -> socket.socket:
    host = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    host.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return host


def main(control: str) -> None:
    global rendezvous
    rendezvous = Rendezvous(control + ".channels")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(control)
    listener.listen(64)
    table: dict[bytes, Proxied] = {}
    print("ready", flush=True)
    while True:
        conn, _ = listener.accept()
        Server(os.fsencode(control), table, conn).start()


if __name__ == "__main__":
    main(sys.argv[1])
