"""IPPROTO_IP's options that do more than keep a number within bounds, as Linux does it."""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EFAULT, EINVAL, EMSGSIZE, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP, EPERM

from stack.socket import constants as c
from stack.socket.rows import INT, Value
from stack.socket.stream import StreamSocket

TOS_TO_PRIORITY = (0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4)
GROUP_FILTER_BYTES = 144
SOL, IP = c.SOL_SOCKET, c.IPPROTO_IP


def no_getter(_sock: StreamSocket) -> bytes:
    raise OSError(ENOPROTOOPT, "cannot be read")


def put_tos(sock: StreamSocket, number: int) -> None:
    """The bits of RFC 3168 are TCP's own; the rest also chooses the priority."""
    tos = number & 0xFC | sock.effective("tos") & 3
    if tos != sock.effective("tos"):
        sock.configure("tos", tos)
        sock.kept[SOL, c.SO_PRIORITY] = TOS_TO_PRIORITY[(tos & 0x1E) >> 1]


def get_ttl(sock: StreamSocket) -> bytes:
    return INT.pack(sock.effective("ttl"))


def put_ttl(sock: StreamSocket, number: int) -> None:
    if number != -1 and not 1 <= number <= 255:
        raise OSError(EINVAL, "TTL out of range")
    sock.configure("ttl", number if number != -1 else sock.default("ttl"))


def get_mtu(sock: StreamSocket) -> bytes:
    tcb = sock.tcb
    if tcb is None:
        raise OSError(ENOTCONN, "not connected")
    return INT.pack(tcb.path.mtu_bytes)


def get_local_port(sock: StreamSocket) -> bytes:
    """Linux answers IP_PROTOCOL with the port (inet_num)."""
    return INT.pack(sock.local[1])


def get_multicast_ttl(sock: StreamSocket) -> bytes:
    """Of an accepted connection Linux tells another field (inet_csk_clone_lock())."""
    return INT.pack(sock.effective("ttl") if sock.accepted else 1)


def put_multicast_ttl(_sock: StreamSocket, _number: int) -> None:
    raise OSError(EINVAL, "not of a stream")


def put_unicast_if(sock: StreamSocket, number: int) -> None:
    index = int.from_bytes(INT.pack(number), "big")
    if index and not 1 <= index <= len(sock.interface_names()):
        raise OSError(EADDRNOTAVAIL, "no such interface")
    sock.kept[IP, c.IP_UNICAST_IF] = number


def put_port_range(sock: StreamSocket, number: int) -> None:
    low, high = number & 0xFFFF, number >> 16 & 0xFFFF
    if low and high and low > high:
        raise OSError(EINVAL, "an empty range")
    sock.kept[IP, c.IP_LOCAL_PORT_RANGE] = number
    sock.port_range = (low, high)


def get_ip_options(sock: StreamSocket) -> bytes:
    return sock.kept_bytes.get((IP, c.IP_OPTIONS), b"")


def set_ip_options(sock: StreamSocket, value: Value, length: int, _privileged: bool) -> None:
    """Checked (ip_options_compile()) and kept; this stack sends none.  Source routes: EINVAL."""
    if length > 40:
        raise OSError(EINVAL, "IP options too long")
    if length and value is None:
        raise OSError(EFAULT, "no options")
    options = bytearray((value or b"").ljust(length + 3 & ~3, b"\0"))
    at = 0
    while at < len(options):
        kind = options[at]
        if kind == 0:  # end: nothing counts behind it
            options[at:] = bytes(len(options) - at)
            break
        if kind == 1:
            at += 1
            continue
        size = options[at + 1] if at + 1 < len(options) else 0
        if kind in (131, 137) or not 2 <= size <= len(options) - at:
            raise OSError(EINVAL, "bad IP option")
        at += size
    sock.kept_bytes[IP, c.IP_OPTIONS] = bytes(options)


def _no_policy(value: Value, length: int, privileged: bool, error: int) -> None:
    """There is no IPsec; what is nothing can be taken away."""
    if not privileged:
        raise OSError(EPERM, "CAP_NET_ADMIN is needed")
    if value is None and not length:
        return
    if not 0 < length <= 4096:
        raise OSError(EMSGSIZE, "policy length")
    raise OSError(EFAULT if value is None else error, "no IPsec")


def set_ipsec_policy(_sock: StreamSocket, value: Value, length: int, privileged: bool) -> None:
    _no_policy(value, length, privileged, EOPNOTSUPP)


def set_xfrm_policy(_sock: StreamSocket, value: Value, length: int, privileged: bool) -> None:
    _no_policy(value, length, privileged, EINVAL)


def no_filter(_sock: StreamSocket) -> bytes:
    raise OSError(EINVAL, "no multicast on a stream")


def set_filter(_sock: StreamSocket, _value: Value, length: int, _privileged: bool) -> None:
    if length < GROUP_FILTER_BYTES:
        raise OSError(EINVAL, "struct group_filter too short")
    raise OSError(EADDRNOTAVAIL, "no multicast on a stream")
