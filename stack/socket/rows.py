"""What a row of the option table is: how a value is read, bounded, kept and shown.

Theory of operation.  Linux reads a value before it looks at the option's name, and each level reads
in its own way (Read); what is read is checked against the row's bounds and put where the row says:
into an attribute of the connection (`home`), or, where nothing here depends on it, into the
socket's `kept` values.  Rows that cannot be said so have functions of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from enum import IntEnum
from errno import EFAULT, EINVAL, EPERM

from stack.socket.stream import StreamSocket
from stack.tcp.state import State

INT = struct.Struct("i")
INT_MIN, INT_MAX = -(1 << 31), (1 << 31) - 1
Value = bytes | None
"""None: the program's pointer was NULL."""


class Read(IntEnum):
    """How setsockopt reads a value (do_ip_setsockopt() and its like)."""

    WHOLE = 1
    """An int; shorter values are EINVAL."""
    SHORT = 2
    """An int, or the first of fewer bytes, or 0 for none."""
    SOME = 3
    """As SHORT, but not none."""
    EXACT = 4
    """Four bytes, neither fewer nor more."""
    NONE = 5
    """Not at all: the row's error comes first."""


def integer(how: int, value: Value, length: int) -> int:
    """EINVAL, EFAULT."""
    if how == Read.NONE:
        return 0
    if (
        (how == Read.WHOLE and length < INT.size)
        or (how == Read.SOME and length < 1)
        or (how == Read.EXACT and length != INT.size)
    ):
        raise OSError(EINVAL, "option value of a wrong length")
    if length and value is None:
        raise OSError(EFAULT, "no option value")
    if not length or value is None:
        return 0
    number: int = INT.unpack_from(value)[0] if length >= INT.size else value[0]
    return number


class Row:
    """One option."""

    __slots__ = (
        "default", "denied", "flag", "get", "get_error", "high", "home", "level", "low", "name",
        "needs", "put", "put_error", "read", "unit",
    )  # fmt: skip

    def __init__(
        self, level: int, name: int, read: int = Read.WHOLE, low: int = INT_MIN,
        high: int = INT_MAX, *, flag: bool = False, default: int = 0, home: str = "",
        unit: int = 1, get: Getter | None = None, put: Setter | None = None, get_error: int = 0,
        put_error: int = 0, needs: Needs | None = None, denied: int = EPERM,
    ) -> None:  # fmt: skip
        """low, high: EINVAL outside.  flag: kept as 0 or 1.  home: an attribute of the connection,
        in units of `unit`.  needs: whether a value takes CAP_NET_ADMIN; without it, `denied`.
        """
        self.level = level
        self.name = name
        self.read = read
        self.low = low
        self.high = high
        self.flag = flag
        self.default = default
        self.home = home
        self.unit = unit
        self.get = get
        self.put = put
        self.get_error = get_error
        self.put_error = put_error
        self.needs = needs
        self.denied = denied

    def number(self, sock: StreamSocket) -> int:
        """The value as it is."""
        if self.home:
            return sock.effective(self.home) // self.unit
        return sock.kept.get((self.level, self.name), self.default)

    def show(self, sock: StreamSocket) -> bytes:
        if self.get_error:
            raise OSError(self.get_error, "option cannot be read")
        return INT.pack(self.number(sock)) if self.get is None else self.get(sock)

    def check(self, sock: StreamSocket, number: int, privileged: bool) -> None:
        if self.put_error:
            raise OSError(self.put_error, "option cannot be set")
        if not self.low <= number <= self.high:
            raise OSError(EINVAL, "option value out of range")
        if not privileged and self.needs is not None and self.needs(sock, number):
            raise OSError(self.denied, "CAP_NET_ADMIN is needed")

    def keep(self, sock: StreamSocket, number: int) -> None:
        if self.flag:
            number = int(number != 0)
        if self.put is not None:
            self.put(sock, number)
        elif self.home:
            sock.configure(self.home, number * self.unit)
        else:
            sock.kept[self.level, self.name] = number


Getter = Callable[[StreamSocket], bytes]
Setter = Callable[[StreamSocket, int], None]
Needs = Callable[[StreamSocket, int], bool]
RawSetter = Callable[[StreamSocket, Value, int, bool], None]
"""Of an option that is no int: (socket, value, length, privileged)."""


def state_of(sock: StreamSocket) -> State:
    if sock.listener is not None:
        return State.LISTEN
    return State.CLOSED if sock.tcb is None else sock.tcb.state


def nothing(_sock: StreamSocket, _number: int) -> None:
    """Accepted, and without effect on Linux too."""


def get_empty(_sock: StreamSocket) -> bytes:
    return b""
