"""Files of a simulated host: byte arrays by path."""

from __future__ import annotations

from collections.abc import Callable
from errno import EBADF, EINVAL, ENOENT

from hypercalls.api import BioDone, Buffer


class SimFile:
    """api.File."""

    block = False

    def __init__(
        self, content: bytearray, write: bool, post: Callable[[Callable[[], None]], None]
    ) -> None:
        self.size_bytes = len(content)
        self._content: bytearray | None = content
        self._write = write
        self._post = post

    def bio(self, write: bool, buffer: Buffer, length: int, offset: int, done: BioDone) -> None:
        content = self._open()
        if not 0 <= length <= len(buffer.view) or offset < 0:
            raise OSError(EINVAL, "bio: outside of the buffer")
        error = 0
        if not write:
            length = max(min(length, len(content) - offset), 0)
            buffer.view[:length] = content[offset : offset + length]
        elif self._write:
            content.extend(bytes(max(offset - len(content), 0)))
            content[offset : offset + length] = buffer.view[:length]
            self.size_bytes = len(content)
        else:
            length, error = 0, EBADF
        self._post(lambda: done(length, error))

    def sync(self) -> None:
        self._open()

    def close(self) -> None:
        self._content = None

    def _open(self) -> bytearray:
        if self._content is None:
            raise OSError(EBADF, "file is closed")
        return self._content


class SimFiles:
    """api.Files; `contents` is the disk."""

    def __init__(self, post: Callable[[Callable[[], None]], None]) -> None:
        self.contents: dict[str, bytearray] = {}
        self._post = post

    def open(self, path: str, write: bool = False, create: bool = False) -> SimFile:
        content = self.contents.get(path)
        if content is None:
            if not create:
                raise FileNotFoundError(ENOENT, "no such file", path)
            content = self.contents[path] = bytearray()
        return SimFile(content, write, self._post)
