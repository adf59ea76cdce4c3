"""Random socket calls on the host and on a minion: results, errnos and readiness must be the same.

100 sequences in every run, always the same ones; `make conversations` plays thousands of new ones.
A difference that is none of tests/support/differences.py is a fault.
"""

from __future__ import annotations

import json
import random
import socket
import sys
import time
from pathlib import Path

import hypothesis.strategies as st
import pytest
from differences import difference
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from world import MINION, Program, World

pytestmark = pytest.mark.slow
DRIVER = Path(__file__).with_name("call_driver.py")
BLOCKS_S = 0.1
"""A call on the host that takes longer waits for something."""
PATIENCE_S = 10.0
"""For a call on the minion that does not wait on the host."""
SETTLE_S = 3.0
STEPS = 14
MOST = 4

Answer = list[object]


class Side:
    def __init__(self, program: Program) -> None:
        self.program = program

    def ask(self, who: int, limit_s: float, *command: object) -> Answer:
        return self._line(json.dumps([who, limit_s, *command]))

    def begin(self) -> None:
        self.program.say('["begin"]\n')

    def end(self) -> None:
        assert self._line('[0, 0, "end"]') == ["over"]

    def _line(self, text: tuple[str, int]) -> Answer:
        self.program.seen = ""
        self.program.say(text + "\n")
        answer: Answer = json.loads(self.program.until("\n", 60))
        return answer


HOST: Side
MINION_SIDE: Side

S, T, IP = socket.SOL_SOCKET, socket.IPPROTO_TCP, socket.IPPROTO_IP
READ = (
    (S, socket.SO_ERROR), (S, socket.SO_TYPE), (S, socket.SO_ACCEPTCONN), (S, socket.SO_DOMAIN),
    (S, socket.SO_PROTOCOL), (S, socket.SO_KEEPALIVE), (S, socket.SO_REUSEADDR),
    (S, socket.SO_LINGER), (T, socket.TCP_NODELAY), (T, socket.TCP_CORK), (T, socket.TCP_KEEPIDLE),
    (T, socket.TCP_KEEPINTVL), (T, socket.TCP_KEEPCNT), (T, socket.TCP_SYNCNT), (IP, socket.IP_TTL),
)  # fmt: skip
WRITTEN = (
    (S, socket.SO_KEEPALIVE, [1]), (S, socket.SO_KEEPALIVE, [0]), (S, socket.SO_REUSEADDR, [1]),
    (S, socket.SO_LINGER, [1, 0]), (S, socket.SO_LINGER, [0, 0]), (T, socket.TCP_NODELAY, [1]),
    (T, socket.TCP_CORK, [1]), (T, socket.TCP_CORK, [0]), (T, socket.TCP_KEEPIDLE, [9]),
    (T, socket.TCP_KEEPIDLE, [0]), (T, socket.TCP_KEEPCNT, [3]), (T, socket.TCP_SYNCNT, [2]),
    (IP, socket.IP_TTL, [33]), (IP, socket.IP_TTL, [0]),
)  # fmt: skip
SEND_FLAGS = (0, socket.MSG_DONTWAIT, socket.MSG_MORE, socket.MSG_DONTWAIT | socket.MSG_MORE)
D, P, W = socket.MSG_DONTWAIT, socket.MSG_PEEK, socket.MSG_WAITALL
RECV_FLAGS = (D, D | P, D | W, D | P | W, 0)
HOSTS = ("127.0.0.1", "127.0.0.1", "0.0.0.0", "192.0.2.1")

which = st.integers(0, MOST - 1)
processes = st.integers(0, 1)
texts = st.sampled_from([("a", 1), ("b", 3), ("c", 700), ("d", 3000)])
"""A letter, and how often."""
sizes = st.sampled_from([0, 1, 2, 700, 5000])


