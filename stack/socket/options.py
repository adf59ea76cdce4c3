"""Socket options of stream sockets: one table, with Linux's numbers and layouts.

Values cross as bytes in the host's byte order, as in getsockopt(2); see socket(7), tcp(7), ip(7).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from errno import EINVAL, ENOPROTOOPT, EOPNOTSUPP

from stack.config import SECOND
from stack.socket import constants as c
from stack.socket.stream import StreamSocket
from stack.socket.tcp_info import tcp_info
from stack.tcp.tcb import Tcb

Getter = Callable[[StreamSocket], bytes]
Setter = Callable[[StreamSocket, bytes], None]
INT = struct.Struct("i")
LINGER = struct.Struct("ii")
BUFFER_MIN_BYTES = 4608
BUFFER_MAX_BYTES = 8 << 20


def integer(value: bytes) -> int:
    if len(value) < INT.size:
        raise OSError(EINVAL, "option value too short")
    number: int = INT.unpack_from(value)[0]
    return number


def _tcb_flag(name: str) -> tuple[Getter, Setter]:
    def get(sock: StreamSocket) -> bytes:
        return INT.pack(bool(sock.effective(name)))

    def put(sock: StreamSocket, value: bytes) -> None:
        on = bool(integer(value))
        sock.configure(name, on)
        if name == "nodelay" and on:
            sock.push(force=True)
        elif name == "cork" and not on:
            sock.push()

    return get, put


def _tcb_number(name: str, low: int, high: int, unit: int = 1) -> tuple[Getter, Setter]:
    def get(sock: StreamSocket) -> bytes:
        return INT.pack(sock.effective(name) // unit)

    def put(sock: StreamSocket, value: bytes) -> None:
        number = integer(value)
        if not low <= number <= high:
            raise OSError(EINVAL, "option value out of range")
        sock.configure(name, number * unit)

    return get, put


def _buffer(name: str) -> tuple[Getter, Setter]:
    """SO_SNDBUF and SO_RCVBUF: Linux doubles what is set, and reports the doubled value."""

    def get(sock: StreamSocket) -> bytes:
        return INT.pack(sock.effective(name))

    def put(sock: StreamSocket, value: bytes) -> None:
        number = max(BUFFER_MIN_BYTES, min(2 * integer(value), BUFFER_MAX_BYTES))
        sock.configure(name, number)

    return get, put


def _constant(number: int) -> Getter:
    return lambda _sock: INT.pack(number)


def _kept(level: int, name: int, default: int, flag: bool = False) -> tuple[Getter, Setter]:
    """An option that changes nothing here, but keeps its value."""

    def get(sock: StreamSocket) -> bytes:
        return INT.pack(sock.kept.get((level, name), default))

    def put(sock: StreamSocket, value: bytes) -> None:
        number = integer(value)
        sock.kept[level, name] = bool(number) if flag else number

    return get, put


def _ignored(_sock: StreamSocket, value: bytes) -> None:
    """An option that changes nothing here but must be accepted; the value's size is checked."""
    integer(value)


def _set_reuse(sock: StreamSocket, value: bytes) -> None:
    sock.reuse_address = bool(integer(value))


def _get_linger(sock: StreamSocket) -> bytes:
    return LINGER.pack(sock.linger_s is not None, sock.linger_s or 0)


def _set_linger(sock: StreamSocket, value: bytes) -> None:
    if len(value) < LINGER.size:
        raise OSError(EINVAL, "struct linger too short")
    on, seconds = LINGER.unpack_from(value)
    sock.linger_s = max(0, seconds) if on else None


def _set_keepalive(sock: StreamSocket, value: bytes) -> None:
    on = bool(integer(value))
    sock.configure("keepalive", on)
    sock.restart_keepalive()


def _set_keepidle(sock: StreamSocket, value: bytes) -> None:
    _KEEPIDLE[1](sock, value)
    sock.restart_keepalive()


def _set_maxseg(sock: StreamSocket, value: bytes) -> None:
    mss = integer(value)
    if not 88 <= mss <= 32767:
        raise OSError(EINVAL, "TCP_MAXSEG out of range")
    sock.configure("user_mss", mss)


def _get_maxseg(sock: StreamSocket) -> bytes:
    return INT.pack(sock.effective("mss"))


def _get_quickack(sock: StreamSocket) -> bytes:
    return INT.pack(not sock.effective("pingpong"))


def _set_quickack(sock: StreamSocket, value: bytes) -> None:
    sock.set_quickack(integer(value))


def _set_congestion(_sock: StreamSocket, value: bytes) -> None:
    if value.split(b"\0")[0] not in (b"reno", b"newreno"):
        raise OSError(2, "congestion control not available: this stack has reno")  # ENOENT


def _mtu(sock: StreamSocket) -> bytes:
    tcb: Tcb | None = sock.tcb
    if tcb is None:
        raise OSError(107, "not connected")  # ENOTCONN
    return INT.pack(tcb.path.mtu_bytes)


def _read_only(_sock: StreamSocket, _value: bytes) -> None:
    raise OSError(ENOPROTOOPT, "read-only option")


