"""How much memory a connection may hold (rcv_limit, snd_limit): RAM is one pool for all.

Theory of operation.  A connection is charged what its buffers take from memory, not what is in
them.  Its limits start small, with many connections the smaller the more there are, and double each
time its reader, or its peer, has taken as much as the limit: who has never read holds little.

A limit is also a share of what is free beyond a reserve: an eighth of the square of the free part
(a dynamic threshold, after Choudhury and Hahne, 1998).  Shares shrink for all as memory fills, and
faster than it does, so large holders stop first, something is left for those who come, and nobody
has to look for somebody to press.  Everybody may hold `minimum_bytes` (8 kB, less with very many);
beyond that nothing is taken out of the reserve, not even what was offered.
A window that has been offered is never taken back (SHLD-14): what does not fit is sent again.

The share is written out where segments pass (output.py).
"""

from __future__ import annotations

from typing import Final

from hypercalls.api import Memory
from stack.config import Config
from stack.tcp.tcb import Tcb

LEAST_BYTES: Final = 2048
FIRST_LEAST_BYTES: Final = 4096
"""A first limit while a quarter of memory is free: less takes long to grow."""
FIRST_SHARE: Final = 8
"""Of memory, divided by the connections there are: a first limit while that is no less."""


def first(most: int, share: int) -> int:
    """The first limit of a connection, with its share of memory.  Beyond where that is less, it
    falls with the square, so that the sum of all first limits converges (but for the least ones).
    """
    return most if share >= most else share * share // most


class Pool:
    __slots__ = (
        "_config", "counters", "memory", "minimum_bytes", "reserve_bytes", "share_shift",
    )  # fmt: skip

    def __init__(self, memory: Memory, config: Config) -> None:
        self.memory = memory
        self._config = config
        size = memory.size_bytes
        self.reserve_bytes = size // 16
        self.share_shift = (8 * size).bit_length() - 1
        self.minimum_bytes = config.connection_min_bytes
        self.counters = {"refused": 0}

    def open(self, tcb: Tcb, connections: int) -> None:
        """The first limits of a new connection; connections: how many there are."""
        size = self.memory.size_bytes
        share = size // (FIRST_SHARE * (connections + 1))
        config = self._config
        low = self.minimum_bytes = max(LEAST_BYTES, min(config.connection_min_bytes, share))
        least = FIRST_LEAST_BYTES if 4 * self.memory.free_bytes > size else low
        most = tcb.rcvbuf_bytes - tcb.rcv_outside
        tcb.rcv_limit = min(max(first(config.rcvbuf_first_bytes, share), least), most)
        most = tcb.sndbuf_bytes - tcb.snd_outside
        tcb.snd_limit = min(max(first(config.sndbuf_first_bytes, share), least), most)
        tcb.rcv_grow_at = tcb.rcv_nxt + config.grow_first_bytes
        tcb.snd_grow_at = tcb.snd.start + config.grow_first_bytes

    def share(self, limit: int) -> int:
        """What is left of a limit, as memory is."""
        spare = self.memory.free_bytes - self.reserve_bytes
        if spare <= 0:
            return min(limit, self._least())
        return min(limit, max(spare * spare >> self.share_shift, self.minimum_bytes))

    @property
    def plentiful(self) -> bool:
        """Most of it is free: what is to leave memory again may exceed its limits."""
        return self.memory.free_bytes > self.memory.size_bytes >> 1

    def _least(self) -> int:
        """What everybody may hold; half of the reserve is for who holds next to nothing."""
        if self.memory.free_bytes < self.reserve_bytes >> 1:
            return LEAST_BYTES
        return self.minimum_bytes

    def grow_receive(self, tcb: Tcb) -> int:
        """The limit, when the stream has come as far as that: if it was read, it doubles."""
        limit, most = tcb.rcv_limit, tcb.rcvbuf_bytes - tcb.rcv_outside
        if tcb.rcv_nxt - tcb.rcv.length >= tcb.rcv_grow_at or limit > most:
            limit = tcb.rcv_limit = min(2 * limit, most)
            tcb.rcv_grow_at = tcb.rcv_nxt + limit
        return limit

    def send_space(self, tcb: Tcb) -> int:
        """How much more may be written; what is left of a buffer that is charged comes for free."""
        snd, most = tcb.snd, tcb.sndbuf_bytes - tcb.snd_outside
        if tcb.snd_limit > most:
            tcb.snd_limit = most
        if snd.charge >= tcb.snd_limit and snd.start >= tcb.snd_grow_at:
            # The peer has taken a whole limit, and the writer wants more
            tcb.snd_limit = min(2 * tcb.snd_limit, most)
            tcb.snd_grow_at = snd.start + tcb.snd_limit
        return self.share(tcb.snd_limit) - snd.charge

    def may_hold(self, tcb: Tcb) -> bool:
        """Whether received bytes may be kept: not out of the reserve, but for the minimum."""
        if (
            self.memory.free_bytes >= self.reserve_bytes
            or tcb.rcv.charge + tcb.ooo_charge < self._least()
        ):
            return True
        self.counters["refused"] += 1
        return False
