"""The call numbers, read from abi.h (through cffi): nobody writes them a second time."""

from __future__ import annotations

from enum import IntEnum

from _minionsocket import ffi, lib

_NUMBERS: dict[str, int] = ffi.typeof("enum minion_op").relements


class Op(IntEnum):
    SOCKET = _NUMBERS["MINION_SOCKET"]
    BIND = _NUMBERS["MINION_BIND"]
    LISTEN = _NUMBERS["MINION_LISTEN"]
    CONNECT = _NUMBERS["MINION_CONNECT"]
    GETSOCKNAME = _NUMBERS["MINION_GETSOCKNAME"]
    GETPEERNAME = _NUMBERS["MINION_GETPEERNAME"]
    GETSOCKOPT = _NUMBERS["MINION_GETSOCKOPT"]
    SETSOCKOPT = _NUMBERS["MINION_SETSOCKOPT"]
    SHUTDOWN = _NUMBERS["MINION_SHUTDOWN"]
    IOCTL = _NUMBERS["MINION_IOCTL"]
    GETADDRINFO = _NUMBERS["MINION_GETADDRINFO"]
    GETNAMEINFO = _NUMBERS["MINION_GETNAMEINFO"]
    ERROR = _NUMBERS["MINION_ERROR"]
    STATUS = _NUMBERS["MINION_STATUS"]
    STOP = _NUMBERS["MINION_STOP"]
    ADOPT = _NUMBERS["MINION_ADOPT"]
    APP = _NUMBERS["MINION_APP"]
    MORE = _NUMBERS["MINION_MORE"]


MINION_NONBLOCK: int = lib.MINION_NONBLOCK
MINION_ASK: int = lib.MINION_ASK
