"""The transmission control block: all state of one connection (RFC 9293, 3.3.1).

Sequence numbers are *unwrapped*: plain integers that never wrap, so that `<` means what it says.
`unwrap` turns the 32 bits of a segment into the number nearest to one that is known; output masks.
Times are monotonic nanoseconds; a timer of 0 is off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from hypercalls.api import Buffer, Slice
from stack.callout import Callout
from stack.config import Config
from stack.ip.ip import Path
from stack.tcp.buffers import ReceiveQueue, SendBuffer
from stack.tcp.state import On, State

Key = tuple[int, int, int, int]
"""(local address, local port, remote address, remote port)"""
Trace = Callable[["Tcb", State, On, State], None]
MASK = 0xFFFFFFFF


def unwrap(near: int, wire: int) -> int:
    """The number that is wire modulo 2**32 and nearest to near."""
    return near + ((wire - near + 0x80000000) & MASK) - 0x80000000


class Owner(Protocol):
    """Who uses a connection: told of what happens, in softint context; must not wait."""

    def received(self, buffer: Buffer, offset: int, length: int) -> int:
        """In-order data, borrowed for the call.  Returns how much was taken; the rest is queued."""

    def readable(self) -> None:
        """There is something in the receive queue, or its end has come."""

    def writable(self) -> None:
        """Send buffer space was freed."""

    def connected(self) -> None: ...

    def closed(self, error: int) -> None:
        """The connection is gone: by reset or time-out (an errno), or in order (0)."""


class Nobody:
    """The owner of a connection that its program has closed."""

    def received(self, _buffer: Buffer, _offset: int, length: int) -> int:
        return length

    def readable(self) -> None: ...

    def writable(self) -> None: ...

    def connected(self) -> None: ...

    def closed(self, error: int) -> None: ...


NOBODY = Nobody()


class Waiting(Nobody):
    """The owner of a connection that nobody has accepted yet: its data waits."""

    def received(self, _buffer: Buffer, _offset: int, _length: int) -> int:
        return 0


WAITING = Waiting()


class Tcb:
    __slots__ = (
        "abandoned", "ack_bytes", "ack_now", "callout", "challenged_at", "cork", "cork_at", "cwnd",
        "cwnd_extra", "cwnd_limited", "data_at", "delack_at", "dupacks", "early_end", "error",
        "fin_queued", "fin_received", "in_recovery", "irs", "iss", "keep_at", "keep_idle_ns",
        "keep_interval_ns", "keep_probes", "keep_sent", "keepalive", "key", "linger2_ns",
        "listener", "max_snd_wnd", "more_end", "mss", "nodelay", "ooo", "ooo_bytes", "ooo_charge",
        "ooo_room", "ooo_used", "orphan_at", "owner", "passive", "path", "peer_mss", "pending",
        "persist_at", "persist_backoff", "pingpong", "quick", "rcv", "rcv_adv", "rcv_grow_at",
        "rcv_limit", "rcv_mss", "rcv_nxt", "rcv_outside", "rcv_scale", "rcvbuf_bytes", "recover",
        "retransmits", "retries", "reuse", "rexmt_at", "rto_ns", "rttvar_ns", "scaled", "small",
        "snd", "snd_grow_at", "snd_limit", "snd_max", "snd_more", "snd_nxt", "snd_outside",
        "snd_push", "snd_scale", "snd_sml", "snd_una", "snd_wl1", "snd_wnd", "sndbuf_bytes",
        "srtt_ns", "ssthresh", "stalled_at", "state", "syn_retries", "timed_at", "timed_seq", "tos",
        "trace", "ttl", "user_mss", "user_timeout_ns", "waiting", "when_sent", "write_blocked",
    )  # fmt: skip

    def __init__(self, key: Key, path: Path, iss: int, config: Config) -> None:
        self.key = key
        self.path = path
        self.state = State.CLOSED
        self.owner: Owner = NOBODY
        self.abandoned = False
        """Its program has gone, though what it wrote is not all here yet."""
        self.listener: object | None = None
        """Set while a passive connection waits in a listener's queues."""
        self.passive = False
        self.error = 0
        """What ICMP said last: the reason given if the connection times out (MUST-47)."""
        self.trace: Trace | None = None

        # send sequence space (figure 3)
        self.iss = self.snd_una = self.snd_nxt = self.snd_max = iss
        self.snd = SendBuffer(iss + 1)
        self.snd_wnd = self.max_snd_wnd = 0
        self.snd_wl1 = 0
        self.snd_scale = 0
        self.snd_sml = iss
        """Past the last segment that was not full (Minshall's variant of Nagle's algorithm)."""
        self.snd_more = 0
        """Up to here the program has said, or shown, that more will follow: no short segment."""
        self.more_end = 0
        """As far as the program has said so (see hold.py)."""
        self.snd_push = iss
        """Up to here nothing but the windows may hold data back."""
        self.fin_queued = False
        self.when_sent: Callable[[], None] | None = None
        """Called once, when the FIN has been acknowledged, or the connection is lost."""
        self.sndbuf_bytes = config.sndbuf_bytes
        self.snd_limit = config.sndbuf_first_bytes
        """What may wait here now; at most sndbuf_bytes, less snd_outside (see pool.py)."""
        self.snd_outside = 0
        """What may wait elsewhere for it: between the program and us."""
        self.snd_grow_at = iss + self.snd_limit
        self.write_blocked = False

        # receive sequence space (figure 4)
        self.irs = self.rcv_nxt = self.rcv_adv = 0
        self.rcv_scale = 0
        self.scaled = False
        self.rcv = ReceiveQueue()
        self.rcvbuf_bytes = config.rcvbuf_bytes
        self.rcv_limit = config.rcvbuf_first_bytes
        """What may wait here now; at most rcvbuf_bytes, less rcv_outside (see pool.py)."""
        self.rcv_outside = 0
        self.rcv_grow_at = self.rcv_limit
        self.fin_received = False
        self.ooo: list[tuple[int, int, Slice | None, bool]] = []
        """Out-of-order: (seq, end, bytes, fin), sorted, not overlapping."""
        self.ooo_bytes = 0
        self.ooo_charge = 0
        """What they take from memory."""
        self.ooo_room: Buffer | None = None
        self.ooo_used = 0
        """A buffer that small ones share, and how much of it they use."""
        self.ack_now = False
        self.ack_bytes = 0
        """Data received since the last acknowledgement."""
        self.small = 0
        """Segments among it that were not full."""
        self.rcv_mss = 536
        """How large the peer's full segments are, as far as is known."""
        self.data_at = -(1 << 62)
        """When data was last received."""
        self.quick = -1
        """So many acknowledgements are not to be delayed; -1: no data has come yet."""
        self.pingpong = 0
        """1: a conversation, in which acknowledgements ride on answers."""
        self.challenged_at = -(1 << 62)
        """When a segment that cannot belong here was last answered."""
        self.early_end = 0
        """Past the last segment that came out of order."""

        # congestion control (RFC 5681, RFC 6582)
        self.mss = self.peer_mss = 536  # MUST-15
        self.user_mss = 0
        self.cwnd = 0
        self.ssthresh = 1 << 30
        self.cwnd_limited = False
        self.cwnd_extra = 0
        """What limited transmit allows beyond it (RFC 3042)."""
        self.dupacks = 0
        self.in_recovery = False
        self.recover = iss
        self.retransmits = 0

        # round-trip time (RFC 6298)
        self.srtt_ns = self.rttvar_ns = 0
        self.rto_ns = config.rto_initial_ns
        self.timed_seq = self.timed_at = 0
        self.retries = 0
        self.stalled_at = 0
        """When what is being retransmitted was first sent."""

        # timers
        self.callout: Callout | None = None
        self.rexmt_at = self.persist_at = self.delack_at = self.keep_at = 0
        self.orphan_at = self.cork_at = 0
        self.persist_backoff = 0
        self.keep_sent = 0
        self.pending = False
        """Listed for output at the end of this batch."""
        self.waiting = False
        """Listed for output when its interface has room."""

        # options
        self.nodelay = self.cork = self.keepalive = 0  # flags, set as getsockopt's integers
        self.keep_idle_ns = config.keepalive_idle_ns
        self.keep_interval_ns = config.keepalive_interval_ns
        self.keep_probes = config.keepalive_probes
        self.user_timeout_ns = 0
        self.syn_retries = 0
        """TCP_SYNCNT; 0: config's."""
        self.linger2_ns = config.orphan_ns
        """How long FIN-WAIT-2 lasts when nobody is left to read; -1: not at all."""
        self.reuse = 0
        """What others on the local port may do: REUSE_ADDRESS, REUSE_PORT (ports.py)."""
        self.ttl = config.ttl
        self.tos = 0

    @property
    def our_mss(self) -> int:
        """What we tell the peer it may send at once."""
        return self.path.interface.mtu_bytes - 40

    @property
    def flight(self) -> int:
        """Bytes sent and not acknowledged."""
        return self.snd_nxt - self.snd_una

    @property
    def orphaned(self) -> bool:
        """Nobody waits for it any more."""
        return self.owner is NOBODY or self.abandoned

    @property
    def send_space(self) -> int:
        return self.snd_limit - self.snd.charge

    @property
    def rcv_space(self) -> int:
        return max(0, self.rcv_limit - self.rcv.charge - self.ooo_charge)

    def tell_sent(self) -> None:
        done, self.when_sent = self.when_sent, None
        if done is not None:
            done()

    def forget_early(self) -> None:
        """Let go of what came out of order: it will be sent again."""
        self.ooo.clear()
        self.ooo_bytes = self.ooo_charge = self.ooo_used = 0
        self.ooo_room = None

    @property
    def all_sent(self) -> bool:
        """Everything, and the FIN if one is queued, has been acknowledged."""
        return self.snd_una >= self.snd.end + self.fin_queued
