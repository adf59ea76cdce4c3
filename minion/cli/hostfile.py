"""A descriptor of the host as a file of an app: its standard input, output and error."""

from __future__ import annotations

import fcntl
import os
import select
import stat
from collections.abc import Callable
from contextlib import suppress
from errno import EAGAIN, ENOSPC
from typing import Final

from hypercalls.host.interest import Interest
from hypercalls.host.reactor import Reactor
from minion.app.files import POLLERR, POLLHUP, POLLIN, POLLOUT, File
from minion.cli.streams import Line

PIPE_BUF: Final = 4096
"""What a descriptor that polls writable takes without waiting."""
TTYAUX_MAJOR: Final = 5
"""/dev/tty and /dev/ptmx: what they open depends on who opens."""
TCGETS, TIOCGWINSZ = 0x5401, 0x5413
TCSETS: Final = 0x5402
SIZES: Final = {TCGETS: 36, TIOCGWINSZ: 8}
"""The same structures on riscv64 and on all hosts with asm-generic's."""


def opened_anew(fd: int, access: int) -> tuple[int, bool]:
    """A description of our own of the same terminal or pipe, with O_NONBLOCK, instead of fd.

    Otherwise fd itself, and False.
    """
    status = os.fstat(fd)
    terminal = stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) != TTYAUX_MAJOR
    if not stat.S_ISFIFO(status.st_mode) and not (terminal and os.isatty(fd)):
        return fd, False
    flags = (os.O_RDONLY if access == 0 else os.O_WRONLY) | os.O_NONBLOCK | os.O_NOCTTY
    try:
        ours = os.open(f"/proc/self/fd/{fd}", flags | os.O_CLOEXEC)
    except OSError:  # another user's, or nobody is at its other end
        return fd, False
    os.close(fd)
    return ours, True


class HostFile(File):
    """Never blocks, and leaves the description's O_NONBLOCK alone: others share it.

    So terminals and pipes are opened anew, and sockets are asked not to wait; of what can be
    neither, as much is asked for as poll says there is, which another reader may take first.
    """

    def __init__(self, reactor: Reactor, fd: int, access: int, line: Line | None = None) -> None:
        """fd is this object's from now on; line: of the terminal, if it is one."""
        super().__init__()
        self.access = access
        self.mode = os.fstat(fd).st_mode
        self._fd, self._never_waits = opened_anew(fd, access)
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN if access == 0 else select.POLLOUT)
        self._interest = Interest(reactor, self._fd, self._event)
        self._plain = stat.S_ISREG(self.mode)
        self._flags = os.RWF_NOWAIT if stat.S_ISSOCK(self.mode) else 0
        self._never_waits = self._never_waits or self._plain
        terminal = os.isatty(self._fd)
        self._modes = fcntl.ioctl(self._fd, TCGETS, bytes(SIZES[TCGETS])) if terminal else b""
        self._modes_changed = False
        self._line = line if terminal else None

    @property
    def unfinished(self) -> bool:
        """It is a terminal with something in the line that the cursor is in."""
        return self._line is not None and self._line.unfinished

    def _event(self, _mask: int) -> None:
        self._interest.drop()  # once: told again when somebody finds it not ready again
        self.changed()

    def _ready(self, event: int) -> bool:
        """Whether it is; if not, `changed` is called when it is."""
        if self._plain or self._poll.poll(0):
            return True
        self._interest.set(event)
        return False

    def poll(self) -> int:
        wanted = POLLIN if self.access == 0 else POLLOUT
        if not self._ready(select.EPOLLIN if self.access == 0 else select.EPOLLOUT):
            return 0
        found = self._poll.poll(0)
        return wanted if self._plain or not found else found[0][1] & (wanted | POLLHUP | POLLERR)

    def read(self, length: int, /) -> bytes:
        if not self._never_waits and not self._ready(select.EPOLLIN):
            raise BlockingIOError(EAGAIN, "nothing there")
        try:
            if self._flags:
                room = bytearray(length)
                return bytes(room[: os.preadv(self._fd, [room], -1, self._flags)])
            data = os.read(self._fd, length)
        except BlockingIOError:
            self._interest.set(select.EPOLLIN)
            raise
        if self._line is not None and data.endswith(b"\n"):  # as typed, and echoed
            self._line.wrote(b"\n")
        return data

    def write(self, data: bytes | memoryview, /) -> int:
        if not self._never_waits:
            if not self._ready(select.EPOLLOUT):
                raise BlockingIOError(EAGAIN, "full")
            data = data[:PIPE_BUF]
        try:
            if self._flags:
                return os.pwritev(self._fd, [data], -1, self._flags)
            count = os.write(self._fd, data)
        except BlockingIOError:
            self._interest.set(select.EPOLLOUT)
            raise
        if self._line is not None:
            self._line.wrote(data[:count])
        return count

    def seek(self, offset: int, whence: int, /) -> int:
        return os.lseek(self._fd, offset, whence)

    def ioctl(self, request: int, /) -> bytes | None:
        if request not in SIZES:
            return super().ioctl(request)
        return fcntl.ioctl(self._fd, request, bytes(SIZES[request]))

    def set_terminal(self, request: int, termios: bytes, /) -> None:
        fcntl.ioctl(self._fd, request, termios)
        self._modes_changed = True

    def close(self) -> None:
        """A terminal gets its modes back: an app may have died with them."""
        self._interest.drop()
        if self._modes_changed:
            with suppress(OSError):  # it has gone
                fcntl.ioctl(self._fd, TCSETS, self._modes)
        os.close(self._fd)


class Output:
    """Text for a descriptor of the host from somebody who cannot wait: what it does not take yet
    is kept, up to a limit."""

    LIMIT: Final = 1 << 20

    def __init__(self, reactor: Reactor, fd: int, line: Line | None = None) -> None:
        """fd is this object's from now on; line: as HostFile's."""
        self._file = HostFile(reactor, fd, 1, line)
        self._file.watchers[self] = None
        self._held = bytearray()
        self._drained: Callable[[], None] | None = None

    def write(self, text: str) -> None:
        """OSError(ENOSPC) beyond the limit: nobody reads."""
        data = text.encode("utf-8", "surrogateescape")
        if len(self._held) + len(data) > self.LIMIT:
            raise OSError(ENOSPC, "nobody reads the output")
        self._held += data
        self.wake()

    def message(self, text: str) -> None:
        """Text in a line of its own.  As write."""
        self.write(f"\n{text}\n" if self._file.unfinished else f"{text}\n")

    def wake(self) -> None:
        """Write what can be written."""
        try:
            while self._held:
                del self._held[: self._file.write(bytes(self._held))]
        except BlockingIOError:
            return
        except OSError:  # who reads has gone: there is nobody left to tell
            self._held.clear()
        if self._drained is not None:
            self._file.close()
            drained, self._drained = self._drained, None
            drained()

    def finish(self, drained: Callable[[], None]) -> None:
        """Close when everything is written, and say so."""
        self._drained = drained
        self.wake()

    def discard(self) -> None:
        """Nobody wants what is left."""
        self._held.clear()
        self.wake()
