"""The resolver functions of the module socket, on libminion's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from socket import AF_INET, AF_INET6, AI_NUMERICHOST, SOCK_DGRAM, SOCK_STREAM, inet_aton
from typing import Protocol

from _cffi_backend import _CDataBase
from _minionsocket import ffi, lib

from minionsocket.calls import Address, error, unpack

Host = str | bytes | bytearray | None
Found = tuple[int, int, int, str, Address]
_NI_MAXHOST, _NI_MAXSERV = 1025, 32
_ENTRY_ROOM = 8192


class _AddrInfo(Protocol):
    """struct addrinfo"""

    ai_family: int
    ai_socktype: int
    ai_protocol: int
    ai_addrlen: int
    ai_addr: _CDataBase
    ai_canonname: _CDataBase
    ai_next: _AddrInfo


def _text(pointer: _CDataBase) -> str:
    raw = ffi.string(pointer)
    assert isinstance(raw, bytes)
    return raw.decode("utf-8", "surrogateescape")


def _gaierror(code: int) -> OSError:
    if code == socket.EAI_SYSTEM:
        return error(ffi.errno)
    return socket.gaierror(code, _text(lib.gai_strerror(code)))


def _encoded(host: object) -> bytes | None:
    if host is None:
        return None
    if isinstance(host, str):
        raw = host.encode("idna") if host else b""
    elif isinstance(host, bytes | bytearray):
        raw = bytes(host)
    else:
        raise TypeError("getaddrinfo() argument 1 must be string or None")
    if b"\0" in raw:
        raise ValueError("embedded null character")
    return raw


def _service(port: object) -> bytes | None:
    if port is None or isinstance(port, bytes):
        return port
    if isinstance(port, int):
        return str(port).encode()
    if isinstance(port, str):
        return port.encode()
    raise OSError("Int or String expected")


@contextmanager
def _addresses(
    host: bytes | None, port: bytes | None, family: int, kind: int, proto: int, flags: int
) -> Iterator[list[_AddrInfo]]:
    """The struct addrinfos; freed afterwards."""
    hints = ffi.new(
        "struct addrinfo *",
        {"ai_family": family, "ai_socktype": kind, "ai_protocol": proto, "ai_flags": flags},
    )
    first = ffi.new("struct addrinfo **")
    node = ffi.NULL if host is None else ffi.new("char[]", host)
    service = ffi.NULL if port is None else ffi.new("char[]", port)
    code = lib.minion_getaddrinfo(node, service, hints, first)
    if code:
        raise _gaierror(code)
    try:
        chain = []
        info: _AddrInfo = first[0]
        while info:
            chain.append(info)
            info = info.ai_next
        yield chain
    finally:
        lib.minion_freeaddrinfo(first[0])


def getaddrinfo(
    host: Host, port: Host | int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
) -> list[Found]:
    found: list[Found] = []
    with _addresses(_encoded(host), _service(port), family, type, proto, flags) as chain:
        for info in chain:
            name = _text(info.ai_canonname) if info.ai_canonname else ""
            raw = bytes(ffi.buffer(info.ai_addr, info.ai_addrlen))
            kind = socket.SocketKind(info.ai_socktype)
            proto_found: int = info.ai_protocol
            where = unpack(raw)
            family_found = AF_INET if where and len(where) == 2 else AF_INET6
            found.append((family_found, kind, proto_found, name, where))
    return found


def ipv4_of(host: object) -> bytes:
    """A host as socket methods take it, in 4 bytes.  (CPython's setipaddr)"""
    if host in ("", b""):
        return bytes(4)
    if host in ("<broadcast>", b"<broadcast>"):
        return b"\xff" * 4
    if not isinstance(host, str | bytes | bytearray):
        kind = host.__class__.__name__
        raise TypeError(f"str, bytes or bytearray expected, not {kind}")
    with _addresses(_encoded(host), None, AF_INET, SOCK_STREAM, 0, 0) as chain:
        info = chain[0]
        where = unpack(bytes(ffi.buffer(info.ai_addr, info.ai_addrlen)))
    assert where is not None
    return inet_aton(where[0])


def gethostbyname(hostname: str | bytes, /) -> str:
    return socket.inet_ntoa(ipv4_of(hostname))


def getnameinfo(sockaddr: object, flags: int, /) -> tuple[str, str]:
    if not isinstance(sockaddr, tuple):
        del sockaddr  # else the traceback would hold it
        raise TypeError("getnameinfo() argument 1 must be a tuple")
    host, port = _encoded(sockaddr[0]), _service(sockaddr[1])
    name = ffi.new("char[]", _NI_MAXHOST)
    service = ffi.new("char[]", _NI_MAXSERV)
    with _addresses(host, port, 0, SOCK_DGRAM, 0, AI_NUMERICHOST) as chain:
        if len(chain) > 1:
            raise OSError("sockaddr resolved to multiple addresses")
        info = chain[0]
        code = lib.minion_getnameinfo(
            info.ai_addr,
            info.ai_addrlen,
            name,
            _NI_MAXHOST,
            service,
            _NI_MAXSERV,
            flags,
        )
    if code:
        raise _gaierror(code)
    return _text(name), _text(service)


class _HostEnt(Protocol):
    """struct hostent"""

    h_name: _CDataBase
    h_aliases: _CDataBase
    h_addrtype: int
    h_length: int
    h_addr_list: _CDataBase


class _Entry:
    """Room for one struct hostent of the reentrant calls."""

    def __init__(self) -> None:
        self.entry = ffi.new("struct hostent *")
        self.host: _HostEnt = self.entry[0]
        self.buf = ffi.new("char[]", _ENTRY_ROOM)
        self.result = ffi.new("struct hostent **")
        self.error = ffi.new("int *")

    def read(self) -> tuple[str, list[str], list[str]]:
        if not self.result[0]:
            code = self.error[0]
            raise socket.herror(code, _text(lib.hstrerror(code)))
        return _text(self.host.h_name), self._strings(), self._addresses()

    def _strings(self) -> list[str]:
        names, i = [], 0
        while self.host.h_aliases[i]:
            names.append(_text(self.host.h_aliases[i]))
            i += 1
        return names

    def _addresses(self) -> list[str]:
        found, i = [], 0
        family, size = self.host.h_addrtype, self.host.h_length
        while self.host.h_addr_list[i]:
            found.append(
                socket.inet_ntop(family, bytes(ffi.buffer(self.host.h_addr_list[i], size)))
            )
            i += 1
        return found


def gethostbyname_ex(hostname: str | bytes, /) -> tuple[str, list[str], list[str]]:
    ipv4_of(hostname)  # gaierror rather than herror, as CPython
    name = _encoded(hostname) or b""
    e = _Entry()
    lib.minion_gethostbyname_r(name, e.entry, e.buf, _ENTRY_ROOM, e.result, e.error)
    return e.read()


def gethostbyaddr(ip_address: str | bytes, /) -> tuple[str, list[str], list[str]]:
    ip = ipv4_of(ip_address)
    e = _Entry()
    lib.minion_gethostbyaddr_r(ip, len(ip), AF_INET, e.entry, e.buf, _ENTRY_ROOM, e.result, e.error)
    return e.read()
