"""What CPython says of wrong arguments: asked of its own methods, on a socket that is closed.

They check all of them before they make a call; so a wrong one is named in the very words that a
program, or its tests, may know, and a right one ends in EBADF.
"""

from __future__ import annotations

import errno
import socket
from _socket import socket as _Base
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def _closed() -> _Base:
    one, other = socket.socketpair(socket.AF_UNIX)  # never the network's
    other.close()
    closed = _Base(socket.AF_INET, socket.SOCK_STREAM, 0, one.detach())
    closed.close()
    return closed


_nowhere = _closed()


def checked(method: Callable[P, R]) -> Callable[P, R]:
    """A method of socket.socket, whose own faults about arguments become CPython's."""
    base: Callable[..., object] = getattr(_Base, method.__name__)

    @wraps(method)
    def call(*arguments: P.args, **named: P.kwargs) -> R:
        try:
            return method(*arguments, **named)
        except (TypeError, ValueError, OverflowError) as seen:
            fault = seen
        try:
            base(_nowhere, *arguments[1:], **named)
        except OSError as said:
            if said.errno != errno.EBADF:
                raise
        raise fault

    return call
