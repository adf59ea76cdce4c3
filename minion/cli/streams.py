"""What a command writes to: its standard streams, and logs that may not fit on their disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress

from minion.cli.options import UsageError


def open_standard_streams() -> None:
    """Where the shell has closed some, what is opened next would be taken for them."""
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115  # the process's
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115


class Line:
    """The line that the cursor of a terminal is in, by what was last written to it."""

    def __init__(self) -> None:
        self._tail = b""

    def wrote(self, data: bytes | memoryview) -> None:
        self._tail = (self._tail + bytes(data[-2:]))[-2:]

    @property
    def unfinished(self) -> bool:
        """What is said next would follow something."""
        return bool(self._tail) and not self._tail.rstrip(b"\r").endswith(b"\n")


class Log:
    """A log file.  Once it cannot be written, that is told, once, and the rest is dropped."""

    def __init__(self, option: str, path: str) -> None:
        """option: what asked for it, for messages.  UsageError."""
        self._name = f"{option} {path}"
        self.failed: Callable[[str], None] = lambda _message: None
        self._lost = False
        try:
            self._file = open(path, "w")  # noqa: SIM115  # until `close`
        except OSError as error:
            raise UsageError(f"{self._name}: {error.strerror}") from None

    def write(self, text: str) -> None:
        if self._lost:
            return
        try:
            self._file.write(text)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            self._fail(error)
            with suppress(OSError):  # it has still what it could not write
                self._file.close()

    def _fail(self, error: OSError) -> None:
        if not self._lost:
            self._lost = True
            self.failed(f"{self._name}: {error.strerror}")
