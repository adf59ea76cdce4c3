"""The terminal, or the pipe, of this process as the console of a machine."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Callable
from typing import Any, Final

from hypercalls.host.interest import Interest
from hypercalls.host.reactor import IN, Reactor

STDIN: Final = 0
STDOUT: Final = 1
ESCAPE: Final = 1
"""Ctrl-A, as in QEMU."""
IFLAG, OFLAG, _CFLAG, LFLAG = range(4)
READ_MAX: Final = 4096
HELP: Final = b"\nCtrl-A x  end the machine\nCtrl-A Ctrl-A  send Ctrl-A\n"


class Terminal:
    """Passes on what is typed as the machine has room for it; a terminal is in raw mode."""

    def __init__(
        self,
        reactor: Reactor,
        room: Callable[[], int],
        feed: Callable[[bytes], None],
        leave: Callable[[], None],
        write: Callable[[bytes], None],
    ) -> None:
        """leave: Ctrl-A x; write: to the terminal."""
        self._room = room
        self._feed = feed
        self._leave = leave
        self._write = write
        self._interest = Interest(reactor, STDIN, self._readable)
        self._held = bytearray()
        self._open = True
        self._polled = False
        """A file: always readable, and epoll refuses it."""
        self._escaped = False
        self._saved: list[Any] | None = None
        if os.isatty(STDIN):
            self._raw()

    def _raw(self) -> None:
        """Every key goes to the machine; output is still processed, as QEMU leaves it."""
        self._saved = termios.tcgetattr(STDIN)
        mode = termios.tcgetattr(STDIN)
        mode[IFLAG] &= ~(
            termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
            | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
        )  # fmt: skip
        mode[OFLAG] |= termios.OPOST
        mode[LFLAG] &= ~(
            termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN | termios.ISIG
        )
        termios.tcsetattr(STDIN, termios.TCSANOW, mode)

    def close(self) -> None:
        self._end()
        if self._saved is not None:
            termios.tcsetattr(STDIN, termios.TCSANOW, self._saved)
            self._saved = None

    def _end(self) -> None:
        self._interest.drop()
        self._open = False

    def poll(self) -> int | None:
        """An idle function: feed the machine as it makes room, and read when it was fed."""
        if self._held and (room := self._room()):
            self._feed(bytes(self._held[:room]))
            del self._held[:room]
        if self._open and not self._held:
            try:
                self._interest.set(IN)
            except PermissionError:
                self._polled = True
            if self._polled:
                self._readable(IN)
                return 0
        return None

    def _readable(self, _mask: int) -> None:
        try:
            data = os.read(STDIN, READ_MAX)
        except BlockingIOError:
            return
        except OSError:  # the terminal has gone
            data = b""
        if not data:
            self._end()
        elif self._saved is None:
            self._held += data
            self._interest.drop()
        else:  # always read: Ctrl-A x works even if the machine listens to nothing
            self._held += self._unescape(data)
            del self._held[READ_MAX:]

    def _unescape(self, data: bytes) -> bytes:
        kept = bytearray()
        for byte in data:
            if self._escaped:
                self._escaped = False
                if byte == ESCAPE:
                    kept.append(byte)
                elif byte == ord("x"):
                    self._leave()
                elif byte in b"h?":
                    self._write(HELP)
            elif byte == ESCAPE:
                self._escaped = True
            else:
                kept.append(byte)
        return bytes(kept)


def size() -> tuple[int, int]:
    """Columns and rows of the terminal; 0, 0 without one."""
    try:
        columns, rows = os.get_terminal_size(STDOUT)
    except OSError:
        return 0, 0
    return columns, rows


def write(data: bytes) -> None:
    """All of it to the terminal; BrokenPipeError if nobody reads any more."""
    sys.stdout.flush()
    view = memoryview(data)
    while len(view):
        try:
            view = view[os.write(STDOUT, view) :]
        except BlockingIOError:  # somebody shares the description and made it so
            os.set_blocking(STDOUT, True)
