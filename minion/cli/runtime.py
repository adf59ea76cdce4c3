"""The runtime directory: one folder per minion, mode 0700, with its control socket and files.

DIR/NAME/control       the control socket
DIR/NAME/lock          held (flock) by the minion as long as it lives; holds its pid
DIR/NAME/log           what a minion in the background printed
DIR/NAME/options.json  what `minion up` was told, for the next automatic start
DIR/launcher           the `minion` command that was run last (libminion.so starts minions with it)
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import socket
import stat
import sys
from pathlib import Path

from minion.cli.options import Options, UsageError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
SUN_PATH_ROOM = 107 - 8 - 1 - 16 - 1
"""What a channel's name leaves for the control path (abi.h)."""


def directory() -> Path:
    """The user's runtime directory, made if need be.  UsageError if it is not safe to use."""
    text = os.environ.get("MINION_DIR") or ""
    if not text and os.environ.get("XDG_RUNTIME_DIR"):
        text = os.path.join(os.environ["XDG_RUNTIME_DIR"], "minion")
    path = Path(text or f"/tmp/minion-{os.getuid()}")
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; set MINION_DIR to a folder of yours") from None
    status = path.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise UsageError(f"{path} must be a folder of yours with mode 0700; set MINION_DIR")
    return path


class Place:
    """One minion's folder."""

    def __init__(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise UsageError(f"{name!r} is no name for a minion: use letters, digits, . _ -")
        self.name = name
        self.path = directory() / name
        self.control = self.path / "control"
        self.log = self.path / "log"
        self._options = self.path / "options.json"
        self._lock: int | None = None
        if len(os.fsencode(self.control)) > SUN_PATH_ROOM:
            raise UsageError(
                f"{self.control} is too long for a socket; set MINION_DIR to a shorter"
            )

    def take(self) -> bool:
        """Become this minion; False if another process is."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if error.errno != errno.EWOULDBLOCK:
                raise
            return False
        self._lock = lock
        self.write_pid()
        return True

    def write_pid(self) -> None:
        assert self._lock is not None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, b"%d\n" % os.getpid(), 0)

    @property
    def pid(self) -> int:
        """Of the process that took the place last."""
        try:
            return int((self.path / "lock").read_text() or 0)
        except (OSError, ValueError):
            return 0

    def listen(self) -> socket.socket:
        """The control socket, listening.  Call after `take`."""
        with contextlib.suppress(FileNotFoundError):
            self.control.unlink()
        flags = socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        listener = socket.socket(socket.AF_UNIX, flags)
        listener.bind(os.fspath(self.control))
        self.control.chmod(0o600)
        listener.listen(512)
        return listener

    def save(self, options: Options) -> None:
        self._options.write_text(json.dumps(options.as_json()))

    def saved(self) -> Options | None:
        """None if there are none, or they make no sense."""
        try:
            options = Options.from_json(json.loads(self._options.read_text()))
            options.check()
        except (OSError, ValueError, TypeError, AttributeError, UsageError):
            return None
        return options

    def forget(self) -> None:
        """Remove what must not outlive the minion."""
        for path in (self.control, self._options):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()

    def remove(self) -> None:
        """Remove the folder (of a private minion)."""
        shutil.rmtree(self.path, ignore_errors=True)


def refresh_launcher() -> None:
    """Let libminion.so find this command (see shim/libminion/autostart.c)."""
    program = Path(sys.argv[0]).absolute()
    if program.name != "minion" or not os.access(program, os.X_OK):
        return
    link = directory() / "launcher"
    with contextlib.suppress(OSError):
        if link.is_symlink() and link.readlink() == program:
            return
    temporary = link.with_name(f"launcher.{os.getpid()}")
    with contextlib.suppress(OSError):
        temporary.symlink_to(program)
        temporary.replace(link)


def running() -> list[str]:
    """The names of minions with a control socket."""
    return sorted(path.parent.name for path in directory().glob("*/control"))