class Conversation(RuleBasedStateMachine):
    """Both sides do each step; then what they say, and what can be seen of all sockets, agrees."""

    @initialize()
    def begin(self) -> None:
        self.live: list[set[int]] = [set(), set()]
        self.next = 0
        self.history: list[str] = []
        self.listened: set[int] = set()
        """Slots that were ever listeners."""
        self.linked: set[int] = set()
        """Slots that have been connected."""
        self.copies: dict[int, set[int]] = {}
        self.copied: set[int] = set()
        """Slots that share their socket with another slot or process, or did."""
        self.ended: set[int] = set()
        """Slots with an attempt or a listener that is over."""
        HOST.begin()
        MINION_SIDE.begin()

    def teardown(self) -> None:
        HOST.end()
        MINION_SIDE.end()

    # -- steps

    def step(self, who: int, *command: object) -> Answer:
        host = HOST.ask(who, BLOCKS_S, *command)
        blocked = host == ["BLOCKS"]
        minion = MINION_SIDE.ask(who, BLOCKS_S if blocked else PATIENCE_S, *command)
        self.history.append(f"{who} {command}: {host}")
        assert host == minion, self.told(f"linux {host}, minion {minion}")
        self.settle()
        return host

    def settle(self) -> None:
        for who in range(2 if self.live[1] else 1):
            host = HOST.ask(who, BLOCKS_S, "state")
            deadline = time.monotonic() + SETTLE_S
            while not same(host, minion := MINION_SIDE.ask(who, BLOCKS_S, "state")):
                if time.monotonic() > deadline:
                    raise AssertionError(self.told(f"{who}: linux {host}, minion {minion}"))
                host = HOST.ask(who, BLOCKS_S, "state")

    def told(self, what: str) -> str:
        return "\n".join([*self.history, what])

    def alike(self, one: int, other: int) -> None:
        """Two slots of one socket; what is known of one is known of the other."""
        both = self.copies.get(one, {one}) | self.copies.get(other, {other})
        self.copies.update(dict.fromkeys(both, both))
        for known in (self.listened, self.ended, self.linked):
            if known & both:
                known.update(both)
        self.copied.update(both)

    def note(self, known: set[int], slot: int) -> None:
        known.update(self.copies.get(slot, {slot}))

    def readable(self, who: int, number: int) -> int | None:
        """Left out: a read on a listener says EAGAIN here, ENOTCONN on Linux."""
        slot = self.slot(who, number)
        return None if slot in self.listened else slot

    def renewable(self, who: int, number: int) -> bool:
        """Left out: a copy would keep the dead description (retry-is-a-new-description)."""
        return self.slot(who, number) not in self.copied

    def bindable(self, who: int, number: int) -> int | None:
        """Left out: a port that was chosen is kept here when the attempt or listener is over."""
        slot = self.slot(who, number)
        return None if slot in self.ended else slot

    def slot(self, who: int, number: int) -> int:
        live = sorted(self.live[who])
        return live[number % len(live)]

    def who(self, process: int) -> int:
        return process if self.live[1] else 0

    def room(self) -> bool:
        return len(self.live[0]) < MOST

    def some(self) -> bool:
        return bool(self.live[0])

    @precondition(room)
    @rule(flags=st.sampled_from([0, socket.SOCK_NONBLOCK]))
    def make(self, flags: int) -> None:
        self.next += 1
        self.live[0].add(self.next)
        self.step(0, "socket", self.next, flags)

    @precondition(lambda self: self.room() and len(self.live[0]) < 3)
    @rule()
    def listener(self) -> None:
        """So common that it has a rule."""
        self.make(socket.SOCK_NONBLOCK)
        self.note(self.listened, self.next)
        self.step(0, "listen", self.next, 8)

    @precondition(some)
    @rule(p=processes, n=which, host=st.sampled_from(HOSTS), like=st.none() | which)
    def bind(self, p: int, n: int, host: str, like: int | None) -> None:
        who = self.who(p)
        other = None if like is None else self.slot(who, like)
        if (slot := self.bindable(who, n)) is not None:
            self.step(who, "bind", slot, host, other)

    @precondition(some)
    @rule(p=processes, n=which, backlog=st.sampled_from([4, 128]))
    def listen(self, p: int, n: int, backlog: int) -> None:
        who = self.who(p)
        if (slot := self.bindable(who, n)) is not None:
            self.note(self.listened, slot)
            self.step(who, "listen", slot, backlog)

    @precondition(some)
    @rule(p=processes, n=which, to=which)
    def connect(self, p: int, n: int, to: int) -> None:
        who = self.who(p)
        again = self.slot(who, n) in self.ended
        if again and not self.renewable(who, n):
            return
        if self.slot(who, n) != self.slot(who, to):  # to itself: simultaneous open has other tests
            if self.slot(who, to) not in self.listened:
                self.note(self.ended, self.slot(who, n))
            found = self.step(who, "connect", self.slot(who, n), self.slot(who, to))
            if found in ([0], ["EINPROGRESS"]):
                self.note(self.linked, self.slot(who, n))

    @precondition(some)
    @rule(p=processes, n=which)
    def connect_to_nobody(self, p: int, n: int) -> None:
        who = self.who(p)
        if self.renewable(who, n) or self.slot(who, n) not in self.ended:
            self.note(self.ended, self.slot(who, n))
            self.step(who, "connect", self.slot(who, n), None)

    @precondition(some)
    @rule(p=processes, n=which)
    def dissolve(self, p: int, n: int) -> None:
        who = self.who(p)
        if self.renewable(who, n):
            self.note(self.ended, self.slot(who, n))
            self.step(who, "dissolve", self.slot(who, n))

    @precondition(room)
    @precondition(some)
    @rule(p=processes, n=which, flags=st.sampled_from([0, socket.SOCK_NONBLOCK]))
    def accept(self, p: int, n: int, flags: int) -> None:
        who = self.who(p)
        self.next += 1
        if self.step(who, "accept", self.slot(who, n), self.next, flags)[0] == "ok":
            self.live[who].add(self.next)
            self.note(self.linked, self.next)

    @precondition(some)
    @rule(p=processes, n=which, text=texts, flags=st.sampled_from(SEND_FLAGS))
    def send(self, p: int, n: int, text: tuple[str, int], flags: int) -> None:
        who = self.who(p)
        self.step(who, "send", self.slot(who, n), text, flags | socket.MSG_NOSIGNAL)

    @precondition(some)
    @rule(p=processes, n=which, size=sizes, flags=st.sampled_from(RECV_FLAGS))
    def recv(self, p: int, n: int, size: int, flags: int) -> None:
        who = self.who(p)
        if (slot := self.readable(who, n)) is not None:
            self.step(who, "recv", slot, size, flags)

    @precondition(some)
    @rule(p=processes, n=which, text=texts)
    def write(self, p: int, n: int, text: tuple[str, int]) -> None:
        who = self.who(p)
        self.step(who, "write", self.slot(who, n), text)

    @precondition(some)
    @rule(p=processes, n=which, parts=st.lists(texts, min_size=1, max_size=3))
    def sendmsg(self, p: int, n: int, parts: list[tuple[str, int]]) -> None:
        who = self.who(p)
        self.step(who, "sendmsg", self.slot(who, n), parts, socket.MSG_NOSIGNAL)

    @precondition(some)
    @rule(p=processes, n=which, parts=st.lists(sizes, min_size=1, max_size=3))
    def recvmsg(self, p: int, n: int, parts: list[int]) -> None:
        who = self.who(p)
        if (slot := self.readable(who, n)) is not None:
            self.step(who, "recvmsg", slot, parts, socket.MSG_DONTWAIT)

    @precondition(some)
    @rule(p=processes, n=which, how=st.integers(0, 2))
    def shutdown(self, p: int, n: int, how: int) -> None:
        who = self.who(p)
        slot = self.slot(who, n)
        if slot in self.listened:
            if self.renewable(who, n) and slot not in self.ended:
                self.note(self.ended, slot)
                self.step(who, "shutdown", slot, how)
            return
        if slot not in self.linked or slot in self.ended:
            return  # left out: it says ENOTCONN, but poll takes note of it on Linux
        self.step(who, "shutdown", slot, how)

    @precondition(lambda self: len(self.live[0]) > 1)
    @rule(p=processes, n=which, reset=st.booleans())
    def close(self, p: int, n: int, reset: bool) -> None:
        who = self.who(p)
        slot = self.slot(who, n)
        if len(self.live[who]) < 2:
            return
        if reset:
            self.step(who, "setsockopt", slot, S, socket.SO_LINGER, [1, 0])
        self.live[who].discard(slot)
        self.step(who, "close", slot)

    @precondition(some)
    @rule(p=processes, n=which, option=st.sampled_from(READ))
    def getsockopt(self, p: int, n: int, option: tuple[int, int]) -> None:
        who = self.who(p)
        self.step(who, "getsockopt", self.slot(who, n), *option)

    @precondition(some)
    @rule(p=processes, n=which, option=st.sampled_from(WRITTEN))
    def setsockopt(self, p: int, n: int, option: tuple[int, int, list[int]]) -> None:
        who = self.who(p)
        self.step(who, "setsockopt", self.slot(who, n), *option)

    @precondition(some)
    @rule(p=processes, n=which, peer=st.booleans())
    def name(self, p: int, n: int, peer: bool) -> None:
        who = self.who(p)
        slot = self.slot(who, n) if peer else self.bindable(who, n)
        if slot is not None:
            self.step(who, "getpeername" if peer else "getsockname", slot)

    @precondition(some)
    @rule(p=processes, n=which, on=st.booleans())
    def nonblocking(self, p: int, n: int, on: bool) -> None:
        who = self.who(p)
        self.step(who, "nonblocking", self.slot(who, n), on)

    @precondition(lambda self: self.some() and self.room())
    @rule(n=which)
    def dup(self, n: int) -> None:
        self.next += 1
        self.alike(self.slot(0, n), self.next)
        self.step(0, "dup", self.slot(0, n), self.next)
        self.live[0].add(self.next)

    @precondition(lambda self: len(self.live[0]) > 1)
    @rule(n=which, over=which)
    def dup2(self, n: int, over: int) -> None:
        if self.slot(0, n) != self.slot(0, over):
            self.alike(self.slot(0, n), self.slot(0, over))
            self.step(0, "dup2", self.slot(0, n), self.slot(0, over))

    @precondition(lambda self: self.some() and not self.live[1])
    @rule()
    def fork(self) -> None:
        self.step(0, "fork")
        self.live[1] = set(self.live[0])
        self.copied.update(self.live[0])
        self.settle()

    @precondition(lambda self: bool(self.live[1]))
    @rule()
    def exec(self) -> None:
        self.step(1, "exec")


def same(host: Answer, minion: Answer) -> bool:
    if len(host) != len(minion):
        return False
    for one, two in zip(host, minion, strict=True):
        assert isinstance(one, list)
        assert isinstance(two, list)
        if one[0] != two[0] or one[2] != two[2]:
            return False
        if one[1] != two[1] and difference(frozenset(one[1]), frozenset(two[1])) is None:
            return False
    return True


@pytest.mark.lines("dma", "serial")
def test_random_calls(world: World, request: pytest.FixtureRequest) -> None:
    global HOST, MINION_SIDE
    many = request.config.getoption("--conversations")
    number = random.SystemRandom().getrandbits(64) if many else 1
    print(f"seed {number}", file=sys.stderr)
    world.up("m")
    HOST = Side(world.start("python3", DRIVER, stdin=True))
    MINION_SIDE = Side(world.start(MINION, "run", "--on", "m", "--", "python3", DRIVER, stdin=True))
    seed(number)(Conversation)
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Conversation,
        settings=settings(
            max_examples=(many or 100) // 2,
            stateful_step_count=STEPS,
            derandomize=not many,
            deadline=None,
            database=None,
            print_blob=bool(many),
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
