"""Which connection a segment belongs to: the tables, ports, initial sequence numbers, TIME-WAIT."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from errno import EADDRINUSE, EADDRNOTAVAIL
from hashlib import blake2s

from hypercalls.api import Hypercalls
from stack.callout import Callout, Callouts
from stack.config import SECOND, Config
from stack.tcp.ports import Hold, PortUse
from stack.tcp.state import On, State, step
from stack.tcp.tcb import NOBODY, Key, Owner, Tcb

Local = tuple[int, int]


class TimeWait:
    """What is left of a connection in TIME-WAIT: enough to acknowledge a repeated FIN."""

    __slots__ = ("answered_ns", "expires_ns", "rcv_nxt", "reuse", "since_ns", "snd_nxt")

    def __init__(
        self, snd_nxt: int, rcv_nxt: int, since_ns: int, expires_ns: int, reuse: int = 0
    ) -> None:
        self.reuse = reuse
        self.snd_nxt = snd_nxt
        self.rcv_nxt = rcv_nxt
        self.since_ns = since_ns
        self.expires_ns = expires_ns
        self.answered_ns = -(1 << 62)


class Listener:
    """A port in LISTEN: half-open connections, and those ready to be accepted."""

    def __init__(
        self, hold: Hold, backlog: int, acceptable: Callable[[], None],
        template: Callable[[Tcb], None],
    ) -> None:  # fmt: skip
        self.hold = hold
        self.local: Local = (hold.address, hold.port)
        self.backlog = backlog
        self.acceptable = acceptable
        """Told, in softint context, when `ready` gains a connection."""
        self.template = template
        """Gives the listening socket's options to a new connection."""
        self.half_open: dict[Key, Tcb] = {}
        self.ready: deque[Tcb] = deque()
        self.handed_out = 0
        """Taken from `ready`, but not by the program yet: they fill the backlog, too."""
        self.defer_accept = 0
        """TCP_DEFER_ACCEPT: so many SYN-ACKs' time a connection without data is not ready."""
        self.deferred: set[Key] = set()
        """Half-open ones whose handshake is complete but for the data."""
        self.group = [self]
        """All that listen on this address and port (SO_REUSEPORT)."""

    @property
    def full(self) -> bool:
        # BSD and Linux accept one more than backlog
        return len(self.ready) + self.handed_out > self.backlog


