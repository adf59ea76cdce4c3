"""What is replaced, and how it is put back exactly."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from minionsocket import data, interfaces, methods, resolver

_MISSING = object()  # the class inherited it: restoring means deleting

_METHODS: dict[str, Callable[..., object]] = {
    "__init__": methods.init,
    "_accept": methods.accept,  # socket.socket.accept is built on it
    "bind": methods.bind,
    "connect": methods.connect,
    "connect_ex": methods.connect_ex,
    "listen": methods.listen,
    "getsockname": methods.getsockname,
    "getpeername": methods.getpeername,
    "getsockopt": methods.getsockopt,
    "setsockopt": methods.setsockopt,
    "shutdown": methods.shutdown,
    "recv": data.recv,
    "recv_into": data.recv_into,
    "recvfrom": data.recvfrom,
    "recvfrom_into": data.recvfrom_into,
    "recvmsg": data.recvmsg,
    "recvmsg_into": data.recvmsg_into,
    "send": data.send,
    "sendall": data.sendall,
    "sendto": data.sendto,
    "sendmsg": data.sendmsg,
    "sendfile": data.sendfile,
}

# fromfd, socketpair, create_server and getfqdn are built on these and need nothing of their own.
_FUNCTIONS: dict[str, object] = {
    "getaddrinfo": resolver.getaddrinfo,
    "getnameinfo": resolver.getnameinfo,
    "gethostbyname": resolver.gethostbyname,
    "gethostbyname_ex": resolver.gethostbyname_ex,
    "gethostbyaddr": resolver.gethostbyaddr,
    "if_nameindex": interfaces.if_nameindex,
    "if_nametoindex": interfaces.if_nametoindex,
    "if_indextoname": interfaces.if_indextoname,
    "has_dualstack_ipv6": lambda: False,
    "has_ipv6": False,
}

_saved: list[tuple[object, str, object]] = []


def is_patched() -> bool:
    return bool(_saved)


def patch() -> None:
    """Sockets made from now on are the minion's.  Does nothing the second time."""
    if _saved:
        return
    for owner, table in ((socket.socket, _METHODS), (socket, _FUNCTIONS)):
        for name, new in table.items():
            _saved.append((owner, name, vars(owner).get(name, _MISSING)))
            setattr(owner, name, new)


def unpatch() -> None:
    """Everything as it was.  Sockets of a minion that are still open lose their control calls."""
    while _saved:
        owner, name, old = _saved.pop()
        if old is _MISSING:
            delattr(owner, name)
        else:
            setattr(owner, name, old)


@contextmanager
def patched() -> Iterator[None]:
    """Patched inside; afterwards as before."""
    before = is_patched()
    patch()
    try:
        yield
    finally:
        if not before:
            unpatch()
