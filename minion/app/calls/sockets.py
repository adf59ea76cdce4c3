"""The socket calls."""

from __future__ import annotations

from errno import EAFNOSUPPORT, EINPROGRESS, EINVAL, EMSGSIZE, ENOTCONN, EOPNOTSUPP
from functools import partial
from struct import Struct, pack
from typing import TYPE_CHECKING, Final

from minion.app.calls.files import patiently, room, scatter, time_limit, vectors, write_all
from minion.app.files import O_NONBLOCK, SO_RCVTIMEO, SO_SNDTIMEO
from minion.app.process import Thread
from minion.app.socketfile import (
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    Address,
    SocketFile,
)
from minion.app.sockets import make_socket
from stack.socket import constants as c

if TYPE_CHECKING:
    from minion.app.calls.table import Call

SOCK_TYPE: Final = 0xF
SOCK_CLOEXEC: Final = 0o2000000
MSG_DONTWAIT: Final = 0x40
MSG_OOB: Final = 1
MSGHDR: Final = Struct("<QIxxxxQQQQIxxxx")
"""name, namelen, iov, iovlen, control, controllen, flags"""
MMSGHDR_BYTES: Final = 64
DATA_MAX: Final = 65536
OPTION_MAX: Final = 4096
TIMEVAL: Final = Struct("<qq")


def parse_address(thread: Thread, addr: int, length: int) -> Address:
    """struct sockaddr_in.  EINVAL, EAFNOSUPPORT, EFAULT."""
    length &= 0xFFFF_FFFF
    if length < 2 or length > 128:
        raise OSError(EINVAL, "address length")
    raw = thread.app.space.read(addr, length)
    if int.from_bytes(raw[:2], "little") != c.AF_INET:
        raise OSError(EAFNOSUPPORT, "not an IPv4 address")
    if length < 16:
        raise OSError(EINVAL, "address too short")
    return int.from_bytes(raw[4:8], "big"), int.from_bytes(raw[2:4], "big")


def sockaddr(address: Address) -> bytes:
    ip, port = address
    return pack("<H", c.AF_INET) + port.to_bytes(2, "big") + ip.to_bytes(4, "big") + bytes(8)


def put_address(thread: Thread, address: Address, addr: int, length_addr: int) -> None:
    """Into the room the app has; the true length is told."""
    if not addr:
        return
    space = thread.app.space
    room = space.word(length_addr, 4)
    if room >> 31:
        raise OSError(EINVAL, "negative length")
    raw = sockaddr(address)
    space.write(addr, raw[:room])
    space.put(length_addr, len(raw), 4)


def socket(thread: Thread, domain: int, kind: int, protocol: int, *_: int) -> int:
    if kind & ~(SOCK_TYPE | SOCK_CLOEXEC | O_NONBLOCK):
        raise OSError(EINVAL, "socket type")
    app = thread.app
    file = make_socket(app.kernel.net, domain, kind & SOCK_TYPE, protocol)
    file.nonblocking = bool(kind & O_NONBLOCK)
    return app.files.add(file, bool(kind & SOCK_CLOEXEC))


def bind(thread: Thread, fd: int, addr: int, length: int, *_: int) -> int:
    thread.app.files.socket(fd).bind(parse_address(thread, addr, length))
    return 0


def listen(thread: Thread, fd: int, backlog: int, *_: int) -> int:
    signed = backlog & 0xFFFF_FFFF
    thread.app.files.socket(fd).listen(0 if signed >> 31 else signed)
    return 0


async def accept4(thread: Thread, fd: int, addr: int, length: int, flags: int, *_: int) -> int:
    if flags & ~(SOCK_CLOEXEC | O_NONBLOCK):
        raise OSError(EINVAL, "accept4: flags")
    sock = thread.app.files.socket(fd)
    thread.app.files.check_room()
    until = time_limit(thread, sock, SO_RCVTIMEO)
    child = await patiently(thread, sock, sock.accept, deadline_ns=until)
    child.nonblocking = bool(flags & O_NONBLOCK)
    made = thread.app.files.add(child, bool(flags & SOCK_CLOEXEC))
    try:
        put_address(thread, child.getpeername(), addr, length)
    except OSError as error:
        if error.errno != ENOTCONN:  # already gone again: its peer is not known any more
            thread.app.files.close(made)
            raise
    return made


