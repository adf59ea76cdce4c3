"""The control calls of socket.socket: on a minion's descriptor by libminion, else as they were."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from _socket import socket as _Base  # its methods are what was there before
from collections.abc import Callable
from operator import index

from _cffi_backend import _CDataBase
from _minionsocket import ffi, lib

from minionsocket.arguments import checked
from minionsocket.calls import SOCKADDR_MAX, Address, check, error, is_ours, pack_ipv4, unpack
from minionsocket.resolver import ipv4_of

_init = socket.socket.__init__
_FLAGS = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC


def init(
    self: socket.socket,
    family: int = -1,
    type: int = -1,
    proto: int = -1,
    fileno: int | None = None,
) -> None:
    if fileno is not None:
        if isinstance(fileno, int) and fileno >= 0 and lib.minion_is_ours(fileno):
            # The kernel would call it a UNIX socket.
            family = socket.AF_INET if family == -1 else family
            type = socket.SOCK_STREAM if type == -1 else type
            proto = socket.IPPROTO_TCP if proto == -1 else proto
        _init(self, family, type, proto, fileno)
        return
    family = socket.AF_INET if family == -1 else family
    type = socket.SOCK_STREAM if type == -1 else type
    proto = 0 if proto == -1 else proto
    if family not in (socket.AF_INET, socket.AF_INET6):
        _init(self, family, type, proto)
        return
    type, proto = index(type), index(proto)
    fd = check(lib.minion_socket(family, type | socket.SOCK_CLOEXEC, proto))
    try:
        _init(self, family, type, proto, fd)
    except BaseException:
        os.close(fd)
        raise


def packed(call: str, address: object) -> bytes:
    if not isinstance(address, tuple):
        kind = address.__class__.__name__
        raise TypeError(f"{call}(): AF_INET address must be tuple, not {kind}")
    if len(address) != 2:
        raise TypeError("AF_INET address must be a pair (host, port)")
    host, port = address
    if not isinstance(port, int):
        raise TypeError(f"'{port.__class__.__name__}' object cannot be interpreted as an integer")
    ip = ipv4_of(host)
    if not 0 <= port <= 0xFFFF:
        raise OverflowError(f"{call}(): port must be 0-65535.")
    return pack_ipv4(ip, port)


@checked
def bind(self: socket.socket, address: object, /) -> None:
    if not is_ours(self):
        return _Base.bind(self, address)  # type: ignore[arg-type]  # checked by the C method
    raw = packed("bind", address)
    check(lib.minion_bind(self.fileno(), ffi.from_buffer("struct sockaddr *", raw), len(raw)))
    return None


@checked
def listen(self: socket.socket, backlog: int = min(socket.SOMAXCONN, 128), /) -> None:
    if not is_ours(self):
        return _Base.listen(self, backlog)
    check(lib.minion_listen(self.fileno(), max(index(backlog), 0)))
    return None


def wait(self: socket.socket, events: int, deadline: float | None) -> bool:
    """Until ready (True) or the deadline (False).  Signals: PEP 475."""
    poll = select.poll()
    poll.register(self.fileno(), events)
    left_ms = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
    return bool(poll.poll(left_ms))


def connect_raw(self: socket.socket, raw: bytes) -> int | None:
    """0, an errno, or None: timed out.  (CPython's internal_connect)"""
    timeout = self.gettimeout()
    deadline = None if timeout is None else time.monotonic() + timeout
    sockaddr = ffi.from_buffer("struct sockaddr *", raw)
    if lib.minion_connect(self.fileno(), sockaddr, len(raw)) >= 0:
        return 0
    code = ffi.errno
    # Interrupted (and the handler did not raise): as on Linux, the connection goes on by itself.
    if timeout == 0 or code not in (errno.EINPROGRESS, errno.EINTR):
        return code
    if code == errno.EINPROGRESS and timeout is None:
        return code  # SO_SNDTIMEO, as CPython
    if not wait(self, select.POLLOUT, deadline):
        return None
    code = int(getsockopt(self, socket.SOL_SOCKET, socket.SO_ERROR))
    return 0 if code == errno.EISCONN else code


@checked
def connect(self: socket.socket, address: object, /) -> None:
    if not is_ours(self):
        return _Base.connect(self, address)  # type: ignore[arg-type]  # checked by the C method
    code = connect_raw(self, packed("connect", address))
    if code is None:
        raise TimeoutError("timed out")
    if code:
        raise error(code)
    return None


@checked
def connect_ex(self: socket.socket, address: object, /) -> int:
    if not is_ours(self):
        return _Base.connect_ex(self, address)  # type: ignore[arg-type]  # checked by the C method
    code = connect_raw(self, packed("connect_ex", address))
    return errno.EAGAIN if code is None else code


def accept(self: socket.socket) -> tuple[int, Address]:
    """The C method _accept: descriptor and address."""
    if not is_ours(self):
        accepted: tuple[int, Address] = _Base._accept(self)  # type: ignore[attr-defined]  # private
        return accepted
    timeout = self.gettimeout()
    deadline = None if timeout is None else time.monotonic() + timeout
    addr = ffi.new("char[]", SOCKADDR_MAX)
    size = ffi.new("socklen_t *", SOCKADDR_MAX)
    while True:
        if timeout and not wait(self, select.POLLIN, deadline):
            raise TimeoutError("timed out")
        fd = lib.minion_accept4(
            self.fileno(), ffi.cast("struct sockaddr *", addr), size, socket.SOCK_CLOEXEC
        )
        if fd >= 0:
            return fd, unpack(bytes(ffi.buffer(addr, size[0])))
        code = ffi.errno
        if code != errno.EINTR and not (code == errno.EAGAIN and timeout):
            raise error(code)


def _name(self: socket.socket, call: Callable[[int, _CDataBase, _CDataBase], int]) -> Address:
    addr = ffi.new("char[]", SOCKADDR_MAX)
    size = ffi.new("socklen_t *", SOCKADDR_MAX)
    check(call(self.fileno(), ffi.cast("struct sockaddr *", addr), size))
    return unpack(bytes(ffi.buffer(addr, size[0])))


def getsockname(self: socket.socket) -> Address:
    if is_ours(self):
        return _name(self, lib.minion_getsockname)
    name: Address = _Base.getsockname(self)
    return name


def getpeername(self: socket.socket) -> Address:
    if is_ours(self):
        return _name(self, lib.minion_getpeername)
    name: Address = _Base.getpeername(self)
    return name


@checked
def getsockopt(self: socket.socket, level: int, optname: int, buflen: int = 0, /) -> int | bytes:
    if not is_ours(self):
        if not buflen:
            return _Base.getsockopt(self, level, optname)
        return _Base.getsockopt(self, level, optname, buflen)
    if index(buflen) > 0x7FFFFFFF:
        raise OverflowError("signed integer is greater than maximum")
    if not 0 <= buflen <= 1024:
        raise OSError("getsockopt buflen out of range")
    value = ffi.new("char[]", buflen or 4)
    size = ffi.new("socklen_t *", buflen or 4)
    check(lib.minion_getsockopt(self.fileno(), level, optname, value, size))
    raw = bytes(ffi.buffer(value, size[0]))
    return raw if buflen else int(ffi.cast("int *", value)[0])


@checked
def setsockopt(
    self: socket.socket,
    level: int,
    optname: int,
    value: int | bytes | None,
    optlen: int | None = None,
    /,
) -> None:
    if not is_ours(self):
        if optlen is None:
            return _Base.setsockopt(self, level, optname, value)  # type: ignore[arg-type]  # C checks
        return _Base.setsockopt(self, level, optname, None, optlen)
    if (value is None) != (optlen is not None):
        raise TypeError("a length, and only with None")
    if isinstance(value, int):
        raw = ffi.new("int *", value)
        check(lib.minion_setsockopt(self.fileno(), level, optname, raw, 4))
    elif value is None:
        check(
            lib.minion_setsockopt(
                self.fileno(), level, optname, ffi.NULL, (optlen or 0) & 0xFFFFFFFF
            )
        )
    else:
        buf = ffi.from_buffer(value)
        check(lib.minion_setsockopt(self.fileno(), level, optname, buf, len(buf)))
    return None


@checked
def shutdown(self: socket.socket, how: int, /) -> None:
    if not is_ours(self):
        return _Base.shutdown(self, how)
    check(lib.minion_shutdown(self.fileno(), how))
    return None
