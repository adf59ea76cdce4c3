"""What cffi builds from libminion/api.h (build_shim.py), as far as minionsocket uses it."""

from typing import Protocol

from _cffi_backend import FFI, _CDataBase

class _Lib(Protocol):
    MINION_ABI: int
    MINION_ID: int
    MINION_DATA_MAX: int
    MINION_NONBLOCK: int
    MINION_ADMIN: int
    MINION_ASK: int
    MINION_NULL: int
    MINION_NAME_PREFIX: int
    MINION_MARK_PREFIX: int
    def minion_is_ours(self, fd: int) -> int: ...
    def minion_reads(self, fd: int) -> int: ...
    def minion_more(self, fd: int, n: int) -> None: ...
    def minion_recv(self, fd: int, buf: _CDataBase, n: int, flags: int) -> int: ...
    def minion_explain(self, fd: int, writing: int) -> int: ...
    def minion_socket(self, domain: int, type: int, protocol: int) -> int: ...
    def minion_bind(self, fd: int, addr: _CDataBase, len: int) -> int: ...
    def minion_listen(self, fd: int, backlog: int) -> int: ...
    def minion_connect(self, fd: int, addr: _CDataBase, len: int) -> int: ...
    def minion_accept4(self, fd: int, addr: _CDataBase, len: _CDataBase, flags: int) -> int: ...
    def minion_getsockname(self, fd: int, addr: _CDataBase, len: _CDataBase) -> int: ...
    def minion_getpeername(self, fd: int, addr: _CDataBase, len: _CDataBase) -> int: ...
    def minion_getsockopt(
        self, fd: int, level: int, name: int, value: _CDataBase, len: _CDataBase
    ) -> int: ...
    def minion_setsockopt(
        self, fd: int, level: int, name: int, value: _CDataBase, len: int
    ) -> int: ...
    def minion_shutdown(self, fd: int, how: int) -> int: ...
    def minion_getaddrinfo(
        self, node: _CDataBase, service: _CDataBase, hints: _CDataBase, list: _CDataBase
    ) -> int: ...
    def minion_freeaddrinfo(self, list: _CDataBase) -> None: ...
    def minion_getnameinfo(
        self,
        addr: _CDataBase,
        len: int,
        host: _CDataBase,
        host_room: int,
        service: _CDataBase,
        service_room: int,
        flags: int,
    ) -> int: ...
    def minion_gethostbyname_r(
        self,
        name: bytes,
        entry: _CDataBase,
        buf: _CDataBase,
        room: int,
        result: _CDataBase,
        error: _CDataBase,
    ) -> int: ...
    def minion_gethostbyaddr_r(
        self,
        addr: bytes,
        len: int,
        family: int,
        entry: _CDataBase,
        buf: _CDataBase,
        room: int,
        result: _CDataBase,
        error: _CDataBase,
    ) -> int: ...
    def gai_strerror(self, code: int) -> _CDataBase: ...
    def hstrerror(self, code: int) -> _CDataBase: ...

ffi: FFI
lib: _Lib
