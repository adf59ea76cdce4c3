"""IPPROTO_TCP's options that do more than keep a number within bounds, as Linux does it."""

from __future__ import annotations

import struct
from errno import EFAULT, EINVAL, ENOENT, EPERM

from stack.config import MS, SECOND
from stack.socket import constants as c
from stack.socket.rows import INT, Setter, Value, state_of
from stack.socket.sol_socket import NAME_BYTES, RCVBUF_MIN_BYTES
from stack.socket.stream import StreamSocket
from stack.tcp.state import State

LINGER2_MAX_S = 120
CLAMP_MIN_BYTES = RCVBUF_MIN_BYTES // 2
FASTOPEN_MAX = 4096
SYN_RETRIES = 6
"""What Linux has (net.ipv4.tcp_syn_retries); stack/config.py's are RFC 9293's three minutes."""
TCP = c.IPPROTO_TCP


def _needs_state(sock: StreamSocket, *states: State) -> None:
    if state_of(sock) not in states:
        raise OSError(EINVAL, "too late for this option")


def put_nodelay(sock: StreamSocket, number: int) -> None:
    sock.configure("nodelay", number)
    if number:
        sock.push(force=True)


def put_cork(sock: StreamSocket, number: int) -> None:
    sock.configure("cork", number)
    if not number:
        sock.push()


def get_maxseg(sock: StreamSocket) -> bytes:
    asked = sock.effective("user_mss")
    if asked and state_of(sock) in (State.CLOSED, State.LISTEN):
        return INT.pack(asked)
    return INT.pack(sock.effective("mss"))


def put_maxseg(sock: StreamSocket, number: int) -> None:
    if number and not 88 <= number <= 32767:
        raise OSError(EINVAL, "TCP_MAXSEG out of range")
    sock.configure("user_mss", number)


def put_keepidle(sock: StreamSocket, number: int) -> None:
    sock.configure("keep_idle_ns", number * SECOND)
    sock.restart_keepalive()


def get_syncnt(sock: StreamSocket) -> bytes:
    return INT.pack(sock.effective("syn_retries") or SYN_RETRIES)


def get_linger2(sock: StreamSocket) -> bytes:
    span = sock.effective("linger2_ns")
    return INT.pack(span // SECOND if span >= 0 else -1)


def put_linger2(sock: StreamSocket, number: int) -> None:
    default = sock.default("linger2_ns")
    span = min(number, LINGER2_MAX_S) * SECOND or default
    sock.configure("linger2_ns", span if number >= 0 else -1)


def get_defer_accept(sock: StreamSocket) -> bytes:
    """retrans_to_secs(): how long so many SYN-ACKs take."""
    seconds, timeout = 0, 1
    for _ in range(sock.defer_accept):
        seconds += timeout
        timeout = min(timeout * 2, 120)
    return INT.pack(seconds)


def put_defer_accept(sock: StreamSocket, number: int) -> None:
    """secs_to_retrans()"""
    count, timeout, period = int(number > 0), 1, 1
    while number > period and count < 255:
        count += 1
        timeout = min(timeout * 2, 120)
        period += timeout
    sock.defer_accept = count
    if sock.listener is not None:
        sock.listener.defer_accept = count


def get_window_clamp(sock: StreamSocket) -> bytes:
    default = 0 if sock.tcb is None else sock.effective("rcvbuf_bytes")
    return INT.pack(sock.kept.get((TCP, c.TCP_WINDOW_CLAMP), default))


def put_window_clamp(sock: StreamSocket, number: int) -> None:
    if not number:
        _needs_state(sock, State.CLOSED)
    clamp = max(number, CLAMP_MIN_BYTES) if number else 0
    sock.kept[TCP, c.TCP_WINDOW_CLAMP] = clamp


def get_quickack(sock: StreamSocket) -> bytes:
    return INT.pack(not sock.effective("pingpong"))


def put_quickack(sock: StreamSocket, number: int) -> None:
    sock.set_quickack(number)


def put_fastopen(sock: StreamSocket, number: int) -> None:
    _needs_state(sock, State.CLOSED, State.LISTEN)
    sock.kept[TCP, c.TCP_FASTOPEN] = min(number, FASTOPEN_MAX)


def put_fastopen_connect(sock: StreamSocket, number: int) -> None:
    _needs_state(sock, State.CLOSED)
    sock.kept[TCP, c.TCP_FASTOPEN_CONNECT] = number


def put_fastopen_no_cookie(sock: StreamSocket, number: int) -> None:
    _needs_state(sock, State.CLOSED, State.LISTEN)
    sock.kept[TCP, c.TCP_FASTOPEN_NO_COOKIE] = number


def get_timestamp(sock: StreamSocket) -> bytes:
    return struct.pack("I", sock.now_ns() // MS & 0xFFFFFFFF)


def put_queue_seq(sock: StreamSocket, _number: int) -> None:
    """Only in repair, which is not to be had."""
    raise OSError(EINVAL if state_of(sock) == State.CLOSED else EPERM, "not in repair")


def rounded(level: int, name: int, step: int) -> Setter:
    def put(sock: StreamSocket, number: int) -> None:
        sock.kept[level, name] = -(-number // step) * step

    return put


def get_congestion(_sock: StreamSocket) -> bytes:
    return b"reno".ljust(16, b"\0")


def _name(value: Value, length: int) -> bytes:
    if length < 1:
        raise OSError(EINVAL, "no name")
    if value is None:
        raise OSError(EFAULT, "no name")
    return value[: NAME_BYTES - 1].split(b"\0")[0]


def set_congestion(_sock: StreamSocket, value: Value, length: int, _privileged: bool) -> None:
    if _name(value, length) not in (b"reno", b"newreno"):
        raise OSError(ENOENT, "congestion control not available: this stack has reno")


def set_ulp(_sock: StreamSocket, value: Value, length: int, _privileged: bool) -> None:
    _name(value, length)
    raise OSError(ENOENT, "no upper layer protocols here")


def get_fastopen_key(sock: StreamSocket) -> bytes:
    return sock.kept_bytes.get((TCP, c.TCP_FASTOPEN_KEY), b"")


def set_fastopen_key(sock: StreamSocket, value: Value, length: int, _privileged: bool) -> None:
    if length not in (16, 32):
        raise OSError(EINVAL, "one key or two")
    if value is None:
        raise OSError(EFAULT, "no key")
    sock.kept_bytes[TCP, c.TCP_FASTOPEN_KEY] = value
