"""How much memory a connection may hold (rcv_limit, snd_limit): RAM is one pool for all.

Theory of operation.  A connection is charged what its buffers take from memory, not what is in
them.  Its limits start small, the smaller the more connections there are, and double each time its
reader, or its peer, has taken as much as the limit: who has never read holds little.

While less than a third of memory is free, a limit is also a share of what is free beyond a reserve
(a dynamic threshold; Choudhury and Hahne, 1998): one 64th for limits that have not grown yet, one
16th for others.  Shares shrink for all as memory fills, so large holders stop first, something is
always left for those who come, and nobody has to look for somebody to press.  Everybody may hold
CONNECTION_MIN_BYTES; beyond that nothing is taken out of the reserve, not even what was offered.
A window that has been offered is never taken back (SHLD-14): what does not fit is sent again.
"""

from __future__ import annotations

from hypercalls.api import Memory
from stack.config import Config
from stack.tcp.tcb import Tcb

UNPROVEN_SHIFT = 6
PROVEN_SHIFT = 4
FIRST_SHARE = 4
"""Of memory, divided by the connections there are, for the first limit of the next one."""


class Pool:
    __slots__ = (
        "_config", "counters", "memory", "minimum_bytes", "pressure_bytes", "reserve_bytes",
    )  # fmt: skip

    def __init__(self, memory: Memory, config: Config) -> None:
        self.memory = memory
        self._config = config
        size = memory.size_bytes
        self.pressure_bytes = size // 3
        """Less than this free: limits are shares."""
        self.reserve_bytes = size // 16
        self.minimum_bytes = config.connection_min_bytes
        self.counters = {"pressed": 0, "refused": 0}

    def open(self, tcb: Tcb, connections: int) -> None:
        """The first limits of a new connection; connections: how many there are."""
        share = self.memory.size_bytes // (FIRST_SHARE * (connections + 1))
        config = self._config
        low = self.minimum_bytes
        tcb.rcv_limit = min(max(low, min(config.rcvbuf_first_bytes, share)), tcb.rcvbuf_bytes)
        tcb.snd_limit = min(max(low, min(config.sndbuf_first_bytes, share)), tcb.sndbuf_bytes)
        tcb.rcv_grow_at = tcb.rcv_nxt + tcb.rcv_limit
        tcb.snd_grow_at = tcb.snd.start + tcb.snd_limit

    def pressed(self, limit: int, first: int) -> int:
        """What is left of a limit while memory is short."""
        self.counters["pressed"] += 1
        free = self.memory.free_bytes - self.reserve_bytes
        share = free >> (UNPROVEN_SHIFT if limit <= first else PROVEN_SHIFT)
        return min(limit, max(share, self.minimum_bytes))

    def receive_limit(self, tcb: Tcb) -> int:
        """The most that may be offered now; grows when the reader has taken that much."""
        limit = tcb.rcv_limit
        if tcb.rcv_nxt - tcb.rcv.length >= tcb.rcv_grow_at or limit > tcb.rcvbuf_bytes:
            limit = tcb.rcv_limit = min(2 * limit, tcb.rcvbuf_bytes)
            tcb.rcv_grow_at = tcb.rcv_nxt + limit
        if self.memory.free_bytes < self.pressure_bytes:
            return self.pressed(limit, self._config.rcvbuf_first_bytes)
        return limit

    def send_limit(self, tcb: Tcb) -> int:
        """The most that may wait to be sent or acknowledged."""
        limit = tcb.snd_limit
        if limit > tcb.sndbuf_bytes:
            limit = tcb.snd_limit = tcb.sndbuf_bytes
        if self.memory.free_bytes < self.pressure_bytes:
            return self.pressed(limit, self._config.sndbuf_first_bytes)
        return limit

    def send_space(self, tcb: Tcb) -> int:
        """How much more may be written; what is left of a buffer that is charged comes for free."""
        snd = tcb.snd
        space = self.send_limit(tcb) - snd.charge
        if space <= 0 and snd.start >= tcb.snd_grow_at:
            self.grow_send(tcb)
            space = self.send_limit(tcb) - snd.charge
        return min(space, tcb.sndbuf_bytes - (snd.end - snd.start))

    def grow_send(self, tcb: Tcb) -> None:
        """The peer has taken a whole limit, and the writer wants more."""
        limit = tcb.snd_limit = min(2 * tcb.snd_limit, tcb.sndbuf_bytes)
        tcb.snd_grow_at = tcb.snd.start + limit

    def may_hold(self, tcb: Tcb) -> bool:
        """Whether received bytes may be kept: not out of the reserve, but for the minimum."""
        if (
            self.memory.free_bytes >= self.reserve_bytes
            or tcb.rcv.charge + tcb.ooo_charge < self.minimum_bytes
        ):
            return True
        self.counters["refused"] += 1
        return False
