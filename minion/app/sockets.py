"""socket(2): which kinds there are."""

from __future__ import annotations

from collections.abc import Callable

from minion.app.datagram import UdpFile
from minion.app.socketfile import SocketFile
from minion.app.stream import TcpFile
from stack.netstack import Netstack
from stack.socket import constants as c


def make_socket(net: Netstack, domain: int, kind: int, protocol: int) -> SocketFile:
    """EAFNOSUPPORT, EPROTONOSUPPORT, ESOCKTNOSUPPORT."""
    if domain != c.AF_INET:
        raise OSError(97, "IPv4 only")
    makers: dict[int, Callable[[Netstack], SocketFile]] = {
        c.SOCK_STREAM: TcpFile,
        c.SOCK_DGRAM: UdpFile,
    }
    if kind not in makers:
        raise OSError(94, "streams and datagrams")
    made = makers[kind]
    wanted = c.IPPROTO_TCP if kind == c.SOCK_STREAM else 17
    if protocol not in (0, wanted):
        raise OSError(93, "no such protocol")
    return made(net)
