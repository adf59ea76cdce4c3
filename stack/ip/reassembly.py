"""IPv4 reassembly (RFC 791, 3.2; RFC 815), distrustful of overlaps (RFC 1858, RFC 3128).

Theory of operation.  Fragments of one datagram are kept by their offset.  Any overlap that is not
an exact repetition throws the whole datagram away, as Linux and RFC 8200 do: nobody sends such
fragments in good faith.  Memory is bounded in bytes over all datagrams, and time by a callout.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from stack.callout import Callout, Callouts
from stack.config import Config
from stack.wire.ipv4 import MORE_FRAGMENTS, OFFSET, Ipv4

Key = tuple[int, int, int, int]


class Partial:
    __slots__ = ("callout", "fragments", "size", "starts", "total")

    def __init__(self) -> None:
        self.fragments: dict[int, bytes] = {}
        self.starts: list[int] = []
        """Its keys, sorted: a fragment can only overlap its neighbours there."""
        self.total: int | None = None
        self.size = 0
        self.callout: Callout | None = None


class Reassembly:
    def __init__(self, config: Config, callouts: Callouts) -> None:
        self._config = config
        self._callouts = callouts
        self._partial: dict[Key, Partial] = {}
        self._bytes = 0
        self.counters = {"reassembled": 0, "timed_out": 0, "refused": 0}

    def __len__(self) -> int:
        return len(self._partial)

    def input(self, header: Ipv4, payload: memoryview, now: int) -> bytes | None:
        """Add a fragment; the whole payload when it was the last one missing."""
        key = (header.src, header.dst, header.protocol, header.ident)
        at = (header.fragment & OFFSET) * 8
        more = bool(header.fragment & MORE_FRAGMENTS)
        length = len(payload)
        partial = self._partial.get(key)
        if (more and length % 8) or not length or at + length + header.header_bytes > 65535:
            self._drop(key, "refused")  # the ping of death is one of these
            return None
        if partial is None:
            partial = self._partial[key] = Partial()
            partial.callout = self._callouts.at(
                now + self._config.reassembly_ns, lambda: self._drop(key, "timed_out")
            )
        if not self._fits(partial, at, length, more):
            self._drop(key, "refused")
            return None
        if at not in partial.fragments:
            partial.fragments[at] = bytes(payload)
            insort(partial.starts, at)
            partial.size += length
            self._bytes += length
        if not more:
            partial.total = at + length
        if partial.size == partial.total:
            self._drop(key, "reassembled")
            return b"".join([partial.fragments[start] for start in partial.starts])
        while self._bytes > self._config.reassembly_bytes:
            self._drop(next(iter(self._partial)), "refused")  # the oldest
        return None

    @staticmethod
    def _fits(partial: Partial, at: int, length: int, more: bool) -> bool:
        end = at + length
        if partial.total is not None and (
            end > partial.total or (not more and end != partial.total)
        ):
            return False
        starts, fragments = partial.starts, partial.fragments
        if at in fragments:
            return len(fragments[at]) == length  # a repetition
        place = bisect_left(starts, at)
        if place < len(starts) and (starts[place] < end or not more):
            return False
        return not place or starts[place - 1] + len(fragments[starts[place - 1]]) <= at

    def _drop(self, key: Key, why: str) -> None:
        partial = self._partial.pop(key, None)
        if partial is None:
            return
        self.counters[why] += 1
        self._bytes -= partial.size
        if partial.callout is not None:
            partial.callout.cancel()
