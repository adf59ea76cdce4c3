"""Datagram sockets of apps."""

from __future__ import annotations

from contextlib import suppress
from errno import (
    EDESTADDRREQ,
    EINVAL,
    ENOPROTOOPT,
    ENOTCONN,
    EPIPE,
)
from struct import pack
from typing import Final

from minion.app.files import (
    POLLERR,
    POLLIN,
    POLLOUT,
)
from minion.app.socketfile import MSG_PEEK, Address, SocketFile
from stack.netstack import Netstack
from stack.socket import constants as c

BUFFER_BYTES: Final = 212992
"""What programs are told that the buffers are, as on Linux; the stack counts datagrams."""


class UdpFile(SocketFile):
    """A datagram socket."""

    kind = c.SOCK_DGRAM
    protocol = 17
    OPTIONS: Final = frozenset(
        {c.SO_REUSEADDR, c.SO_BROADCAST, c.SO_SNDBUF, c.SO_RCVBUF, c.SO_REUSEPORT, c.SO_PRIORITY}
    )

    def __init__(self, net: Netstack) -> None:
        super().__init__()
        self._net = net
        self._endpoint = net.udp.endpoint()
        self._endpoint.readable = self.changed
        self._shut_read = self._shut_write = False
        self._kept: dict[int, bytes] = {}

    def poll(self) -> int:
        endpoint = self._endpoint
        ready = POLLOUT | (POLLIN if endpoint.queue or self._shut_read else 0)
        return ready | (POLLERR if endpoint.error else 0)

    def bind(self, address: Address) -> None:
        if self._endpoint.local[1]:
            raise OSError(EINVAL, "already bound")
        self._endpoint.bind(*address)

    def connect(self, address: Address) -> None:
        self._endpoint.connect(address)

    def disconnect(self) -> None:
        self._endpoint.remote = None

    def send(self, data: bytes | memoryview, to: Address | None) -> int:
        if to is None and self._endpoint.remote is None:
            raise OSError(EDESTADDRREQ, "no destination")
        if self._shut_write:
            raise OSError(EPIPE, "shut down")
        self._endpoint.send(bytes(data), to)
        return len(data)

    def recv(self, length: int, flags: int) -> tuple[bytes, Address | None, int]:
        endpoint = self._endpoint
        if endpoint.error:
            error, endpoint.error = endpoint.error, 0
            raise OSError(error, "reported by ICMP")
        if not endpoint.queue:
            if self._shut_read:
                return b"", None, 0
            raise BlockingIOError
        source, payload = endpoint.queue[0] if flags & MSG_PEEK else endpoint.queue.popleft()
        return payload[:length], source, len(payload)

    def shutdown(self, how: int) -> None:
        if self._endpoint.remote is None:
            raise OSError(ENOTCONN, "not connected")
        if how not in (c.SHUT_RD, c.SHUT_WR, c.SHUT_RDWR):
            raise OSError(EINVAL, "shutdown: how")
        self._shut_read = self._shut_read or how != c.SHUT_WR
        self._shut_write = self._shut_write or how != c.SHUT_RD
        self.changed()

    @property
    def state(self) -> str:
        return "UDP"

    def getsockname(self) -> Address:
        local, remote = self._endpoint.local, self._endpoint.remote
        if not local[0] and remote is not None:
            with suppress(OSError):  # no way there: no address of ours either
                return self._net.ip.path(remote[0], 0).src, local[1]
        return local

    def getpeername(self) -> Address:
        if self._endpoint.remote is None:
            raise OSError(ENOTCONN, "not connected")
        return self._endpoint.remote

    def getsockopt(self, level: int, name: int, room: int) -> bytes:
        if level == c.SOL_SOCKET:
            if name == c.SO_ERROR:
                error, self._endpoint.error = self._endpoint.error, 0
                return pack("i", error)[:room]
            fixed = {c.SO_TYPE: self.kind, c.SO_DOMAIN: c.AF_INET, c.SO_PROTOCOL: self.protocol}
            if name in fixed:
                return pack("i", fixed[name])[:room]
            if name in self.OPTIONS:
                size = BUFFER_BYTES if name in (c.SO_SNDBUF, c.SO_RCVBUF) else 0
                return self._kept.get(name, pack("i", size))[:room]
        raise OSError(ENOPROTOOPT, "unknown option")

    def setsockopt(self, level: int, name: int, value: bytes) -> None:
        if level != c.SOL_SOCKET or name not in self.OPTIONS:
            raise OSError(ENOPROTOOPT, "unknown option")
        if len(value) < 4:
            raise OSError(EINVAL, "option value too short")
        self._kept[name] = value[:4]

    def ioctl(self, request: int) -> bytes | None:
        if request == c.SIOCINQ:
            queue = self._endpoint.queue
            return pack("i", len(queue[0][1]) if queue else 0)
        if request == c.SIOCOUTQ:
            return pack("i", 0)
        return super().ioctl(request)

    def close(self) -> None:
        self._endpoint.close()
