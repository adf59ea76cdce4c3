"""A stub resolver (RFC 1034, 5.3.1): names to addresses and back, over UDP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from stack.config import SECOND
from stack.netstack import Netstack
from stack.udp.udp import UdpEndpoint
from stack.wire import WireError, dns, dotted
from stack.wire.dns import Dns, Question

TRIES = 3
TIMEOUT_NS = 2 * SECOND
DNS_PORT = 53
CANNOT = frozenset((dns.SERVFAIL, dns.NOTIMP, dns.REFUSED))
"""What another server may know better."""


@dataclass(slots=True)
class Answer:
    """Either an error (an rcode, or SERVFAIL when nobody answered) or what was found."""

    rcode: int
    addresses: list[int] = field(default_factory=list)
    name: str = ""
    """The canonical name, or the name that PTR found."""


Done = Callable[[Answer], None]


class Resolver:
    """Asks `servers` in turn; every question has a port and an id of its own (RFC 5452)."""

    def __init__(self, net: Netstack, servers: list[int]) -> None:
        self._net = net
        self.servers = servers
        self.hosts: dict[str, int] = {"localhost": 0x7F000001}
        self.counters = {"asked": 0, "answered": 0, "timed_out": 0}

    def lookup(self, name: str, done: Done) -> None:
        """Find name's IPv4 addresses; done is called once, perhaps at once."""
        known = self.hosts.get(name.lower().removesuffix("."))
        if known is not None or name.lower().endswith(".localhost"):
            done(Answer(dns.NOERROR, [known or 0x7F000001], name))
        elif not dns.valid_name(name):
            done(Answer(dns.NXDOMAIN))
        else:
            self._ask(Question(name, dns.A), done)

    def reverse(self, address: int, done: Done) -> None:
        """Find the name of an address."""
        for name, known in self.hosts.items():
            if known == address:
                done(Answer(dns.NOERROR, [address], name))
                return
        parts = dotted(address).split(".")
        self._ask(Question(".".join(reversed(parts)) + ".in-addr.arpa", dns.PTR), done)

    def _ask(self, question: Question, done: Done) -> None:
        if not self.servers:
            done(Answer(dns.SERVFAIL))
            return
        self.counters["asked"] += 1
        Query(self._net, self, question, done).send()


class Query:
    """One question under way."""

    def __init__(self, net: Netstack, resolver: Resolver, question: Question, done: Done) -> None:
        self._net = net
        self._resolver = resolver
        self._question = question
        self._done = done
        self._tries = 0
        self._ident = int.from_bytes(net.hyper.random.getrandom(2), "big")
        self._endpoint: UdpEndpoint = net.udp.endpoint()
        self._endpoint.readable = self._readable
        self._callout = net.callouts.at(net.callouts.now() + TIMEOUT_NS, self._timeout)

    def send(self) -> None:
        servers = self._resolver.servers
        server = servers[self._tries % len(servers)]
        self._tries += 1
        message = Dns(self._ident, dns.RECURSION_DESIRED, [self._question])
        try:
            self._endpoint.remote = None
            self._endpoint.send(message.emit(), (server, DNS_PORT))
            self._endpoint.connect((server, DNS_PORT))
        except OSError:
            self._finish(Answer(dns.SERVFAIL))

    def _timeout(self) -> None:
        if self._tries >= TRIES * len(self._resolver.servers):
            self._resolver.counters["timed_out"] += 1
            self._finish(Answer(dns.SERVFAIL))
        else:
            self._next()

    def _next(self) -> None:
        """Ask the next server."""
        self._callout.cancel()
        self._callout = self._net.callouts.at(self._net.callouts.now() + TIMEOUT_NS, self._timeout)
        self.send()

    def _readable(self) -> None:
        if self._endpoint.error:  # the server's port is closed: ask the next one at the time-out
            self._endpoint.error = 0
        while self._endpoint.queue:
            _source, payload = self._endpoint.queue.popleft()
            try:
                message = Dns.parse(payload)
            except WireError:
                continue
            if not self._is_answer(message):
                continue
            if message.rcode in CANNOT and self._tries < len(self._resolver.servers):
                self._next()
            else:
                self._resolver.counters["answered"] += 1
                self._finish(self._answer(message))
            return

    def _is_answer(self, message: Dns) -> bool:
        question = self._question
        return (
            message.ident == self._ident
            and bool(message.flags & dns.RESPONSE)
            and len(message.questions) == 1
            and message.questions[0].name.lower() == question.name.lower().removesuffix(".")
            and message.questions[0].type == question.type
        )

    def _answer(self, message: Dns) -> Answer:
        """Follow the CNAMEs from the question's name."""
        if message.rcode:
            return Answer(message.rcode)
        name = self._question.name.lower().removesuffix(".")
        for _ in range(len(message.answers)):
            alias = next((r.data for r in message.answers
                          if r.type == dns.CNAME and r.name.lower() == name), None)  # fmt: skip
            if not isinstance(alias, str):
                break
            name = alias.lower()
        answer = Answer(dns.NOERROR, [], name)
        for record in message.answers:
            if record.name.lower() != name or record.type != self._question.type:
                continue
            if isinstance(record.data, str):
                answer.name = record.data
            else:
                answer.addresses.append(int.from_bytes(record.data, "big"))
        return answer

    def _finish(self, answer: Answer) -> None:
        self._callout.cancel()
        self._endpoint.close()
        self._done(answer)
