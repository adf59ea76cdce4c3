"""The gateway's DNS server: the host's own resolver, in a few threads.

Names are looked up with getaddrinfo, so that /etc/hosts, search rules and whatever else the host is
set up to do hold on the minion as well; a name the host does not find is NXDOMAIN, and a resolver
that does not answer is SERVFAIL.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from hypercalls.host.reactor import Reactor
from stack.netstack import Netstack
from stack.wire import WireError, dns
from stack.wire.dns import Dns, Question, Record

PORT = 53
THREADS = 4
PENDING_MAX = 256
TTL_S = 60
NOT_FOUND = {socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY}


class DnsServer:
    def __init__(
        self, reactor: Reactor, net: Netstack, address: int, wake: Callable[[], None]
    ) -> None:
        self.counters = {"asked": 0, "found": 0, "not_found": 0, "failed": 0}
        self._reactor = reactor
        self._net = net
        self._address = address
        self._wake = wake
        self._pool: ThreadPoolExecutor | None = None
        self._pending = 0

    def input(self, source: tuple[int, int], payload: bytes) -> None:
        """One query from the minion."""
        try:
            query = Dns.parse(payload)
        except WireError:
            return
        if query.flags & dns.RESPONSE or len(query.questions) != 1:
            return
        question = query.questions[0]
        self.counters["asked"] += 1
        if question.type not in (dns.A, dns.PTR):
            # An empty answer: the name may exist, but not with that type
            self._answer(source, query, dns.NOERROR, [])
            return
        if self._pending >= PENDING_MAX:
            return  # the minion asks again
        self._pending += 1
        if self._pool is None:
            self._pool = ThreadPoolExecutor(THREADS, "minion-dns")
        future = self._pool.submit(look_up, question)

        def done() -> None:
            self._pending -= 1
            rcode, records = future.result()
            self._answer(source, query, rcode, records)
            self._wake()

        future.add_done_callback(lambda _future: self._reactor.call_soon_threadsafe(done))

    def _answer(
        self, source: tuple[int, int], query: Dns, rcode: int, records: list[Record]
    ) -> None:
        outcome = {dns.NOERROR: "found", dns.NXDOMAIN: "not_found"}.get(rcode, "failed")
        self.counters[outcome] += 1
        flags = dns.RESPONSE | dns.RECURSION_AVAILABLE | query.flags & dns.RECURSION_DESIRED | rcode
        message = Dns(query.ident, flags, query.questions, records).emit()
        self._net.udp.output((self._address, PORT), source, message)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)


def look_up(question: Question) -> tuple[int, list[Record]]:
    """Ask the host.  Blocks; runs in a thread of its own."""
    name = question.name
    try:
        if question.type == dns.PTR:
            address = ".".join(reversed(name.removesuffix(".in-addr.arpa").split(".")))
            found, _, _ = socket.gethostbyaddr(address)
            return dns.NOERROR, [Record(name, dns.PTR, TTL_S, found)]
        answers = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
        addresses = dict.fromkeys(str(answer[4][0]) for answer in answers)
    except socket.gaierror as error:
        return (dns.NXDOMAIN if error.errno in NOT_FOUND else dns.SERVFAIL), []
    except (OSError, UnicodeError):
        return dns.NXDOMAIN, []
    records = [Record(name, dns.A, TTL_S, socket.inet_aton(a)) for a in list(addresses)[:16]]
    return dns.NOERROR, records
