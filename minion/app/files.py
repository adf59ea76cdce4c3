"""Open file descriptions and descriptor tables of apps."""

from __future__ import annotations

from errno import EBADF, EINVAL, EMFILE, ENOTSOCK, EPIPE, ESPIPE
from typing import TYPE_CHECKING, Final

from minion.app.sleep import Watcher

if TYPE_CHECKING:
    from minion.app.socketfile import SocketFile

POLLIN: Final = 1
POLLOUT: Final = 4
POLLERR: Final = 8
POLLHUP: Final = 16
POLLNVAL: Final = 32
POLLRDHUP: Final = 0x2000
O_ACCMODE: Final = 3
O_NONBLOCK: Final = 0o4000
FILES_MAX: Final = 1024
PIPE_BYTES: Final = 65536
SO_RCVTIMEO: Final = 20
SO_SNDTIMEO: Final = 21
S_IFIFO: Final = 0o010600
S_IFCHR: Final = 0o020666
S_IFREG: Final = 0o100444
S_IFSOCK: Final = 0o140777


class File:
    """An open file description: descriptors share it, the last one closes it.

    Calls never block: they raise BlockingIOError, and `watchers` are woken when it is worth
    trying again.  `news` counts those occasions (edge-triggered epoll).
    """

    mode = S_IFCHR

    def __init__(self) -> None:
        self.users = 0
        self.nonblocking = False
        self.access = 2
        """O_RDONLY, O_WRONLY, O_RDWR."""
        self.timeouts_ns = {SO_RCVTIMEO: 0, SO_SNDTIMEO: 0}
        """How long a read or write waits, on sockets; 0: as long as it takes."""
        self.watchers: dict[Watcher, None] = {}
        self.news = 0

    def changed(self) -> None:
        """It may be ready now."""
        self.news += 1
        for watcher in tuple(self.watchers):
            watcher.wake()

    def poll(self) -> int:
        """POLLIN and so on, as they are."""
        return POLLIN | POLLOUT

    def read(self, _length: int, /) -> bytes:
        """At least one byte, or b"" at the end.  BlockingIOError."""
        raise OSError(EINVAL, "not for reading")

    def write(self, _data: bytes | memoryview, /) -> int:
        """How much was taken, at least one byte.  BlockingIOError."""
        raise OSError(EINVAL, "not for writing")

    def seek(self, _offset: int, _whence: int, /) -> int:
        raise OSError(ESPIPE, "not seekable")

    def pread(self, _length: int, _offset: int, /) -> bytes:
        raise OSError(ESPIPE, "not seekable")

    def ioctl(self, _request: int, /) -> bytes | None:
        """The answer for the argument, if there is one.  ENOTTY."""
        raise OSError(25, "not a terminal")

    def set_terminal(self, _request: int, _termios: bytes, /) -> None:
        """TCSETS and its like.  ENOTTY."""
        raise OSError(25, "not a terminal")

    @property
    def size_bytes(self) -> int:
        return 0

    def close(self) -> None:
        """The last descriptor is gone."""

    def hold(self) -> None:
        """A descriptor's, or a call's that may wait: it is not closed while it is used."""
        self.users += 1

    def release(self) -> None:
        self.users -= 1
        if not self.users:
            self.close()
            self.changed()


class NullFile(File):
    """/dev/null."""

    def read(self, _length: int, /) -> bytes:
        return b""

    def write(self, data: bytes | memoryview) -> int:
        return len(data)


class BytesFile(File):
    """A file whose contents are known, read-only."""

    mode = S_IFREG

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data = data
        self._at = 0

    @property
    def size_bytes(self) -> int:
        return len(self._data)

    def read(self, length: int) -> bytes:
        piece = self._data[self._at : self._at + length]
        self._at += len(piece)
        return piece

    def pread(self, length: int, offset: int) -> bytes:
        return self._data[offset : offset + length]

    def seek(self, offset: int, whence: int) -> int:
        start = {0: 0, 1: self._at, 2: len(self._data)}.get(whence)
        if start is None or start + offset < 0:
            raise OSError(EINVAL, "bad offset")
        self._at = start + offset
        return self._at


