"""Socket options of stream sockets: one table, with Linux's numbers, layouts, bounds and errnos.

Values cross as bytes in the host's byte order, as in getsockopt(2); see socket(7), tcp(7), ip(7).
Where Linux is odd (a TTL of one byte, a length of 0) so is this: the host is the oracle, and
tests/e2e/test_socket_options.py asks it.  docs/options.md has what differs.
"""

from __future__ import annotations

from errno import (
    EACCES,
    EINVAL,
    ENODATA,
    ENODEV,
    ENOENT,
    ENOPROTOOPT,
    EOPNOTSUPP,
    EPERM,
    EPROTO,
)  # fmt: skip

from stack.config import MS, SECOND
from stack.socket import constants as c
from stack.socket import sol_ip as ip
from stack.socket import sol_socket as so
from stack.socket import sol_tcp as tc
from stack.socket.rows import (
    INT,
    INT_MAX,
    Getter,
    RawSetter,
    Read,
    Row,
    Value,
    get_empty,
    integer,
    nothing,
)  # fmt: skip
from stack.socket.stream import StreamSocket
from stack.socket.tcp_info import tcp_info

SOL, TCP, IP = c.SOL_SOCKET, c.IPPROTO_TCP, c.IPPROTO_IP
SHORT, SOME, EXACT, NONE = Read.SHORT, Read.SOME, Read.EXACT, Read.NONE
JIFFY_US = 4000
"""Linux counts the times of the newest options in these (CONFIG_HZ=250)."""


def _flags(level: int, names: tuple[int, ...], read: int = Read.WHOLE) -> list[Row]:
    return [Row(level, name, read, flag=True) for name in names]


def _refused(level: int, names: tuple[int, ...], read: int, put: int, get: int = 0) -> list[Row]:
    """put, get: what setting and reading end with; without get it is a 0."""
    return [Row(level, name, read, put_error=put, get_error=get) for name in names]


SOCKET_ROWS = [
    *_flags(SOL, (
        c.SO_DONTROUTE, c.SO_BROADCAST, c.SO_OOBINLINE, c.SO_NO_CHECK, c.SO_RXQ_OVFL,
        c.SO_WIFI_STATUS, c.SO_NOFCS, c.SO_SELECT_ERR_QUEUE, c.SO_RCVMARK, c.SO_RCVPRIORITY,
    )),
    Row(SOL, c.SO_DEBUG, flag=True, needs=so.nonzero, denied=EACCES),
    Row(SOL, c.SO_REUSEADDR, flag=True, get=so.get_reuse_address, put=so.put_reuse_address),
    Row(SOL, c.SO_REUSEPORT, flag=True, get=so.get_reuse_port, put=so.put_reuse_port),
    Row(SOL, c.SO_TYPE, default=c.SOCK_STREAM, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_DOMAIN, default=c.AF_INET, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_PROTOCOL, default=c.IPPROTO_TCP, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_ERROR, get=so.get_error, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_ACCEPTCONN, get=so.get_acceptconn, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_SNDBUF, home="sndbuf_bytes", put=so.put_sndbuf),
    Row(SOL, c.SO_RCVBUF, home="rcvbuf_bytes", put=so.put_rcvbuf),
    Row(SOL, c.SO_SNDBUFFORCE, put=so.force_sndbuf, get_error=ENOPROTOOPT, needs=so.always),
    Row(SOL, c.SO_RCVBUFFORCE, put=so.force_rcvbuf, get_error=ENOPROTOOPT, needs=so.always),
    Row(SOL, c.SO_BUF_LOCK, low=0, high=3),
    Row(SOL, c.SO_KEEPALIVE, flag=True, home="keepalive", put=so.put_keepalive),
    Row(SOL, c.SO_PRIORITY, needs=so.above_interactive),
    Row(SOL, c.SO_MARK, needs=so.always),
    Row(SOL, c.SO_BSDCOMPAT, put=nothing),
    Row(SOL, c.SO_RCVLOWAT, default=1, put=so.put_rcvlowat),
    Row(SOL, c.SO_SNDLOWAT, default=1, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_PEERCRED, get=so.get_peercred, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_PEERGROUPS, get_error=ENODATA, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_PEERPIDFD, get_error=ENODATA, put_error=ENOPROTOOPT),
    *_refused(SOL, (c.SO_PASSCRED, c.SO_PASSSEC, c.SO_PASSPIDFD, c.SO_PASSRIGHTS), Read.WHOLE,
              EOPNOTSUPP, EOPNOTSUPP),
    Row(SOL, c.SO_ATTACH_FILTER, get=get_empty, put_error=EINVAL),
    *_refused(SOL, (c.SO_ATTACH_BPF, c.SO_ATTACH_REUSEPORT_CBPF, c.SO_ATTACH_REUSEPORT_EBPF,
                    c.SO_DETACH_REUSEPORT_BPF), Read.WHOLE, EINVAL, ENOPROTOOPT),
    Row(SOL, c.SO_DETACH_FILTER, get_error=ENOPROTOOPT, put_error=ENOENT),
    Row(SOL, c.SO_LOCK_FILTER, flag=True, put=so.put_lock_filter),
    Row(SOL, c.SO_BPF_EXTENSIONS, default=64, put_error=ENOPROTOOPT),
    *(Row(SOL, name, flag=True, get=so.timestamp_getter(name), put=so.timestamp_setter(name))
      for name in so.TIMESTAMPS),
    Row(SOL, c.SO_BUSY_POLL, low=0, needs=so.raised(SOL, c.SO_BUSY_POLL, 0)),
    Row(SOL, c.SO_PREFER_BUSY_POLL, flag=True, needs=so.nonzero),
    Row(SOL, c.SO_BUSY_POLL_BUDGET, low=0, high=0xFFFF, get_error=ENOPROTOOPT,
        needs=so.raised(SOL, c.SO_BUSY_POLL_BUDGET, 8)),
    Row(SOL, c.SO_MAX_PACING_RATE, get=so.get_pacing),
    Row(SOL, c.SO_INCOMING_CPU, get=so.get_incoming_cpu),
    Row(SOL, c.SO_INCOMING_NAPI_ID, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_CNX_ADVICE, get_error=ENOPROTOOPT, put=nothing),
    Row(SOL, c.SO_MEMINFO, get=so.get_meminfo, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_COOKIE, get=so.get_cookie, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_NETNS_COOKIE, get=so.get_netns_cookie, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_PEERNAME, get=so.get_peername, put_error=ENOPROTOOPT),
    Row(SOL, c.SO_ZEROCOPY, low=0, high=1),
    Row(SOL, c.SO_BINDTOIFINDEX, low=0, needs=so.bound_to_device, put=so.put_ifindex),
    Row(SOL, c.SO_RESERVE_MEM, low=0, put=so.put_reserve_mem),
    Row(SOL, c.SO_TXREHASH, low=-1, high=1, default=1, put=so.put_txrehash),
]  # fmt: skip

