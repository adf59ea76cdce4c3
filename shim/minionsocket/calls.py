"""What methods and resolver share: C results as exceptions, addresses as tuples."""

from __future__ import annotations

import os
import struct
from socket import AF_INET, AF_INET6, inet_ntop, socket

from _minionsocket import ffi, lib

SOCKADDR_MAX = 128
_IN = struct.Struct(
    "=H2s4s8x"
)  # struct sockaddr_in: host's family; port and address in network order
_IN6 = struct.Struct("=H2sI16sI")  # struct sockaddr_in6

Address = tuple[str, int] | tuple[str, int, int, int] | None


def error(code: int) -> OSError:
    """The subclass that CPython would raise, with its message."""
    return OSError(code, os.strerror(code))


def check(result: int) -> int:
    if result < 0:
        raise error(ffi.errno)
    return result


def is_ours(sock: socket) -> bool:
    return lib.minion_is_ours(sock.fileno()) != 0


def pack_ipv4(host: bytes, port: int) -> bytes:
    return _IN.pack(AF_INET, port.to_bytes(2, "big"), host)


def unpack(raw: bytes) -> Address:
    """As CPython shows it; None where there is none."""
    if len(raw) < 2:
        return None
    family = int.from_bytes(raw[:2], "little" if struct.pack("=H", 1)[0] else "big")
    if family == AF_INET6:
        _, port, flow, host, scope = _IN6.unpack(raw[: _IN6.size])
        ip = inet_ntop(AF_INET6, host)
        return ip, int.from_bytes(port, "big"), int.from_bytes(flow.to_bytes(4), "big"), scope
    _, port, host = _IN.unpack(raw[: _IN.size])
    return inet_ntop(AF_INET, host), int.from_bytes(port, "big")
