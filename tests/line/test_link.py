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
from minion.line.link import ACK, DATA, PART, Link, LinkConfig
from minion.line.reassembly import MAP_BYTES

CONFIG = LinkConfig(window_frames=8, window_bytes=16384)
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
        self.bit_error_rate = 0.0
        self.lose_seq: int | None = None
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

    def flip(self, data: bytes) -> bytes:
        out = bytearray(data)
        for bit in range(8 * len(out)):
            if self.random.random() < self.bit_error_rate:
                out[bit >> 3] ^= 1 << (bit & 7)
        return bytes(out)

    def carry(self, end: End, data: bytes) -> None:
        if self.lose_seq is not None:
            kind, _number, seq, _ack, _payload = frames.Deframer().input(data)[0]
            if kind in (DATA, PART) and seq == self.lose_seq:
                return
        if self.bit_error_rate:
            data = self.flip(data)
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


def test_a_loss_costs_one_frame() -> None:
    """Only what was lost is sent again, at once, and what came after it is kept."""
    line = Line()
    line.settle()
    line.faults = ["", "drop", "", "", "", ""]
    for number in range(6):
        line.a.send(message(number))
    line.run(4)
    assert line.b.got == line.a.sent
    assert line.a.link.counters["retransmitted"] == 1
    assert not line.a.link.counters["timeouts"]


def test_a_lost_repetition_is_seen_in_what_follows() -> None:
    line = Line()
    line.settle()
    line.faults = ["drop", ""]
    line.a.send(message(0))
    line.a.send(message(1))
    line.run(1)
    line.faults = ["drop", ""]  # the repetition; the next message
    line.run(1)
    line.a.send(message(2))
    line.run(4)
    assert line.b.got == line.a.sent
    assert line.a.link.counters["retransmitted"] == 2
    assert not line.a.link.counters["timeouts"]


def test_a_loss_that_nothing_follows_costs_a_short_time() -> None:
    line = Line()
    line.settle()
    before = line.now_ns
    line.faults = ["drop"]
    line.a.send(message(0))
    while line.b.got != line.a.sent:
        line.run(1)
    assert line.now_ns - before < 100 * MS


def test_long_messages_are_cut_where_bits_are_lost() -> None:
    """At one bit in 10,000 a frame of 8 kB never arrives whole."""
    line = Line(seed=3)
    line.settle()
    line.bit_error_rate = 1e-4
    for number in range(40):
        line.a.send(message(number, 8000))
    line.run(20_000)
    assert line.b.got == line.a.sent
    counters = line.a.link.account()
    assert counters["run_bytes"] < 1000
    assert counters["retransmitted"] < counters["frames_out"] // 5
    line.bit_error_rate = 0.0
    for number in range(300):
        line.a.send(message(number, 8000))
    line.settle()
    assert line.a.link.account()["run_bytes"] > 4000, "and grow again where none are"


def test_a_gap_does_not_stop_the_line() -> None:
    """Whatever is lost again and again, the receiver keeps no more than was agreed."""
    line = Line()
    line.settle()
    line.lose_seq = line.a.link.account()["next_seq"]
    for number in range(2000):
        line.a.send(message(number, 100))
    line.run(2000)
    assert not line.b.got
    assert line.b.link.account()["early_bytes"] <= 2 * CONFIG.window_bytes
    line.lose_seq = None
    line.settle()
    assert line.b.got == line.a.sent


def test_congestion_is_told_and_ends() -> None:
    line = Line()
    line.settle()
    rooms = []
    line.a.link.room = lambda: rooms.append(line.a.link.congested)
    for number in range(100):
        line.a.send(message(number, 1000))
    assert line.a.link.congested
    line.settle()
    assert rooms
    assert not any(rooms)
    assert not line.a.link.congested


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
        for seq, ack in ((0, 0), (1, 40_000), (0xFFFFFFFF, 0xFFFFFFFF), (1 << 20, 1)):
            if kind not in (DATA, PART):
                line.b.link.input(frames.emit(kind, seq & 0xFFFF, seq, ack, b"?" * (kind % 7)))
    for number in (0, 1, 9, 0x7FFF, 0x8000, 0xFFFF):
        line.b.link.input(frames.emit(ACK, number, 0, 0, bytes(MAP_BYTES)))
        line.b.link.input(frames.emit(DATA, number, 1 << 20, 0, b"far ahead"))
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
TestConversation.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
TestConversation = pytest.mark.slow(TestConversation)
