"""The data calls of socket.socket: the kernel does the work, an EOF or an error is explained."""

from __future__ import annotations

import errno
import select
import socket
import time
from _socket import socket as _Base  # its methods are what was there before
from array import array
from collections.abc import Iterable
from contextlib import suppress
from fcntl import ioctl
from operator import index
from termios import FIONREAD
from typing import IO, NoReturn, TypeVar

from _minionsocket import ffi, lib

from minionsocket.arguments import checked
from minionsocket.calls import check, error, is_ours
from minionsocket.methods import connect_raw, packed, wait

Buffer = bytes | bytearray | memoryview
Ancillary = list[tuple[int, int, bytes]]
T = TypeVar("T")
MSG_FASTOPEN, TCP_CM_INQ = 0x20000000, 36

_LOSS = (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN)
_sendfile = socket.socket.sendfile


def _announce(self: socket.socket, flags: int, *data: Buffer) -> None:
    """MSG_MORE has no place in the channel: the minion is told beforehand."""
    if flags & socket.MSG_MORE:
        lib.minion_more(self.fileno(), sum(memoryview(piece).nbytes for piece in data))


def _written(self: socket.socket, flags: int, count: int, *data: Buffer) -> int:
    if flags & socket.MSG_MORE and count != sum(memoryview(piece).nbytes for piece in data):
        lib.minion_more(self.fileno(), 0)
    return count


def _refuse_urgent(self: socket.socket, flags: int, code: int) -> None:
    """Urgent data is not sent (EOPNOTSUPP), and never there (EINVAL)."""
    if flags & socket.MSG_OOB and is_ours(self):
        raise error(code)


def _unusual(self: socket.socket, flags: int) -> bool:
    """What the kernel's channel does not know as TCP does (libminion's unusual.c, reading.c)."""
    waits = flags & socket.MSG_PEEK and flags & socket.MSG_WAITALL
    return bool(lib.minion_reads(self.fileno())) or (
        bool(flags & socket.MSG_TRUNC or waits) and is_ours(self)
    )


def _receive(self: socket.socket, buffer: Buffer, nbytes: int, flags: int) -> int:
    limit = self.gettimeout()
    if limit and not wait(self, select.POLLIN, time.monotonic() + limit):
        raise TimeoutError("timed out")
    room = ffi.from_buffer(buffer, require_writable=True)
    while True:
        count = lib.minion_recv(self.fileno(), room, nbytes or len(room), flags)
        if count >= 0 or ffi.errno != errno.EINTR:  # PEP 475
            return check(count)


def _scattered(self: socket.socket, buffers: list[Buffer], flags: int) -> int:
    """As _receive, into several."""
    room = bytearray(sum(memoryview(buffer).nbytes for buffer in buffers))
    count = _receive(self, room, len(room), flags)
    rest = memoryview(room)[:count]
    for buffer in buffers:
        target = memoryview(buffer).cast("B")
        piece = rest[: len(target)]
        target[: len(piece)] = piece
        rest = rest[len(piece) :]
    return count


def _left(self: socket.socket, room: int) -> Ancillary:
    """What TCP_INQ tells (SO_DONTROUTE marks a channel that does: internal.h)."""
    if room < socket.CMSG_SPACE(4) or not _Base.getsockopt(
        self, socket.SOL_SOCKET, socket.SO_DONTROUTE
    ):
        return []
    left = array("i", [0])
    ioctl(self.fileno(), FIONREAD, left, True)
    left[0] += wait(self, select.POLLRDHUP, 0)  # the end is worth a read, too
    return [(socket.IPPROTO_TCP, TCP_CM_INQ, left.tobytes())]


def _ended(self: socket.socket, nothing: T) -> T:
    """`nothing`, if this EOF is one."""
    code = lib.minion_explain(self.fileno(), 0)
    if code:
        raise error(code)
    return nothing


def _lost_reading(self: socket.socket, seen: OSError, nothing: T) -> T:
    if seen.errno == errno.EINVAL and is_ours(self):  # on a socket that is not connected
        code = lib.minion_explain(self.fileno(), 0)
        raise error(code) if code else seen
    if seen.errno not in _LOSS or not is_ours(self):
        raise seen
    return _ended(self, nothing)


def _lost_writing(self: socket.socket, seen: OSError) -> NoReturn:
    if seen.errno not in _LOSS or not is_ours(self):
        raise seen
    raise error(lib.minion_explain(self.fileno(), 1)) from None


def recv(self: socket.socket, bufsize: int, flags: int = 0, /) -> bytes:
    flags = index(flags)
    if flags:
        _refuse_urgent(self, flags, errno.EINVAL)
    if isinstance(bufsize, int) and bufsize >= 0 and _unusual(self, flags):
        room = bytearray(bufsize)
        return bytes(room[: _receive(self, room, bufsize, flags)])
    try:
        data = _Base.recv(self, bufsize, flags)
    except OSError as seen:
        return _lost_reading(self, seen, b"")
    return data if data or not bufsize else _ended(self, data)