class Pipe:
    """Bytes between two files."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.reader = PipeReader(self)
        self.writer = PipeWriter(self)
        self.read_closed = self.write_closed = False


class PipeReader(File):
    mode = S_IFIFO

    def __init__(self, pipe: Pipe) -> None:
        super().__init__()
        self.access = 0
        self._pipe = pipe

    def poll(self) -> int:
        pipe = self._pipe
        return (POLLIN if pipe.data else 0) | (POLLHUP if pipe.write_closed else 0)

    def read(self, length: int) -> bytes:
        pipe = self._pipe
        if not pipe.data and not pipe.write_closed and length:
            raise BlockingIOError
        piece = bytes(pipe.data[:length])
        del pipe.data[:length]
        if piece:
            pipe.writer.changed()
        return piece

    def close(self) -> None:
        self._pipe.read_closed = True
        self._pipe.writer.changed()


class PipeWriter(File):
    mode = S_IFIFO

    def __init__(self, pipe: Pipe) -> None:
        super().__init__()
        self.access = 1
        self._pipe = pipe

    def poll(self) -> int:
        pipe = self._pipe
        if pipe.read_closed:
            return POLLOUT | POLLERR
        return POLLOUT if len(pipe.data) <= PIPE_BYTES - 4096 else 0  # PIPE_BUF fits

    def write(self, data: bytes | memoryview) -> int:
        pipe = self._pipe
        if pipe.read_closed:
            raise OSError(EPIPE, "nobody reads")
        room = PIPE_BYTES - len(pipe.data)
        if not room or (len(data) > room and len(data) <= 4096):  # atomic up to PIPE_BUF
            raise BlockingIOError
        piece = data[:room]
        pipe.data += piece
        pipe.reader.changed()
        return len(piece)

    def close(self) -> None:
        self._pipe.write_closed = True
        self._pipe.reader.changed()


class EventFile(File):
    """eventfd(2)."""

    LIMIT: Final = (1 << 64) - 2

    def __init__(self, value: int, semaphore: bool) -> None:
        super().__init__()
        self._value = value
        self._semaphore = semaphore

    def poll(self) -> int:
        return (POLLIN if self._value else 0) | (POLLOUT if self._value < self.LIMIT else 0)

    def read(self, length: int) -> bytes:
        if length < 8:
            raise OSError(EINVAL, "eight bytes at a time")
        if not self._value:
            raise BlockingIOError
        taken = 1 if self._semaphore else self._value
        self._value -= taken
        self.changed()
        return taken.to_bytes(8, "little")

    def write(self, data: bytes | memoryview) -> int:
        if len(data) < 8:
            raise OSError(EINVAL, "eight bytes at a time")
        value = int.from_bytes(data[:8], "little")
        if value > self.LIMIT:
            raise OSError(EINVAL, "too large")
        if self._value + value > self.LIMIT:
            raise BlockingIOError
        self._value += value
        self.changed()
        return 8


class FileTable:
    """Descriptors of one app."""

    def __init__(self) -> None:
        self._files: dict[int, File] = {}
        self._cloexec: set[int] = set()

    def __len__(self) -> int:
        return len(self._files)

    def get(self, fd: int) -> File:
        """EBADF."""
        file = self._files.get(fd)
        if file is None:
            raise OSError(EBADF, "bad descriptor")
        return file

    def all(self) -> set[File]:
        return set(self._files.values())

    def readable(self, fd: int) -> File:
        file = self.get(fd)
        if file.access == 1:
            raise OSError(EBADF, "not open for reading")
        return file

    def writable(self, fd: int) -> File:
        file = self.get(fd)
        if file.access == 0:
            raise OSError(EBADF, "not open for writing")
        return file

    def socket(self, fd: int) -> SocketFile:
        """EBADF, ENOTSOCK."""
        from minion.app.socketfile import SocketFile

        file = self.get(fd)
        if not isinstance(file, SocketFile):
            raise OSError(ENOTSOCK, "not a socket")
        return file

    def check_room(self) -> None:
        """EMFILE."""
        if len(self._files) >= FILES_MAX:
            raise OSError(EMFILE, "too many files")

    def add(self, file: File, cloexec: bool = False, lowest: int = 0) -> int:
        """The lowest free descriptor.  EMFILE; the file is closed then if nobody else has it."""
        for fd in range(lowest, FILES_MAX):
            if fd not in self._files:
                self.put(fd, file, cloexec)
                return fd
        if not file.users:
            file.close()
        raise OSError(EMFILE, "too many files")

    def put(self, fd: int, file: File, cloexec: bool = False) -> None:
        """At a number, closing what was there (dup3)."""
        if not 0 <= fd < FILES_MAX:
            raise OSError(EBADF, "no such descriptor")
        file.hold()
        if fd in self._files:
            self.close(fd)
        self._files[fd] = file
        self.set_cloexec(fd, cloexec)

    def close(self, fd: int) -> None:
        """EBADF."""
        file = self.get(fd)
        del self._files[fd]
        self._cloexec.discard(fd)
        file.release()

    def cloexec(self, fd: int) -> bool:
        return fd in self._cloexec

    def set_cloexec(self, fd: int, on: bool) -> None:
        self.get(fd)
        if on:
            self._cloexec.add(fd)
        else:
            self._cloexec.discard(fd)

    def close_all(self) -> None:
        for fd in list(self._files):
            self.close(fd)