_KEEPIDLE = _tcb_number("keep_idle_ns", 1, 32767, SECOND)
_SOL, _TCP, _IP = c.SOL_SOCKET, c.IPPROTO_TCP, c.IPPROTO_IP
TABLE: dict[tuple[int, int], tuple[Getter, Setter]] = {
    (_SOL, c.SO_REUSEADDR): (lambda s: INT.pack(s.reuse_address), _set_reuse),
    (_SOL, c.SO_REUSEPORT): _kept(_SOL, c.SO_REUSEPORT, 0, flag=True),
    (_SOL, c.SO_TYPE): (_constant(c.SOCK_STREAM), _read_only),
    (_SOL, c.SO_DOMAIN): (_constant(c.AF_INET), _read_only),
    (_SOL, c.SO_PROTOCOL): (_constant(c.IPPROTO_TCP), _read_only),
    (_SOL, c.SO_ACCEPTCONN): (lambda s: INT.pack(s.listener is not None), _read_only),
    (_SOL, c.SO_ERROR): (lambda s: INT.pack(s.take_error()), _read_only),
    (_SOL, c.SO_SNDBUF): _buffer("sndbuf_bytes"),
    (_SOL, c.SO_RCVBUF): _buffer("rcvbuf_bytes"),
    (_SOL, c.SO_KEEPALIVE): (_tcb_flag("keepalive")[0], _set_keepalive),
    (_SOL, c.SO_LINGER): (_get_linger, _set_linger),
    (_SOL, c.SO_OOBINLINE): _kept(_SOL, c.SO_OOBINLINE, 0, flag=True),
    (_SOL, c.SO_BROADCAST): _kept(_SOL, c.SO_BROADCAST, 0, flag=True),
    (_SOL, c.SO_DONTROUTE): _kept(_SOL, c.SO_DONTROUTE, 0, flag=True),
    (_SOL, c.SO_PRIORITY): _kept(_SOL, c.SO_PRIORITY, 0),
    (_TCP, c.TCP_NODELAY): _tcb_flag("nodelay"),
    (_TCP, c.TCP_CORK): _tcb_flag("cork"),
    (_TCP, c.TCP_MAXSEG): (_get_maxseg, _set_maxseg),
    (_TCP, c.TCP_KEEPIDLE): (_KEEPIDLE[0], _set_keepidle),
    (_TCP, c.TCP_KEEPINTVL): _tcb_number("keep_interval_ns", 1, 32767, SECOND),
    (_TCP, c.TCP_KEEPCNT): _tcb_number("keep_probes", 1, 127),
    (_TCP, c.TCP_USER_TIMEOUT): _tcb_number("user_timeout_ns", 0, 1 << 31, 1_000_000),
    (_TCP, c.TCP_SYNCNT): _kept(_TCP, c.TCP_SYNCNT, 6),
    (_TCP, c.TCP_LINGER2): _kept(_TCP, c.TCP_LINGER2, 60),
    (_TCP, c.TCP_WINDOW_CLAMP): _kept(_TCP, c.TCP_WINDOW_CLAMP, 0),
    (_TCP, c.TCP_QUICKACK): (_get_quickack, _set_quickack),
    (_TCP, c.TCP_DEFER_ACCEPT): _kept(_TCP, c.TCP_DEFER_ACCEPT, 0),
    (_TCP, c.TCP_NOTSENT_LOWAT): _kept(_TCP, c.TCP_NOTSENT_LOWAT, -1),
    (_TCP, c.TCP_CONGESTION): (lambda _s: b"reno".ljust(16, b"\0"), _set_congestion),
    (_TCP, c.TCP_INFO): (tcp_info, _read_only),
    (_IP, c.IP_TOS): _tcb_number("tos", 0, 255),
    (_IP, c.IP_TTL): _tcb_number("ttl", 1, 255),
    (_IP, c.IP_MTU_DISCOVER): (_constant(1), _ignored),
    (_IP, c.IP_RECVERR): (_constant(0), _ignored),
    (_IP, c.IP_BIND_ADDRESS_NO_PORT): (_constant(0), _ignored),
    (_IP, c.IP_MTU): (_mtu, _read_only),
}


def getsockopt(sock: StreamSocket, level: int, name: int, room: int) -> bytes:
    """The option's value, cut to room bytes.  ENOPROTOOPT, EOPNOTSUPP (level), EINVAL."""
    entry = TABLE.get((level, name))
    if entry is None:
        known = level in (c.SOL_SOCKET, c.IPPROTO_TCP, c.IPPROTO_IP)
        raise OSError(ENOPROTOOPT if known else EOPNOTSUPP, "unknown option")
    if room < 0:
        raise OSError(EINVAL, "negative length")
    return entry[0](sock)[:room]


def setsockopt(sock: StreamSocket, level: int, name: int, value: bytes) -> None:
    """ENOPROTOOPT, EINVAL, or the option's own error."""
    entry = TABLE.get((level, name))
    if entry is None:
        raise OSError(ENOPROTOOPT, "unknown option")
    entry[1](sock, value)