async def accept(thread: Thread, fd: int, addr: int, length: int, *_: int) -> int:
    return await accept4(thread, fd, addr, length, 0)


async def connect(thread: Thread, fd: int, addr: int, length: int, *_: int) -> int:
    sock = thread.app.files.socket(fd)
    if length >= 2 and thread.app.space.word(addr, 2) == c.AF_UNSPEC:
        sock.disconnect()
        return 0
    try:
        sock.connect(parse_address(thread, addr, length))
        return 0
    except BlockingIOError:
        if sock.nonblocking:
            raise
    try:
        until = time_limit(thread, sock, SO_SNDTIMEO)
        await patiently(thread, sock, sock.connect_result, deadline_ns=until)
    except OSError as error:
        if error.errno == 11:  # the time is up, the attempt goes on
            raise OSError(EINPROGRESS, "connecting") from None
        raise
    return 0


def getsockname(thread: Thread, fd: int, addr: int, length: int, *_: int) -> int:
    put_address(thread, thread.app.files.socket(fd).getsockname(), addr, length)
    return 0


def getpeername(thread: Thread, fd: int, addr: int, length: int, *_: int) -> int:
    put_address(thread, thread.app.files.socket(fd).getpeername(), addr, length)
    return 0


def shutdown(thread: Thread, fd: int, how: int, *_: int) -> int:
    thread.app.files.socket(fd).shutdown(how)
    return 0


def setsockopt(
    thread: Thread, fd: int, level: int, name: int, addr: int, size: int, *_: int
) -> int:
    sock = thread.app.files.socket(fd)
    if size & 0xFFFF_FFFF > OPTION_MAX:
        raise OSError(EINVAL, "option too long")
    value = thread.app.space.read(addr, size & 0xFFFF_FFFF)
    if level == c.SOL_SOCKET and name in sock.timeouts_ns:
        if len(value) < TIMEVAL.size:
            raise OSError(EINVAL, "struct timeval too short")
        seconds, micro = TIMEVAL.unpack_from(value)
        if not 0 <= micro < 1_000_000:
            raise OSError(33, "bad microseconds")  # EDOM
        sock.timeouts_ns[name] = max(0, seconds * 1_000_000_000 + micro * 1000)
    else:
        sock.setsockopt(level, name, value)
    return 0