def recv_into(self: socket.socket, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
    flags = index(flags)
    if flags:
        _refuse_urgent(self, flags, errno.EINVAL)
    if _unusual(self, flags) and 0 <= nbytes <= memoryview(buffer).nbytes:
        return _receive(self, buffer, nbytes, flags)
    try:
        count = _Base.recv_into(self, buffer, nbytes, flags)
    except OSError as seen:
        return _lost_reading(self, seen, 0)
    return count if count or not memoryview(buffer).nbytes else _ended(self, count)


@checked
def recvfrom(self: socket.socket, bufsize: int, flags: int = 0, /) -> tuple[bytes, object]:
    if is_ours(self):
        if index(bufsize) < 0:
            raise ValueError("negative")
        return recv(self, bufsize, flags), None  # TCP tells no address
    return _Base.recvfrom(self, bufsize, flags)


@checked
def recvfrom_into(
    self: socket.socket, buffer: Buffer, nbytes: int = 0, flags: int = 0
) -> tuple[int, object]:
    if is_ours(self):
        room = memoryview(buffer)
        if room.readonly or not room.c_contiguous or not 0 <= index(nbytes) <= room.nbytes:
            raise ValueError("no room")
        return recv_into(self, buffer, nbytes, flags), None
    return _Base.recvfrom_into(self, buffer, nbytes, flags)


@checked
def recvmsg(
    self: socket.socket, bufsize: int, ancbufsize: int = 0, flags: int = 0, /
) -> tuple[bytes, Ancillary, int, object]:
    _refuse_urgent(self, flags, errno.EINVAL)
    if not is_ours(self):
        return _Base.recvmsg(self, bufsize, ancbufsize, flags)
    if bufsize >= 0 and _unusual(self, flags):
        room = bytearray(bufsize)
        count = _receive(self, room, bufsize, flags)
        return bytes(room[:count]), _left(self, ancbufsize), 0, None
    try:
        data, ancillary, got, _ = _Base.recvmsg(self, bufsize, ancbufsize, flags)
    except OSError as seen:
        data, ancillary, got = _lost_reading(self, seen, b""), [], 0
    else:
        ancillary += _left(self, ancbufsize)
        if not data and bufsize:
            _ended(self, data)
    return data, ancillary, got, None


@checked
def recvmsg_into(
    self: socket.socket, buffers: Iterable[Buffer], ancbufsize: int = 0, flags: int = 0, /
) -> tuple[int, Ancillary, int, object]:
    _refuse_urgent(self, flags, errno.EINVAL)
    if not is_ours(self):
        return _Base.recvmsg_into(self, buffers, ancbufsize, flags)
    room = list(buffers)
    if _unusual(self, flags):
        return _scattered(self, room, flags), _left(self, ancbufsize), 0, None
    try:
        count, ancillary, got, _ = _Base.recvmsg_into(self, room, ancbufsize, flags)
    except OSError as seen:
        count, ancillary, got = _lost_reading(self, seen, 0), [], 0
    else:
        ancillary += _left(self, ancbufsize)
        if not count and any(memoryview(buffer).nbytes for buffer in room):
            _ended(self, count)
    return count, ancillary, got, None


def send(self: socket.socket, data: Buffer, flags: int = 0, /) -> int:
    flags = index(flags)
    _refuse_urgent(self, flags, errno.EOPNOTSUPP)
    _announce(self, flags, data)
    try:
        return _written(self, flags, _Base.send(self, data, flags), data)
    except OSError as seen:
        _lost_writing(self, seen)


def sendall(self: socket.socket, data: Buffer, flags: int = 0, /) -> None:
    flags = index(flags)
    _refuse_urgent(self, flags, errno.EOPNOTSUPP)
    _announce(self, flags, data)
    try:
        return _Base.sendall(self, data, flags)
    except OSError as seen:
        _lost_writing(self, seen)


def _fast_open(self: socket.socket, raw: bytes) -> None:
    code = connect_raw(self, raw)
    if code is None:
        raise TimeoutError("timed out")
    if code:
        raise error(code)


def _checked(ancillary: Iterable[tuple[int, int, Buffer]]) -> None:
    """TypeError, ValueError: what CPython's parser says of it, on a socket that goes nowhere."""
    items = list(ancillary)
    if items:
        nowhere = _Base(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            with suppress(OSError):
                nowhere.sendmsg([], items, socket.MSG_NOSIGNAL)
        finally:
            nowhere.close()


@checked
def sendto(self: socket.socket, data: Buffer, *where: object) -> int:
    """sendto(data, address) or sendto(data, flags, address)."""
    if len(where) in (1, 2) and is_ours(self):
        flags = where[0] if len(where) == 2 else 0
        if not isinstance(flags, int):
            raise TypeError(f"'{type(flags).__name__}' object cannot be interpreted as an integer")
        raw = packed("sendto", where[-1])
        if flags & MSG_FASTOPEN:
            _fast_open(self, raw)
        return send(self, data, flags & ~MSG_FASTOPEN)  # TCP ignores the address
    return _Base.sendto(self, data, *where)  # type: ignore[call-overload, no-any-return]  # C checks


@checked
def sendmsg(
    self: socket.socket,
    buffers: Iterable[Buffer],
    ancdata: Iterable[tuple[int, int, Buffer]] = (),
    flags: int = 0,
    address: object = None,
    /,
) -> int:
    _refuse_urgent(self, flags, errno.EOPNOTSUPP)
    try:
        if is_ours(self):  # neither an address nor ancillary data goes over TCP
            buffers = list(buffers)
            _checked(ancdata)
            if address is not None:
                raw = packed("sendmsg", address)
                if flags & MSG_FASTOPEN:
                    _fast_open(self, raw)
                    flags &= ~MSG_FASTOPEN
            _announce(self, flags, *buffers)
            return _written(self, flags, _Base.sendmsg(self, buffers, (), flags), *buffers)
        return _Base.sendmsg(self, buffers, ancdata, flags, address)  # type: ignore[arg-type]  # C checks
    except OSError as seen:
        _lost_writing(self, seen)


def sendfile(
    self: socket.socket, file: IO[bytes], offset: int = 0, count: int | None = None
) -> int:
    try:
        return _sendfile(self, file, offset, count)
    except OSError as seen:
        _lost_writing(self, seen)