TCP_ROWS = [
    Row(TCP, c.TCP_NODELAY, flag=True, home="nodelay", put=tc.put_nodelay),
    Row(TCP, c.TCP_CORK, flag=True, home="cork", put=tc.put_cork),
    Row(TCP, c.TCP_MAXSEG, get=tc.get_maxseg, put=tc.put_maxseg),
    Row(TCP, c.TCP_KEEPIDLE, low=1, high=32767, home="keep_idle_ns", unit=SECOND,
        put=tc.put_keepidle),
    Row(TCP, c.TCP_KEEPINTVL, low=1, high=32767, home="keep_interval_ns", unit=SECOND),
    Row(TCP, c.TCP_KEEPCNT, low=1, high=127, home="keep_probes"),
    Row(TCP, c.TCP_USER_TIMEOUT, low=0, home="user_timeout_ns", unit=MS),
    Row(TCP, c.TCP_SYNCNT, low=1, high=127, home="syn_retries", get=tc.get_syncnt),
    Row(TCP, c.TCP_LINGER2, home="linger2_ns", get=tc.get_linger2, put=tc.put_linger2),
    Row(TCP, c.TCP_DEFER_ACCEPT, get=tc.get_defer_accept, put=tc.put_defer_accept),
    Row(TCP, c.TCP_WINDOW_CLAMP, get=tc.get_window_clamp, put=tc.put_window_clamp),
    Row(TCP, c.TCP_QUICKACK, get=tc.get_quickack, put=tc.put_quickack),
    Row(TCP, c.TCP_NOTSENT_LOWAT),
    Row(TCP, c.TCP_INQ, low=0, high=1),
    Row(TCP, c.TCP_TX_DELAY, low=0, high=(1 << 28) - 1),
    Row(TCP, c.TCP_THIN_LINEAR_TIMEOUTS, low=0, high=1),
    Row(TCP, c.TCP_THIN_DUPACK, low=0, high=1, put=nothing),
    Row(TCP, c.TCP_SAVE_SYN, low=0, high=2),
    Row(TCP, c.TCP_SAVED_SYN, get=get_empty, put_error=ENOPROTOOPT),
    Row(TCP, c.TCP_FASTOPEN, low=0, put=tc.put_fastopen),
    Row(TCP, c.TCP_FASTOPEN_CONNECT, low=0, high=1, put=tc.put_fastopen_connect),
    Row(TCP, c.TCP_FASTOPEN_NO_COOKIE, low=0, high=1, put=tc.put_fastopen_no_cookie),
    Row(TCP, c.TCP_INFO, get=tcp_info, put_error=ENOPROTOOPT),
    Row(TCP, c.TCP_CC_INFO, get=get_empty, put_error=ENOPROTOOPT),
    Row(TCP, c.TCP_IS_MPTCP, put_error=ENOPROTOOPT),
    Row(TCP, c.TCP_TIMESTAMP, get=tc.get_timestamp, put_error=EPERM),
    Row(TCP, c.TCP_REPAIR, put_error=EPERM),
    *_refused(TCP, (c.TCP_REPAIR_QUEUE, c.TCP_REPAIR_WINDOW), Read.WHOLE, EPERM, EINVAL),
    Row(TCP, c.TCP_QUEUE_SEQ, get_error=EINVAL, put=tc.put_queue_seq),
    *_refused(TCP, (c.TCP_MD5SIG, c.TCP_MD5SIG_EXT, c.TCP_REPAIR_OPTIONS), Read.WHOLE, EINVAL,
              ENOPROTOOPT),
    Row(TCP, c.TCP_ZEROCOPY_RECEIVE, get_error=EINVAL, put_error=ENOPROTOOPT),
    Row(TCP, c.TCP_RTO_MAX_MS, low=1000, high=120_000, default=120_000,
        put=tc.rounded(TCP, c.TCP_RTO_MAX_MS, JIFFY_US // 1000)),
    *(Row(TCP, name, low=JIFFY_US + 1, high=200_000, default=200_000,
          put=tc.rounded(TCP, name, JIFFY_US)) for name in (c.TCP_RTO_MIN_US, c.TCP_DELACK_MAX_US)),
]  # fmt: skip

IP_ROWS = [
    Row(IP, c.IP_TOS, SHORT, home="tos", put=ip.put_tos),
    Row(IP, c.IP_TTL, SOME, get=ip.get_ttl, put=ip.put_ttl),
    *_flags(IP, (
        c.IP_RECVOPTS, c.IP_RETOPTS, c.IP_PKTINFO, c.IP_RECVERR, c.IP_RECVTTL, c.IP_RECVTOS,
        c.IP_PASSSEC, c.IP_RECVORIGDSTADDR, c.IP_CHECKSUM, c.IP_BIND_ADDRESS_NO_PORT,
    ), SHORT),
    Row(IP, c.IP_RECVERR_RFC4884, SHORT, 0, 1),
    Row(IP, c.IP_FREEBIND, SOME, flag=True),
    Row(IP, c.IP_TRANSPARENT, SOME, flag=True, needs=so.nonzero),
    Row(IP, c.IP_MTU_DISCOVER, SHORT, 0, 5, default=1),
    Row(IP, c.IP_MINTTL, SOME, 0, 255),
    Row(IP, c.IP_MTU, NONE, get=ip.get_mtu, put_error=ENOPROTOOPT),
    Row(IP, c.IP_PROTOCOL, NONE, get=ip.get_local_port, put_error=ENOPROTOOPT),
    Row(IP, c.IP_PKTOPTIONS, NONE, get=get_empty, put_error=ENOPROTOOPT),
    *_refused(IP, (c.IP_HDRINCL, c.IP_NODEFRAG), SHORT, ENOPROTOOPT),
    *_refused(IP, (c.IP_ROUTER_ALERT, c.IP_RECVFRAGSIZE), SHORT, EINVAL),
    Row(IP, c.IP_MULTICAST_IF, NONE, put_error=EINVAL),
    Row(IP, c.IP_MULTICAST_TTL, SHORT, put=ip.put_multicast_ttl, get=ip.get_multicast_ttl),
    Row(IP, c.IP_MULTICAST_LOOP, SOME, flag=True, default=1),
    Row(IP, c.IP_MULTICAST_ALL, SOME, 0, 1, default=1),
    *_refused(IP, (c.IP_ADD_MEMBERSHIP, c.IP_DROP_MEMBERSHIP), NONE, EPROTO, ENOPROTOOPT),
    Row(IP, c.IP_MSFILTER, NONE, put_error=EINVAL, get_error=ENODEV),
    *_refused(IP, tuple(range(c.IP_UNBLOCK_SOURCE, c.IP_MSFILTER)), NONE, EINVAL, ENOPROTOOPT),
    *_refused(IP, tuple(range(c.MCAST_JOIN_GROUP, c.MCAST_MSFILTER)), NONE, EINVAL, ENOPROTOOPT),
    Row(IP, c.IP_UNICAST_IF, EXACT, put=ip.put_unicast_if),
    Row(IP, c.IP_LOCAL_PORT_RANGE, EXACT, put=ip.put_port_range),
]  # fmt: skip

TABLE: dict[tuple[int, int], Row] = {
    (row.level, row.name): row for row in (*SOCKET_ROWS, *TCP_ROWS, *IP_ROWS)
}

RAW: dict[tuple[int, int], tuple[Getter, RawSetter]] = {
    (SOL, c.SO_LINGER): (so.get_linger, so.set_linger),
    (SOL, c.SO_BINDTODEVICE): (so.get_device, so.set_device),
    (SOL, c.SO_TIMESTAMPING): (so.timestamping_getter(c.SO_TIMESTAMPING), so.set_timestamping),
    (SOL, c.SO_TIMESTAMPING_NEW): (
        so.timestamping_getter(c.SO_TIMESTAMPING_NEW), so.set_timestamping_new
    ),
    (SOL, c.SO_TXTIME): (so.get_txtime, so.set_txtime),
    (SOL, c.SO_MAX_PACING_RATE): (so.get_pacing, so.set_pacing),
    (TCP, c.TCP_CONGESTION): (tc.get_congestion, tc.set_congestion),
    (TCP, c.TCP_ULP): (get_empty, tc.set_ulp),
    (TCP, c.TCP_FASTOPEN_KEY): (tc.get_fastopen_key, tc.set_fastopen_key),
    (IP, c.IP_OPTIONS): (ip.get_ip_options, ip.set_ip_options),
    (IP, c.IP_IPSEC_POLICY): (ip.no_getter, ip.set_ipsec_policy),
    (IP, c.IP_XFRM_POLICY): (ip.no_getter, ip.set_xfrm_policy),
    (IP, c.MCAST_MSFILTER): (ip.no_filter, ip.set_filter),
}  # fmt: skip
"""Options whose values are no ints."""

VALUE_BYTES = 64
"""No option's value is longer."""

ADDRESSES = frozenset((c.IP_OPTIONS, c.IP_MULTICAST_IF))
"""Options of four bytes that are no numbers."""

WHOLE_ONLY: dict[tuple[int, int], tuple[int, int]] = {
    (SOL, c.SO_COOKIE): (8, INT_MAX),
    (SOL, c.SO_NETNS_COOKIE): (8, 8),
    (SOL, c.SO_PEERNAME): (0, 16),
    (IP, c.IP_MSFILTER): (16, INT_MAX),
}
"""The least and the most room that getsockopt takes: EINVAL otherwise."""


def getsockopt(sock: StreamSocket, level: int, name: int, room: int) -> bytes:
    """The option's value, cut to room bytes.  ENOPROTOOPT, EOPNOTSUPP (level), EINVAL."""
    if level not in (SOL, TCP, IP):
        raise OSError(EOPNOTSUPP, "unknown level")
    if room < 0:
        raise OSError(EINVAL, "negative length")
    raw, row = RAW.get((level, name)), TABLE.get((level, name))
    if raw is None and row is None:
        raise OSError(ENOPROTOOPT, "unknown option")
    least, most = WHOLE_ONLY.get((level, name), (0, INT_MAX))
    if room < least:
        raise OSError(EINVAL, "no room")
    value = raw[0](sock) if raw is not None else row.show(sock) if row is not None else b""
    if room > most:
        raise OSError(EINVAL, "too much room")
    if name == c.SO_BINDTODEVICE and level == SOL and value and room < so.NAME_BYTES:
        raise OSError(EINVAL, "no room for a name")
    if name == c.SO_MAX_PACING_RATE and level == SOL and room < len(value):
        value = value[:4] if not any(value[4:]) else b"\xff" * 4
    if level == IP and 0 < room < INT.size == len(value) and name not in ADDRESSES:
        number: int = INT.unpack(value)[0]
        if 0 <= number <= 255:
            room = 1  # as to BSD's programs, which know TTL and TOS as bytes
    return value[:room]


def setsockopt(
    sock: StreamSocket, level: int, name: int, value: Value, length: int = -1,
    privileged: bool = True,
) -> None:  # fmt: skip
    """ENOPROTOOPT, EINVAL, EFAULT, EPERM, or the option's own error.

    length: of a value that is None, or whose first VALUE_BYTES these are.  privileged: the program
    has CAP_NET_ADMIN.
    """
    if value is not None:
        length = max(length, len(value)) if len(value) >= VALUE_BYTES else len(value)
    raw = RAW.get((level, name))
    if raw is not None:
        if level == SOL and name != c.SO_BINDTODEVICE:
            integer(Read.WHOLE, value, length)  # Linux reads an int before it looks further
        raw[1](sock, value, length, privileged)
        return
    row = TABLE.get((level, name))
    if row is None:
        if level in (SOL, TCP):
            integer(Read.WHOLE, value, length)
        raise OSError(ENOPROTOOPT, "unknown option")
    number = integer(row.read, value, length)
    row.check(sock, number, privileged)
    row.keep(sock, number)