def getsockopt(
    thread: Thread, fd: int, level: int, name: int, addr: int, size: int, *_: int
) -> int:
    sock, space = thread.app.files.socket(fd), thread.app.space
    room = space.word(size, 4)
    if room >> 31:
        raise OSError(EINVAL, "negative length")
    if level == c.SOL_SOCKET and name in sock.timeouts_ns:
        seconds, rest = divmod(sock.timeouts_ns[name], 1_000_000_000)
        value = TIMEVAL.pack(seconds, rest // 1000)[:room]
    else:
        value = sock.getsockopt(level, name, room)
    space.write(addr, value)
    space.put(size, len(value), 4)
    return 0


# -- data


async def send_parts(
    thread: Thread, sock: SocketFile, parts: list[tuple[int, int]], flags: int, to: Address | None
) -> int:
    if flags & MSG_OOB:
        raise OSError(EOPNOTSUPP, "no urgent data")
    nonblocking = bool(flags & MSG_DONTWAIT)
    until = time_limit(thread, sock, SO_SNDTIMEO)
    if sock.kind == c.SOCK_STREAM:
        if not any(length for _, length in parts):
            return sock.send(b"", to)
        return await write_all(
            thread, sock, parts, lambda data: sock.send(data, to), nonblocking, until
        )
    if sum(length for _, length in parts) > DATA_MAX:
        raise OSError(EMSGSIZE, "datagram too long")
    message = b"".join(thread.app.space.read(addr, length) for addr, length in parts)
    return await patiently(thread, sock, lambda: sock.send(message, to), nonblocking, until)


async def recv_parts(
    thread: Thread, sock: SocketFile, parts: list[tuple[int, int]], flags: int
) -> tuple[int, Address | None, bool]:
    """(length, source, whether the message was cut)."""
    if flags & MSG_OOB:
        raise OSError(EINVAL, "no urgent data")
    stream = sock.kind == c.SOCK_STREAM
    wanted = room(thread, parts) if stream else sum(length for _, length in parts)
    length = min(wanted, DATA_MAX << 4)
    nonblocking = bool(flags & MSG_DONTWAIT)
    until = time_limit(thread, sock, SO_RCVTIMEO)
    data, source, whole = await patiently(
        thread, sock, lambda: sock.recv(length, flags), nonblocking, until
    )
    wait_all = stream and flags & MSG_WAITALL and not flags & (MSG_PEEK | MSG_DONTWAIT)
    while wait_all and data and len(data) < length and not sock.nonblocking:
        more = partial(sock.recv, length - len(data), flags)
        try:
            rest, _, _ = await patiently(thread, sock, more, False, until)
        except OSError:
            break
        if not rest:
            break
        data += rest
    scatter(thread, data, parts)
    if flags & MSG_TRUNC and not stream:
        return whole, source, whole > len(data)
    return len(data), source, not stream and whole > len(data)


async def sendto(
    thread: Thread, fd: int, addr: int, length: int, flags: int, to: int, to_length: int
) -> int:
    sock = thread.app.files.socket(fd)
    target = parse_address(thread, to, to_length) if to else None
    return await send_parts(thread, sock, [(addr, length)], flags, target)


async def recvfrom(
    thread: Thread, fd: int, addr: int, length: int, flags: int, source: int, source_length: int
) -> int:
    sock = thread.app.files.socket(fd)
    count, address, _cut = await recv_parts(thread, sock, [(addr, length)], flags)
    if source and address is not None:
        put_address(thread, address, source, source_length)
    elif source:
        thread.app.space.put(source_length, 0, 4)
    return count


async def sendmsg(thread: Thread, fd: int, addr: int, flags: int, *_: int) -> int:
    sock = thread.app.files.socket(fd)
    name, namelen, iov, iovlen, _control, controllen, _ = MSGHDR.unpack(
        thread.app.space.read(addr, MSGHDR.size)
    )
    if controllen:
        raise OSError(EINVAL, "no ancillary data")
    target = parse_address(thread, name, namelen) if name else None
    return await send_parts(thread, sock, vectors(thread, iov, iovlen), flags, target)


async def recvmsg(thread: Thread, fd: int, addr: int, flags: int, *_: int) -> int:
    sock, space = thread.app.files.socket(fd), thread.app.space
    name, namelen, iov, iovlen, *_rest = MSGHDR.unpack(space.read(addr, MSGHDR.size))
    count, source, cut = await recv_parts(thread, sock, vectors(thread, iov, iovlen), flags)
    raw = sockaddr(source) if source is not None else b""
    if name:
        space.write(name, raw[:namelen])
    space.put(addr + 8, len(raw) if name else 0, 4)
    space.put(addr + 40, 0)  # no ancillary data
    space.put(addr + 48, MSG_TRUNC if cut else 0, 4)
    return count


async def sendmmsg(thread: Thread, fd: int, addr: int, count: int, flags: int, *_: int) -> int:
    """glibc's resolver sends its two questions with it."""
    done = 0
    for n in range(min(count, 1024)):
        at = addr + n * MMSGHDR_BYTES
        try:
            sent = await sendmsg(thread, fd, at, flags)
        except OSError:
            if done:
                break
            raise
        thread.app.space.put(at + 56, sent, 4)
        done += 1
    return done


def socketpair(_thread: Thread, *_: int) -> int:
    raise OSError(EAFNOSUPPORT, "no local sockets: use a pipe, or TCP on 127.0.0.1")


TABLE: Final[dict[int, Call]] = {
    198: socket,
    199: socketpair,
    200: bind,
    201: listen,
    202: accept,
    203: connect,
    204: getsockname,
    205: getpeername,
    206: sendto,
    207: recvfrom,
    208: setsockopt,
    209: getsockopt,
    210: shutdown,
    211: sendmsg,
    212: recvmsg,
    242: accept4,
    269: sendmmsg,
}
