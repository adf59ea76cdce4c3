"""What routers have said about the way to a destination (RFC 1191), for some minutes.

Theory of operation.  A smaller MTU is believed until it expires: then packets may find out anew,
for the way may have changed (RFC 1191, 6.3).  Below a minimum it is not believed, for nobody has
such links and small segments cost everybody (CVE-2005-0065): packets of the minimum then go out
without Don't Fragment, so that they arrive whatever is true.  As Linux: ip_rt_mtu_expires,
ip_rt_min_pmtu.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.callout import Callouts
from stack.config import Config

ENTRIES_MAX = 4096


class PathMtu:
    __slots__ = ("expires_ns", "fragment", "mtu_bytes")

    def __init__(self, mtu_bytes: int, fragment: bool, expires_ns: int) -> None:
        self.mtu_bytes = mtu_bytes
        self.fragment = fragment
        """Packets may be fragmented on the way."""
        self.expires_ns = expires_ns


class PathMtus:
    def __init__(self, config: Config, callouts: Callouts, changed: Callable[[], None]) -> None:
        """changed: paths are to be asked for again."""
        self._config = config
        self._callouts = callouts
        self._changed = changed
        self._entries: dict[int, PathMtu] = {}
        """In the order in which they expire."""
        self._waiting = False

    def get(self, dst: int) -> PathMtu | None:
        return self._entries.get(dst)

    def reduce(self, dst: int, mtu_bytes: int, current_bytes: int) -> None:
        """A router cannot pass on packets of current_bytes, but of mtu_bytes.

        What is not smaller is no news, and ignored.
        """
        if mtu_bytes >= current_bytes:
            return
        least = self._config.path_mtu_min_bytes
        fragment = mtu_bytes < least
        if fragment:
            mtu_bytes = min(current_bytes, least)
        self._entries.pop(dst, None)
        if len(self._entries) >= ENTRIES_MAX:
            del self._entries[next(iter(self._entries))]
        expires = self._callouts.now() + self._config.path_mtu_expires_ns
        self._entries[dst] = PathMtu(mtu_bytes, fragment, expires)
        if not self._waiting:
            self._waiting = True
            self._callouts.at(expires, self._expire)
        self._changed()

    def _expire(self) -> None:
        self._waiting = False
        now = self._callouts.now()
        while self._entries:
            dst, entry = next(iter(self._entries.items()))
            if entry.expires_ns > now:
                self._waiting = True
                self._callouts.at(entry.expires_ns, self._expire)
                break
            del self._entries[dst]
        self._changed()