class Connections:
    def __init__(self, hyper: Hypercalls, config: Config, callouts: Callouts) -> None:
        self._config = config
        self._callouts = callouts
        self._clock = hyper.clock
        self._secret = hyper.random.getrandom(32)
        self.table: dict[Key, Tcb] = {}
        self.connected = PortUse()
        """Of connections, and of what is in TIME-WAIT."""
        self.listeners: dict[Local, Listener] = {}
        self.bound: dict[int, list[Hold]] = {}
        """Ports of bound sockets."""
        self._next_port = 0
        self.time_wait: dict[Key, TimeWait] = {}
        self._time_wait_callout: Callout | None = None
        self.counters = {"time_wait_recycled": 0, "dropped": 0}

    # -- initial sequence numbers and ports

    def isn(self, key: Key, now: int) -> int:
        """RFC 6528: a 4 microsecond clock plus a keyed hash of the connection's identity.

        Ends a TIME-WAIT of the same identity, whose numbers are not used again (section 3.6.1).
        """
        digest = blake2s(repr(key).encode(), key=self._secret, digest_size=4).digest()
        isn = (now // 4000 + int.from_bytes(digest, "big")) & 0xFFFFFFFF
        old = self._forget(key)
        if old is not None:
            above = (old.snd_nxt + 0x20000) & 0xFFFFFFFF
            if (isn - above) & 0xFFFFFFFF > 0x7FFFFFFF:
                return above
        return isn

    def _forget(self, key: Key) -> TimeWait | None:
        """The end of a TIME-WAIT."""
        entry = self.time_wait.pop(key, None)
        if entry is not None:
            self.connected.remove(key[0], key[1], entry.reuse)
        return entry

    def insert(self, tcb: Tcb) -> None:
        """A connection begins."""
        self.table[tcb.key] = tcb
        self.connected.add(tcb.key[0], tcb.key[1], tcb.reuse)

    def _remove(self, tcb: Tcb) -> None:
        if self.table.get(tcb.key) is tcb:
            del self.table[tcb.key]
            self.connected.remove(tcb.key[0], tcb.key[1], tcb.reuse)

    def reuse(self, tcb: Tcb, reuse: int) -> None:
        """SO_REUSEADDR or SO_REUSEPORT of a connection has changed."""
        if self.table.get(tcb.key) is tcb:
            self.connected.add(tcb.key[0], tcb.key[1], reuse)
            self.connected.remove(tcb.key[0], tcb.key[1], tcb.reuse)
        tcb.reuse = reuse

    def listen(self, listener: Listener) -> None:
        """OSError(EADDRINUSE): somebody listens there, or has bound the address for himself."""
        self._check(listener.hold)
        listener.hold.listening = True
        first = self.listeners.setdefault(listener.local, listener)
        if first is not listener:
            first.group.append(listener)
            listener.group = first.group

    def unlisten(self, listener: Listener) -> None:
        group = listener.group
        if listener not in group:
            return
        group.remove(listener)
        listener.hold.listening = False
        if group:
            self.listeners[listener.local] = group[0]
        else:
            del self.listeners[listener.local]

    def free_port(
        self, remote: Local | None, local_address: int, low: int = 0, high: int = 0
    ) -> int:
        """RFC 6056, algorithm 3: a keyed hash decides where the search starts.

        low, high: IP_LOCAL_PORT_RANGE, as far as it lies within ours; 0: no such bound.

        With a remote, a port is free when the four-tuple is (TIME-WAIT tuples are taken last).
        OSError: EADDRINUSE, or EADDRNOTAVAIL with a remote.
        """
        config = self._config
        first = max(low, config.port_first)
        last = min(high or config.port_last, config.port_last)
        if first > last:
            first, last = config.port_first, config.port_last
        count = last - first + 1
        self._next_port += 1
        seed = blake2s(repr(remote).encode(), key=self._secret, digest_size=4).digest()
        start = int.from_bytes(seed, "big") + self._next_port
        recyclable = 0
        now = self._clock.monotonic_ns()
        for i in range(count):
            port = first + (start + i) % count
            if port in self.bound or (0, port) in self.listeners:
                continue
            if remote is None:
                if port in self.connected:
                    continue
                self._next_port += i
                return port
            key = (local_address, port, *remote)
            if key in self.table or (local_address, port) in self.listeners:
                continue
            old = self.time_wait.get(key)
            if old is None:
                self._next_port += i
                return port
            if not recyclable and now - old.since_ns > SECOND:
                recyclable = port
        if recyclable:
            self.counters["time_wait_recycled"] += 1
            self._next_port += 1
            return recyclable
        raise OSError(EADDRINUSE if remote is None else EADDRNOTAVAIL, "no free port")

    def hold(self, hold: Hold) -> None:
        """Bind a port.  OSError(EADDRINUSE)."""
        self._check(hold)
        self.bound.setdefault(hold.port, []).append(hold)

    def release(self, hold: Hold) -> None:
        holds = self.bound[hold.port]
        holds.remove(hold)
        if not holds:
            del self.bound[hold.port]

    def _check(self, hold: Hold) -> None:
        """OSError(EADDRINUSE): others on the port do not let this one be there."""
        if self.connected.conflicts(hold) or any(
            other is not hold and hold.conflicts(other) for other in self.bound.get(hold.port, ())
        ):
            raise OSError(EADDRINUSE, "address in use")

    def listener_for(self, key: Key) -> Listener | None:
        """Who is to get a connection: local address and port, and the peer's."""
        address, port, _, _ = key
        listener = self.listeners.get((address, port)) or self.listeners.get((0, port))
        if listener is None or len(listener.group) == 1:
            return listener
        digest = blake2s(repr(key).encode(), key=self._secret, digest_size=4).digest()
        return listener.group[int.from_bytes(digest, "big") * len(listener.group) >> 32]

    # -- the end of a connection

    def finish(self, tcb: Tcb, error: int) -> None:
        """Forget a connection and tell its owner: an errno, or 0 for an orderly end."""
        self._remove(tcb)
        if error:
            self.counters["dropped"] += 1
        listener = tcb.listener
        if isinstance(listener, Listener):
            listener.half_open.pop(tcb.key, None)
            listener.deferred.discard(tcb.key)
            tcb.listener = None  # one that is ready stays so: accept() hands it out, as on Linux
        if tcb.state != State.CLOSED:
            step(tcb, On.DELETE)
        self._quiet(tcb)
        if tcb.when_sent is not None:
            tcb.tell_sent()
        owner: Owner = tcb.owner
        tcb.error = error
        owner.closed(error)
        if not tcb.rcv.length:
            tcb.owner = NOBODY

    @staticmethod
    def _quiet(tcb: Tcb) -> None:
        tcb.rexmt_at = tcb.persist_at = tcb.delack_at = tcb.keep_at = tcb.orphan_at = 0
        tcb.snd.acknowledge(tcb.snd.end)
        tcb.forget_early()
        if tcb.callout is not None:
            tcb.callout.cancel()
            tcb.callout = None

    def enter_time_wait(self, tcb: Tcb, now: int) -> None:
        """Keep only what TIME-WAIT needs; the Tcb stays with its owner for questions (MUST-13)."""
        self._remove(tcb)
        self._quiet(tcb)
        expires = now + 2 * self._config.msl_ns
        self._forget(tcb.key)
        self.time_wait[tcb.key] = TimeWait(tcb.snd_nxt, tcb.rcv_nxt, now, expires, tcb.reuse)
        self.connected.add(tcb.key[0], tcb.key[1], tcb.reuse)
        if len(self.time_wait) > self._config.time_wait_max:
            self._forget(next(iter(self.time_wait)))
            self.counters["time_wait_recycled"] += 1
        if self._time_wait_callout is None:
            self._time_wait_callout = self._callouts.at(expires, self._expire)
        tcb.owner.closed(0)

    def prolong(self, key: Key, entry: TimeWait, now: int) -> None:
        """The peer's FIN came again: wait anew (section 3.10.7.4, eighth)."""
        entry.expires_ns = now + 2 * self._config.msl_ns
        self.time_wait[key] = self.time_wait.pop(
            key
        )  # they stand in the order in which they expire

    def _expire(self) -> None:
        now = self._clock.monotonic_ns()
        entries = self.time_wait
        while entries:
            key, entry = next(iter(entries.items()))
            if entry.expires_ns > now:
                self._time_wait_callout = self._callouts.at(entry.expires_ns, self._expire)
                return
            self._forget(key)
        self._time_wait_callout = None
