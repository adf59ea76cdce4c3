"""Files and block devices of the host.

Transfers are done at once by pread and pwrite; done is called later, in interrupt context, so that
a caller meets the same order of events as on the minion.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from errno import EBADF, EINVAL, EIO
from typing import Final

from hypercalls.api import BioDone, Buffer

SECTOR: Final = 512
Post = Callable[[Callable[[], None]], None]


class HostFile:
    """api.File."""

    def __init__(self, fd: int, post: Post) -> None:
        self._fd = fd
        self._post = post
        self.block = stat.S_ISBLK(os.fstat(fd).st_mode)
        self.size_bytes = os.lseek(fd, 0, os.SEEK_END)

    def bio(self, write: bool, buffer: Buffer, length: int, offset: int, done: BioDone) -> None:
        if self._fd < 0:
            raise OSError(EBADF, "file is closed")
        if self.block and (length % SECTOR or offset % SECTOR):
            raise OSError(EINVAL, "bio: not in sectors")
        if not 0 <= length <= len(buffer.view) or offset < 0:
            raise OSError(EINVAL, "bio: outside of the buffer")
        moved, error = 0, 0
        try:
            while moved < length:
                view = buffer.view[moved:length]
                if write:
                    count = os.pwrite(self._fd, view, offset + moved)
                else:
                    count = os.preadv(self._fd, [view], offset + moved)
                if not count:
                    break
                moved += count
        except OSError as exc:
            moved, error = 0, exc.errno or EIO
        if write:
            self.size_bytes = max(self.size_bytes, offset + moved)
        self._post(lambda: done(moved, error))

    def sync(self) -> None:
        if self._fd < 0:
            raise OSError(EBADF, "file is closed")
        os.fsync(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __del__(self) -> None:
        self.close()


class HostFiles:
    """api.Files."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def open(self, path: str, write: bool = False, create: bool = False) -> HostFile:
        flags = (os.O_RDWR if write else os.O_RDONLY) | (os.O_CREAT if create else 0)
        fd = os.open(path, flags | os.O_CLOEXEC, 0o600)
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.close(fd)
            raise IsADirectoryError(21, "is a directory", path)
        return HostFile(fd, self._post)
