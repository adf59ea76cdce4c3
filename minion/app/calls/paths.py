"""The paths that an app can open: devices, and what resolvers read."""

from __future__ import annotations

from collections.abc import Callable
from errno import EINVAL, ENOENT
from typing import Final

from minion.app.files import BytesFile, File, NullFile
from minion.app.process import App
from stack.wire import dotted


class ZeroFile(NullFile):
    """/dev/zero."""

    def read(self, length: int, /) -> bytes:
        return bytes(length)


class RandomFile(NullFile):
    """/dev/urandom, /dev/random."""

    def __init__(self, getrandom: Callable[[int], bytes]) -> None:
        super().__init__()
        self._getrandom = getrandom

    def read(self, length: int, /) -> bytes:
        if length < 0:
            raise OSError(EINVAL, "negative length")
        return self._getrandom(min(length, 4096))


def resolv_conf(app: App) -> bytes:
    return b"".join(b"nameserver %s\n" % dotted(s).encode() for s in app.kernel.resolver.servers)


TEXTS: Final[dict[str, Callable[[App], bytes]]] = {
    "/etc/resolv.conf": resolv_conf,
    "/etc/hosts": lambda _app: b"127.0.0.1 localhost\n",
    "/etc/nsswitch.conf": lambda _app: b"hosts: files dns\n",
    "/etc/passwd": lambda _app: b"root:x:0:0:root:/:/bin/sh\n",
    "/etc/group": lambda _app: b"root:x:0:\n",
}


def open_path(app: App, path: str) -> File:
    """ENOENT."""
    text = TEXTS.get(path)
    if text is not None:
        return BytesFile(text(app))
    if path == "/dev/null":
        return NullFile()
    if path == "/dev/zero":
        return ZeroFile()
    if path in ("/dev/random", "/dev/urandom"):
        return RandomFile(app.kernel.hyper.random.getrandom)
    raise OSError(ENOENT, "no such path on the minion")
