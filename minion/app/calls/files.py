"""Descriptors: reading and writing, dup, fcntl, ioctl, pipes; and the few paths there are.

There is no file system on the minion yet.  What programs look at when they start is there (TABLE of
`paths.py`); everything else is ENOENT.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import EFAULT, EINVAL, ENOENT, ENOTDIR, ERANGE, EROFS
from functools import partial
from struct import pack, unpack
from typing import TYPE_CHECKING, Final, TypeVar

from minion.app.calls.paths import open_path
from minion.app.files import (
    FILES_MAX,
    O_ACCMODE,
    O_NONBLOCK,
    S_IFREG,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    File,
    Pipe,
)
from minion.app.process import Thread
from minion.app.sleep import attempt

if TYPE_CHECKING:
    from minion.app.calls.table import Call

T = TypeVar("T")
O_CREAT: Final = 0o100
O_CLOEXEC: Final = 0o2000000
AT_FDCWD: Final = -100
AT_EMPTY_PATH: Final = 0x1000
F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC = 0, 1, 2, 3, 4, 1030
FIONBIO, FIOCLEX, FIONCLEX = 0x5421, 0x5451, 0x5450
TCSETS: Final = range(0x5402, 0x5405)
"""TCSETS, TCSETSW, TCSETSF"""
TERMIOS_BYTES: Final = 36
IOV_MAX: Final = 1024
PIECE: Final = 1 << 16
"""A call moves at most this much between two looks at its file."""
RW_MAX: Final = 0x7FFF_F000
STAT_BYTES: Final = 128


def vectors(thread: Thread, addr: int, count: int) -> list[tuple[int, int]]:
    """(address, length) of each iovec.  EINVAL, EFAULT."""
    if count > IOV_MAX:
        raise OSError(EINVAL, "too many iovecs")
    words = unpack(f"<{2 * count}Q", thread.app.space.read(addr, 16 * count))
    found = list(zip(words[::2], words[1::2], strict=True))
    if sum(length for _, length in found) > RW_MAX:
        raise OSError(EINVAL, "iovecs too long")
    return found


def scatter(thread: Thread, data: bytes, parts: list[tuple[int, int]]) -> None:
    at = 0
    for addr, length in parts:
        piece = data[at : at + length]
        if piece:
            thread.app.space.write(addr, piece)
        at += length


def room(thread: Thread, parts: list[tuple[int, int]]) -> int:
    """How much data can be stored, so that no more is taken than that.  EFAULT if none can."""
    found = 0
    for addr, length in parts:
        writable = thread.app.space.writable(addr, length)
        found += writable
        if writable < length:
            if not found:
                raise OSError(EFAULT, "bad address")
            break
    return found


async def patiently(
    thread: Thread,
    file: File,
    call: Callable[[], T],
    nonblocking: bool = False,
    deadline_ns: int | None = None,
) -> T:
    """As attempt; the file stays open meanwhile, whoever closes its descriptor."""
    file.hold()
    try:
        return await attempt(thread.sleeper, file, call, nonblocking, deadline_ns)
    finally:
        file.release()


def time_limit(thread: Thread, file: File, which: int) -> int | None:
    """Until when a call waits: SO_RCVTIMEO, SO_SNDTIMEO."""
    span = file.timeouts_ns[which]
    return thread.sleeper.now() + span if span else None


async def read_into(thread: Thread, file: File, parts: list[tuple[int, int]]) -> int:
    length = min(room(thread, parts), PIECE)
    if not length:
        return 0
    until = time_limit(thread, file, SO_RCVTIMEO)
    data = await patiently(thread, file, lambda: file.read(length), deadline_ns=until)
    scatter(thread, data, parts)
    return len(data)


async def write_all(
    thread: Thread,
    file: File,
    parts: list[tuple[int, int]],
    send: Callable[[bytes], int] | None = None,
    nonblocking: bool = False,
    deadline_ns: int | None = None,
) -> int:
    """All of it, as a blocking write does; what a non-blocking one could."""
    put = send or file.write
    done = 0
    file.hold()
    try:
        for addr, length in parts:
            at = 0
            while at < length:
                data = thread.app.space.read(addr + at, min(PIECE, length - at))
                count = await attempt(
                    thread.sleeper, file, partial(put, data), nonblocking, deadline_ns
                )
                at += count
                done += count
                if done % PIECE < count and done >= PIECE:  # others have a turn, too
                    await thread.app.kernel.hyper.threads.pause()
                    if thread.app.exiting:
                        return done
    except OSError:
        if not done:
            raise
    finally:
        file.release()
    return done


async def read(thread: Thread, fd: int, addr: int, length: int, *_: int) -> int:
    return await read_into(thread, thread.app.files.readable(fd), [(addr, min(length, RW_MAX))])


async def readv(thread: Thread, fd: int, addr: int, count: int, *_: int) -> int:
    return await read_into(thread, thread.app.files.readable(fd), vectors(thread, addr, count))


async def write(thread: Thread, fd: int, addr: int, length: int, *_: int) -> int:
    file = thread.app.files.writable(fd)
    until = time_limit(thread, file, SO_SNDTIMEO)
    return await write_all(thread, file, [(addr, min(length, RW_MAX))], deadline_ns=until)


async def writev(thread: Thread, fd: int, addr: int, count: int, *_: int) -> int:
    file = thread.app.files.writable(fd)
    until = time_limit(thread, file, SO_SNDTIMEO)
    return await write_all(thread, file, vectors(thread, addr, count), deadline_ns=until)


def pread64(thread: Thread, fd: int, addr: int, length: int, offset: int, *_: int) -> int:
    data = thread.app.files.readable(fd).pread(min(length, RW_MAX), offset)
    thread.app.space.write(addr, data)
    return len(data)


def lseek(thread: Thread, fd: int, offset: int, whence: int, *_: int) -> int:
    signed = offset - (1 << 64) if offset >> 63 else offset
    return thread.app.files.get(fd).seek(signed, whence & 0xFFFF_FFFF)


def close(thread: Thread, fd: int, *_: int) -> int:
    thread.app.files.close(fd)
    return 0


def dup(thread: Thread, fd: int, *_: int) -> int:
    files = thread.app.files
    return files.add(files.get(fd))


def dup3(thread: Thread, old: int, new: int, flags: int, *_: int) -> int:
    files = thread.app.files
    file = files.get(old)
    if old == new or flags & ~O_CLOEXEC:
        raise OSError(EINVAL, "dup3")
    files.put(new, file, bool(flags & O_CLOEXEC))
    return new


def pipe2(thread: Thread, addr: int, flags: int, *_: int) -> int:
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        raise OSError(EINVAL, "pipe2")
    files = thread.app.files
    pipe = Pipe()
    pipe.reader.nonblocking = pipe.writer.nonblocking = bool(flags & O_NONBLOCK)
    one = files.add(pipe.reader, bool(flags & O_CLOEXEC))
    try:
        two = files.add(pipe.writer, bool(flags & O_CLOEXEC))
        thread.app.space.write(addr, pack("<ii", one, two))
    except OSError:
        files.close(one)
        raise
    return 0


def fcntl(thread: Thread, fd: int, command: int, arg: int, *_: int) -> int:
    files = thread.app.files
    file = files.get(fd)
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        if arg >= FILES_MAX:
            raise OSError(EINVAL, "no descriptor has that number")
        return files.add(file, command == F_DUPFD_CLOEXEC, arg)
    if command == F_GETFD:
        return int(files.cloexec(fd))
    if command == F_SETFD:
        files.set_cloexec(fd, bool(arg & 1))
        return 0
    if command == F_GETFL:
        return file.access | (O_NONBLOCK if file.nonblocking else 0)
    if command == F_SETFL:
        file.nonblocking = bool(arg & O_NONBLOCK)
        return 0
    raise OSError(EINVAL, "no such fcntl here")


def ioctl(thread: Thread, fd: int, request: int, arg: int, *_: int) -> int:
    files = thread.app.files
    file = files.get(fd)
    request &= 0xFFFF_FFFF
    if request == FIONBIO:
        file.nonblocking = thread.app.space.word(arg, 4) != 0
    elif request in (FIOCLEX, FIONCLEX):
        files.set_cloexec(fd, request == FIOCLEX)
    elif request in TCSETS:
        file.set_terminal(request, thread.app.space.read(arg, TERMIOS_BYTES))
    else:
        answer = file.ioctl(request)
        if answer is not None:
            thread.app.space.write(arg, answer)
    return 0


async def sendfile(thread: Thread, out: int, source: int, offset: int, count: int, *_: int) -> int:
    """From a file with contents; sockets and pipes as a source are EINVAL, as on Linux."""
    files, space = thread.app.files, thread.app.space
    target, file = files.writable(out), files.readable(source)
    if file.mode != S_IFREG:
        raise OSError(EINVAL, "sendfile from no file")
    start = space.word(offset) if offset else file.seek(0, 1)
    done = 0
    while done < count:
        data = file.pread(min(PIECE, count - done), start + done)
        if not data:
            break
        try:
            done += await patiently(thread, target, partial(target.write, data))
        except OSError:
            if not done:
                raise
            break
    if offset:
        space.put(offset, start + done)
    else:
        file.seek(start + done, 0)
    return done


# -- paths


def path_of(thread: Thread, directory: int, addr: int) -> str:
    """An absolute path: everything relative is relative to /, the only directory."""
    text = thread.app.space.string(addr).decode("utf-8", "surrogateescape")
    if not text.startswith("/"):
        at = directory & 0xFFFF_FFFF
        if at != AT_FDCWD & 0xFFFF_FFFF:
            thread.app.files.get(at)  # EBADF
            raise OSError(ENOTDIR, "no directories")
        text = f"/{text}"
    return text


def openat(thread: Thread, directory: int, addr: int, flags: int, *_: int) -> int:
    path = path_of(thread, directory, addr)
    try:
        file = open_path(thread.app, path)
    except OSError:
        if flags & O_CREAT:
            raise OSError(EROFS, "there is no file system to write to") from None
        raise
    if file.mode == S_IFREG and flags & O_ACCMODE:
        raise OSError(EROFS, "read-only")
    file.access = flags & O_ACCMODE
    file.nonblocking = bool(flags & O_NONBLOCK)
    return thread.app.files.add(file, bool(flags & O_CLOEXEC))


def stat_bytes(file: File) -> bytes:
    """struct stat of asm-generic: dev ino mode nlink uid gid rdev, size, blksize, blocks, times."""
    size = file.size_bytes
    head = pack("<QQIIIIQQqiiq", 1, id(file) & 0xFFFF_FFFF, file.mode, 1, 0, 0, 0, 0, size, 4096, 0,
                -(-size // 512))  # fmt: skip
    return head.ljust(STAT_BYTES, b"\0")


def fstat(thread: Thread, fd: int, addr: int, *_: int) -> int:
    thread.app.space.write(addr, stat_bytes(thread.app.files.get(fd)))
    return 0


def fstatat(thread: Thread, directory: int, path: int, addr: int, flags: int, *_: int) -> int:
    space = thread.app.space
    if flags & AT_EMPTY_PATH and not space.string(path):
        return fstat(thread, directory & 0xFFFF_FFFF, addr)
    space.write(addr, stat_bytes(open_path(thread.app, path_of(thread, directory, path))))
    return 0


def faccessat(thread: Thread, directory: int, path: int, *_: int) -> int:
    open_path(thread.app, path_of(thread, directory, path))
    return 0


def readlinkat(thread: Thread, directory: int, path: int, addr: int, room: int, *_: int) -> int:
    if path_of(thread, directory, path) != "/proc/self/exe":
        raise OSError(ENOENT, "no such link")
    if not 0 < room & 0xFFFF_FFFF < 1 << 31:
        raise OSError(EINVAL, "readlink: room")
    target = f"/{thread.app.name}".encode()[: room & 0xFFFF_FFFF]
    thread.app.space.write(addr, target)
    return len(target)


def getcwd(thread: Thread, addr: int, room: int, *_: int) -> int:
    if room < 2:
        raise OSError(ERANGE, "getcwd")
    thread.app.space.write(addr, b"/\0")
    return 2


def read_only(_thread: Thread, *_: int) -> int:
    raise OSError(EROFS, "there is no file system to write to")


def sync(thread: Thread, fd: int, *_: int) -> int:
    thread.app.files.get(fd)
    raise OSError(EINVAL, "nothing to synchronise")


TABLE: Final[dict[int, Call]] = {
    17: getcwd,
    23: dup,
    24: dup3,
    25: fcntl,
    29: ioctl,
    34: read_only,  # mkdirat
    35: read_only,  # unlinkat
    38: read_only,  # renameat
    48: faccessat,
    56: openat,
    57: close,
    59: pipe2,
    62: lseek,
    63: read,
    64: write,
    65: readv,
    66: writev,
    67: pread64,
    71: sendfile,
    78: readlinkat,
    79: fstatat,
    80: fstat,
    82: sync,
    276: read_only,  # renameat2
    439: faccessat,
}
