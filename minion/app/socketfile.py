"""What the sockets of apps have in common."""

from __future__ import annotations

from errno import (
    EOPNOTSUPP,
)
from typing import Final

from minion.app.files import (
    S_IFSOCK,
    File,
)

Address = tuple[int, int]
"""(IPv4 address, port)"""
MSG_PEEK: Final = 2
MSG_TRUNC: Final = 0x20
MSG_WAITALL: Final = 0x100


class SocketFile(File):
    """What both kinds of sockets have."""

    mode = S_IFSOCK
    kind = 0
    protocol = 0

    def __init__(self) -> None:
        super().__init__()

    def read(self, length: int) -> bytes:
        return self.recv(length, 0)[0]

    def write(self, data: bytes | memoryview) -> int:
        return self.send(data, None)

    @property
    def state(self) -> str:
        """For people."""
        raise NotImplementedError

    def bind(self, _address: Address, /) -> None:
        raise NotImplementedError

    def listen(self, _backlog: int, /) -> None:
        raise OSError(EOPNOTSUPP, "not a stream")

    def accept(self) -> SocketFile:
        """BlockingIOError, EINVAL."""
        raise OSError(EOPNOTSUPP, "not a stream")

    def connect(self, _address: Address, /) -> None:
        """Begin.  BlockingIOError: connect_result tells how it ends."""
        raise NotImplementedError

    def disconnect(self) -> None:
        """connect to AF_UNSPEC."""
        raise OSError(EOPNOTSUPP, "connections are not dissolved")

    def connect_result(self) -> None:
        """BlockingIOError while it is under way, or its error."""

    def send(self, _data: bytes | memoryview, _to: Address | None, /) -> int:
        raise NotImplementedError

    def recv(self, _length: int, _flags: int, /) -> tuple[bytes, Address | None, int]:
        """(data, source, length of the whole message).  BlockingIOError."""
        raise NotImplementedError

    def shutdown(self, _how: int, /) -> None:
        raise NotImplementedError

    def getsockname(self) -> Address:
        raise NotImplementedError

    def getpeername(self) -> Address:
        raise NotImplementedError

    def getsockopt(self, _level: int, _name: int, _room: int, /) -> bytes:
        raise NotImplementedError

    def setsockopt(self, _level: int, _name: int, _value: bytes, /) -> None:
        raise NotImplementedError
