"""The ARP cache (RFC 826; RFC 1122, 2.3.2).

Theory of operation.  An entry is incomplete (mac None, packets waiting) or complete until it
expires.  Requests for an incomplete entry go out once per `arp_retry_ns`; after `arp_tries` of them
the waiting packets are reported unreachable and the entry goes.  A complete entry that expires is
asked for again by the next packet that wants it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from stack.callout import Callouts
from stack.config import Config
from stack.wire.arp import REPLY, REQUEST, Arp

Pending = Callable[[bytes], None]
"""Sends a waiting packet to the MAC address it is given."""


class Entry:
    __slots__ = ("expires_ns", "lost", "mac", "tries", "waiting")

    def __init__(self) -> None:
        self.mac: bytes | None = None
        self.expires_ns = 0
        self.tries = 0
        self.waiting: deque[Pending] = deque()
        self.lost: deque[Callable[[], None]] = deque()


class ArpCache:
    def __init__(
        self,
        config: Config,
        callouts: Callouts,
        mac: bytes,
        address: Callable[[], int],
        send: Callable[[Arp], None],
    ) -> None:
        self._config = config
        self._callouts = callouts
        self._mac = mac
        self._address = address
        self._send = send
        self.entries: dict[int, Entry] = {}
        self.proxied: frozenset[int] = frozenset()
        """Further addresses to answer for (RFC 1027)."""

    def lookup(self, ip: int, now: int) -> bytes | None:
        entry = self.entries.get(ip)
        if entry is not None and entry.mac is not None and now < entry.expires_ns:
            return entry.mac
        return None

    def resolve(self, ip: int, now: int, pending: Pending, unreachable: Callable[[], None]) -> None:
        """Call pending with ip's MAC address when it is known; unreachable if nobody answers."""
        entry = self.entries.get(ip)
        if entry is None or (entry.mac is not None and now >= entry.expires_ns):
            entry = self._add(ip)
        if entry.mac is not None:
            pending(entry.mac)
            return
        if len(entry.waiting) >= self._config.arp_queue:
            entry.waiting.popleft()
            entry.lost.popleft()
        entry.waiting.append(pending)
        entry.lost.append(unreachable)
        if entry.tries == 0:
            self._ask(ip, entry, now)

    def _add(self, ip: int) -> Entry:
        entries = self.entries
        if len(entries) >= self._config.arp_entries:
            del entries[next(iter(entries))]
        entry = entries[ip] = Entry()
        return entry

    def _ask(self, ip: int, entry: Entry, now: int) -> None:
        entry.tries += 1
        self._send(Arp(REQUEST, self._mac, self._address(), b"\0" * 6, ip))

        def retry() -> None:
            if entry.mac is not None or self.entries.get(ip) is not entry:
                return
            if entry.tries < self._config.arp_tries:
                self._ask(ip, entry, now + self._config.arp_retry_ns)
                return
            del self.entries[ip]
            while entry.lost:
                entry.lost.popleft()()

        self._callouts.at(now + self._config.arp_retry_ns, retry)

    def input(self, arp: Arp, now: int) -> None:
        """Learn from, and answer, one packet: the algorithm on page 3 of RFC 826."""
        mine = self._address()
        if arp.sender_ip == mine or arp.sender_mac[0] & 1:
            return  # somebody claims our address, or a multicast MAC: not to be learnt
        entry = self.entries.get(arp.sender_ip)
        target = arp.target_ip
        for_us = bool(mine) and (target == mine or target in self.proxied)
        if entry is None and for_us and arp.sender_ip:
            entry = self._add(arp.sender_ip)
        if entry is not None:
            entry.mac = arp.sender_mac
            entry.expires_ns = now + self._config.arp_reachable_ns
            entry.lost.clear()
            while entry.waiting:
                entry.waiting.popleft()(arp.sender_mac)
        if for_us and arp.operation == REQUEST:
            self._send(Arp(REPLY, self._mac, target, arp.sender_mac, arp.sender_ip))
