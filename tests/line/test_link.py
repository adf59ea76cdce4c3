"""The link: whatever the line does, messages arrive once, whole and in order, or not at all."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from minion.line import frames
from minion.line.link import DATA, Link, LinkConfig

CONFIG = LinkConfig(window_frames=8)
MS = 1_000_000


class End:
    """One side: its link, and what came out of it."""

    def __init__(self, line: Line, name: str) -> None:
        self.line = line
        self.name = name
        self.sent: list[bytes] = []
        self.got: list[bytes] = []
        self.losses = 0
        self.start()

    def start(self) -> None:
        """Begin, or begin again without memory."""
        self.line.incarnation += 1
        self.born = born = self.line.incarnation
        self.link = Link(
            born,
            lambda data: self.line.carry(self, data) if born == self.born else None,
            self.got.append,
            self.restarted,
            lambda: self.line.now_ns,
            self.line.call_at,
            CONFIG,
        )

    def restarted(self) -> None:
        self.losses += 1

    def send(self, message: bytes) -> None:
        self.sent.append(message)
        self.link.send(message)


class Timer:
    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    def fire(self) -> None:
        if not self._cancelled:
            self._call()


class Line:
    """Two ends and a line between them that does what it is told."""

    def __init__(self, seed: int = 0) -> None:
        self.now_ns = 0
        self.incarnation = 0
        self.random = random.Random(seed)
        self.faults: list[str] = []
        self.rate = 0.0
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()
        self.a = End(self, "a")
        self.b = End(self, "b")
        self.a.link.start()
        self.b.link.start()

    def other(self, end: End) -> End:
        return self.b if end is self.a else self.a

    def call_at(self, when_ns: int, call: Callable[[], None]) -> Timer:
        timer = Timer(call)
        heapq.heappush(self._events, (when_ns, next(self._numbers), timer.fire))
        return timer

    def carry(self, end: End, data: bytes) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if not fault and self.random.random() < self.rate:
            fault = self.random.choice(["drop", "damage", "duplicate"])
        if fault == "drop":
            return
        if fault == "damage":
            at = self.random.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << self.random.randrange(8)]) + data[at + 1 :]
        elif fault == "truncate":
            data = data[: len(data) // 2]
        elif fault == "duplicate":
            data += data
        self.call_at(self.now_ns + MS, lambda: self.other(end).link.input(data))

    def run(self, ms: int) -> None:
        limit = self.now_ns + ms * MS
        while self._events and self._events[0][0] <= limit:
            when, _, call = heapq.heappop(self._events)
            self.now_ns = max(self.now_ns, when)
            call()
        self.now_ns = limit

    def settle(self) -> None:
        self.faults.clear()
        self.rate = 0.0
        self.run(60_000)


def message(number: int, size: int = 8) -> bytes:
    return number.to_bytes(4, "big") + bytes(size)


def test_up() -> None:
    line = Line()
    line.run(10)
    assert line.a.link.up
    assert line.b.link.up
    assert not line.a.losses + line.b.losses


def test_before_it_is_up() -> None:
    """What was sent while the handshake went on is not lost."""
    line = Line()
    line.a.send(b"early")
    line.settle()
    assert line.b.got == [b"early"]


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.1, 0.3])
def test_delivery(rate: float) -> None:
    line = Line(seed=5)
    line.settle()
    line.rate = rate
    for number in range(300):
        line.a.send(message(number))
        line.b.send(message(number, 3))
    line.run(20_000)
    line.settle()
    assert line.b.got == line.a.sent
    assert line.a.got == line.b.sent
    retransmitted = line.a.link.counters["retransmitted"]
    assert bool(retransmitted) == bool(rate)


def test_numbers_wrap() -> None:
    line = Line()
    line.settle()
    for first in range(0, 70_000, 500):
        for number in range(first, first + 500):
            line.a.send(number.to_bytes(4, "big"))
        line.run(400)
    line.settle()
    assert line.b.got == line.a.sent


def test_a_lost_repetition_is_asked_for_at_once() -> None:
    """Two losses in a row of the same frame cost two turns, not a time-out."""
    line = Line()
    line.settle()
    before = line.now_ns
    line.faults = ["drop", "", "", ""]  # the first of four; its NAK comes after the others
    for number in range(4):
        line.a.send(message(number))
    line.run(1)
    line.faults = ["drop"]  # the NAK is under way; the repetition is lost again
    line.run(20)
    assert line.b.got == line.a.sent
    assert line.now_ns - before < CONFIG.retransmit_ns


def test_nothing_idles_for_ever() -> None:
    """Without traffic no timer is left that sends."""
    line = Line()
    line.a.send(b"x")
    line.settle()
    before = line.a.link.counters["frames_out"] + line.b.link.counters["frames_out"]
    line.run(100_000)
    assert line.a.link.counters["frames_out"] + line.b.link.counters["frames_out"] == before


def test_frames_that_lie() -> None:
    """A right CRC, and nonsense inside: no effect."""
    line = Line(seed=1)
    line.settle()
    for kind in range(256):
        for seq, ack in ((0, 0), (1, 40_000), (65_535, 65_535)):
            if kind != DATA:
                line.b.link.input(frames.emit(kind, seq, ack, b"?" * (kind % 7)))
    line.a.send(b"still")
    line.settle()
    assert line.b.got[-1:] == [b"still"]
    assert not line.b.losses


class Conversation(RuleBasedStateMachine):
    """Each end reads a prefix of what the other wrote since the last restart of either."""

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        self.line = Line(seed)
        self.numbers = count()

    def fresh(self) -> None:
        """A restart: what was under way may arrive or not; what follows must."""
        self.line.settle()
        for end in (self.line.a, self.line.b):
            end.sent.clear()
            end.got.clear()

    @rule(which=st.booleans(), sizes=st.lists(st.integers(0, 4096), max_size=20))
    def send(self, which: bool, sizes: list[int]) -> None:
        end = self.line.a if which else self.line.b
        for size in sizes:
            end.send(message(next(self.numbers), size))

    @rule(faults=st.lists(st.sampled_from(["drop", "damage", "duplicate", "truncate", ""]),
                          max_size=12))  # fmt: skip
    def suffer(self, faults: list[str]) -> None:
        self.line.faults += faults

    @rule(rate=st.sampled_from([0.0, 0.05, 0.4]))
    def weather(self, rate: float) -> None:
        self.line.rate = rate

    @rule(ms=st.integers(1, 2000))
    def time_passes(self, ms: int) -> None:
        self.line.run(ms)

    @rule(which=st.booleans(), noise=st.binary(max_size=50))
    def noise(self, which: bool, noise: bytes) -> None:
        (self.line.a if which else self.line.b).link.input(noise)

    @rule(which=st.booleans())
    def restart(self, which: bool) -> None:
        """The other end is told, once, if it had been up."""
        self.line.settle()
        end = self.line.a if which else self.line.b
        other = self.line.other(end)
        losses = other.losses
        end.start()
        end.link.start()
        self.line.settle()
        assert other.losses == losses + 1
        self.fresh()

    @rule(which=st.booleans(), messages=st.integers(0, 20))
    def crash(self, which: bool, messages: int) -> None:
        """In mid-traffic: some of it is lost, but nothing comes twice or out of order."""
        end = self.line.a if which else self.line.b
        other = self.line.other(end)
        for _ in range(messages):
            end.send(message(next(self.numbers)))
            other.send(message(next(self.numbers)))
        self.line.run(2)
        end.start()
        end.link.start()
        for _ in range(messages):
            end.send(message(next(self.numbers)))
            other.send(message(next(self.numbers)))
        self.line.settle()
        for one in (end, other):
            theirs = iter(self.line.other(one).sent)
            assert all(any(got == sent for sent in theirs) for got in one.got)
        self.fresh()

    @invariant()
    def what_is_read_is_a_prefix_of_what_was_written(self) -> None:
        if not hasattr(self, "line"):
            return
        for end in (self.line.a, self.line.b):
            sent = self.line.other(end).sent
            assert end.got == sent[: len(end.got)]

    def teardown(self) -> None:
        if not hasattr(self, "line"):
            return
        self.line.settle()
        assert self.line.a.got == self.line.b.sent
        assert self.line.b.got == self.line.a.sent


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestConversation = pytest.mark.slow(TestConversation)
