"""--copy serial: whatever is written, read, stalled, shut and closed in whatever order, on a line
that loses what it likes, each end reads exactly what the other wrote, and then its end.

The programs' ends are real sockets: the kernel says what a close with unread data is.
"""

from __future__ import annotations

import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from serial_line import SerialLine, VirtualTime

from hypercalls.api import CLOSED, EOF, RESET, Ready
from hypercalls.common.memory import HeapMemory
from hypercalls.host.reactor import Reactor
from minion.driver.channel import ACCEPT_MARK, Channel
from minion.driver.liveness import Liveness
from minion.driver.rendezvous import Rendezvous
from minion.driver.serial_copy import SerialCopyEngine
from minion.sysproxy import messages
from minion.sysproxy.messages import CREDIT
from minion.sysproxy.serial_copy import SerialCopy

MS = 1_000_000
PATTERN = bytes(n * n >> 3 & 0xFF for n in range(1 << 16)) * 80
"""So that bytes out of their place are seen."""
ROOM = 8192
"""Bytes in a program's channel, about: a reader that does not read is soon noticed."""


class Stream:
    """One channel, with both its users: a program, and a server that acts only on what it is told.

    What has been written and read is counted: bytes are those of PATTERN.
    """

    def __init__(self, rig: Rig, number: int) -> None:
        self.rig = rig
        self.number = number
        self.channel = Channel(
            number, f"{number:016}", rig.path, rig.reactor, rig.liveness, rig.rendezvous, True, 1
        )
        rig.engine.plug(self.channel)
        assert self.channel.sock is not None
        for end in (self.channel.sock, self.channel.program.sock):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
        self.program = self.channel.program.sock.dup()
        self.program.setblocking(False)
        self.channel.let_go()
        assert self.program.recv(1) == ACCEPT_MARK
        self.written = self.taken = self.given = self.got = 0
        self.shut = self.closed = self.ended = False
        self.unread_at_close = False
        self.refused = False
        """Something was given after the program had closed."""
        self.end = 0
        """What copyin said instead of bytes; RESET if copyout found nobody."""
        self.told = 0
        self.blocked = False
        rig.copy.attach(number, self._ready)

    def _ready(self, events: Ready) -> None:
        self.told |= int(events)

    # -- the program

    def write(self, length: int) -> None:
        if self.shut or self.closed:
            return
        try:
            self.written += self.program.send(PATTERN[self.written : self.written + length])
        except BlockingIOError:
            return
        except OSError:
            assert self.end < EOF, "the channel of a server that is still there"

    def read(self, length: int) -> bytes:
        if self.closed:
            return b""
        try:
            data = self.program.recv(length)
        except BlockingIOError:
            return b""
        assert data == PATTERN[self.got : self.got + len(data)]
        self.got += len(data)
        return data

    def shut_down(self) -> None:
        if not self.closed and not self.shut:
            self.shut = True
            self.program.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.unread_at_close = self.got < self.given
            self.program.close()

    # -- the server

    def take(self, length: int) -> int:
        """copyin, as a session does when it was told to."""
        if not self.told & int(Ready.IN | Ready.HUP) or self.end < EOF:
            return 0
        buffer = self.rig.buffer
        self.told &= ~int(Ready.IN)  # from now on, what was left is told again
        count = self.rig.copy.copyin(self.number, buffer, 7, length)
        if count > 0:
            assert buffer.view[7 : 7 + count] == PATTERN[self.taken : self.taken + count]
            self.taken += count
        elif count < 0:
            self._ends(count)
        return count

    def _ends(self, how: int) -> None:
        assert self.shut or self.closed, "nobody has closed anything"
        if how != RESET:
            assert self.taken == self.written, "an end before the last byte"
        if self.end < EOF:
            assert how == self.end
        elif how == EOF:
            self.end = EOF
        else:
            assert self.closed
            self.end = how

    def give(self, length: int) -> None:
        if self.ended or self.end < EOF:
            return
        if self.blocked:
            if not self.told & int(Ready.OUT):
                return
            self.told &= ~int(Ready.OUT)
        buffer = self.rig.buffer
        buffer.view[:length] = PATTERN[self.given : self.given + length]
        count = self.rig.copy.copyout(self.number, buffer, 0, length)
        if count < 0:  # data for a closed socket: a session resets the connection
            assert self.closed
            self.end = RESET
            self.refused = True
            return
        self.blocked = count < length
        self.given += count
        if self.closed and count:
            self.refused = True

    def finish(self) -> None:
        if not self.ended and self.end >= EOF:
            self.ended = True
            self.rig.copy.end(self.number)


class Rig:
    """An engine, a line and a copy service."""

    def __init__(self, baud: int = 0, noise: float = 0.0, seed: int = 1) -> None:
        self.time = VirtualTime()
        self.line = SerialLine(self.time, baud, noise, seed)
        self.reactor = Reactor()
        self.crashes: list[BaseException] = []
        self.reactor.crashed = lambda _name, error: self.crashes.append(error)
        self.liveness = Liveness(self.reactor)
        self.path = secrets.token_hex(8).encode()
        self.folder = tempfile.TemporaryDirectory(prefix="m", dir="/tmp")
        self.rendezvous = Rendezvous(os.fsencode(self.folder.name) + b"/channels")
        self.buffer = HeapMemory(1 << 20).alloc(1 << 16)
        self.engine = SerialCopyEngine(self.line.driver, self.reactor)
        self.copy = SerialCopy(self.line.minion)
        self.line.deliver[0] = self._to_driver
        self.line.deliver[1] = self._to_minion
        self.streams: list[Stream] = []
        self.line.start()
        self.run(100)

    def _to_driver(self, message: bytes) -> None:
        _kind, op, _, _reqno, chan, a, _b, _c = messages.HEADER.unpack_from(message)
        self.engine.note(op, chan, a, message[messages.HEADER.size :])

    def _to_minion(self, message: bytes) -> None:
        _kind, op, _, _reqno, chan, a, _b, _c = messages.HEADER.unpack_from(message)
        assert self.copy.input(op, chan, a, message[messages.HEADER.size :])

    def open(self) -> Stream:
        stream = Stream(self, len(self.streams) + 1)
        self.streams.append(stream)
        return stream

    def run(self, ms: int) -> None:
        limit = self.time.now_ns + ms * MS
        while self.time.now_ns < limit:
            self.reactor.run_once(False)
            self.time.run(min(self.time.idle_ns(), limit - self.time.now_ns))
        self.reactor.run_once(False)
        assert not self.crashes, self.crashes

    def settle(self) -> None:
        """Until nothing moves: readers read, servers serve, the line is good."""
        self.line.settle()
        idle = 0
        while idle < 3:
            before = self.state()
            for stream in self.streams:
                while stream.read(1 << 20):
                    pass
                while stream.take(5000) > 0:
                    pass
            self.run(1000)
            self.liveness.look()
            idle = idle + 1 if self.state() == before else 0

    def state(self) -> list[tuple[int, ...]]:
        return [(s.written, s.taken, s.given, s.got, s.end, s.told) for s in self.streams]

    def check(self) -> None:
        """After `settle`."""
        for stream in self.streams:
            if not stream.closed:
                assert stream.taken == stream.written
                assert stream.end == (EOF if stream.shut else 0)
                assert stream.got == stream.given
                assert not stream.blocked or stream.told & int(Ready.OUT)
                if stream.ended:
                    assert stream.program.recv(1) == b"", "the peer's FIN"
            elif stream.unread_at_close:
                assert stream.end == RESET
            elif stream.end != RESET or not stream.refused:
                assert stream.end == CLOSED
                assert stream.taken == stream.written

    def close(self) -> None:
        for stream in self.streams:
            self.copy.detach(stream.number)
        self.line.settle()
        self.run(2000)
        for stream in self.streams:
            stream.program.close()
            stream.channel.detach()
        self.liveness.close()
        self.rendezvous.close()
        self.folder.cleanup()
        self.reactor.close()


@contextmanager
def rig(baud: int = 0, noise: float = 0.0, seed: int = 1) -> Iterator[Rig]:
    made = Rig(baud, noise, seed)
    try:
        yield made
    finally:
        made.close()


LINES = [(0, 0.0), (921_600, 0.0), (115_200, 0.0), (0, 1e-5), (921_600, 1e-5), (921_600, 1e-4)]


@pytest.mark.parametrize(("baud", "noise"), LINES)
def test_written_and_closed_at_once(baud: int, noise: float) -> None:
    """The last bytes and the end arrive together: the end is told all the same."""
    with rig(baud, noise) as made:
        streams = [made.open() for _ in range(5)]
        for stream in streams:
            for _ in range(6):
                stream.write(500)
            stream.close()
        made.settle()
        assert [(s.taken, s.end) for s in streams] == [(3000, CLOSED)] * 5


@pytest.mark.parametrize(("baud", "noise"), LINES)
def test_closed_before_the_server_attaches(baud: int, noise: float) -> None:
    with rig(baud, noise) as made:
        stream = made.open()
        stream.write(700)
        stream.close()
        made.settle()
        assert (stream.taken, stream.end) == (700, CLOSED)


def test_more_than_the_credit_and_then_a_close() -> None:
    """With a server that stalls: credit holds to the last byte, and the end comes after it."""
    with rig() as made:
        stream = made.open()
        stream.program.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        while stream.written < 10 * CREDIT:
            before = stream.written
            stream.write(1 << 16)
            made.run(1)
            if stream.written == before:
                break
        assert stream.written > 4 * CREDIT
        stream.close()
        made.run(500)
        assert made.copy._channels[1].queued_bytes <= CREDIT
        made.settle()
        assert (stream.taken, stream.end) == (stream.written, CLOSED)


def test_a_close_with_unread_data_is_a_reset_wherever_it_lies() -> None:
    """In the channel, in the driver, on the line: none of it was read."""
    for length, ms in ((100, 50), (ROOM * 3, 50), (100, 0)):
        with rig(baud=115_200) as made:
            stream = made.open()
            made.run(100)
            stream.give(length)
            made.run(ms)
            stream.close()
            made.settle()
            assert stream.end == RESET, (length, ms)


def test_the_peers_fin_follows_the_last_byte() -> None:
    with rig(baud=921_600, noise=1e-5) as made:
        stream = made.open()
        while not stream.blocked:
            stream.give(5000)
        stream.finish()
        made.settle()
        assert stream.got == stream.given
        assert stream.program.recv(1) == b""


def test_a_busy_line_takes_turns() -> None:
    """A channel that writes what it can holds up no other one, nor a message in between."""
    with rig(baud=115_200) as made:
        loud, quiet = made.open(), made.open()
        made.run(200)
        for _ in range(100):
            loud.write(1 << 16)
            loud.take(1 << 16)
            made.run(10)
        quiet.write(100)
        for _ in range(150):
            loud.write(1 << 16)
            loud.take(1 << 16)
            made.run(10)
            if quiet.take(1 << 16):
                break
        assert quiet.taken == 100


class Conversation(RuleBasedStateMachine):
    """Three channels at once."""

    @initialize(line=st.sampled_from(LINES), seed=st.integers(0, 2**16), late=st.integers(0, 40))
    def begin(self, line: tuple[int, float], seed: int, late: int) -> None:
        self.rig = Rig(*line, seed)
        for _ in range(3):
            self.rig.open()
        self.rig.run(late)

    @rule(which=st.integers(0, 2), length=st.sampled_from([1, 100, 4096, 5000, 40_000]))
    def write(self, which: int, length: int) -> None:
        self.rig.streams[which].write(length)

    @rule(which=st.integers(0, 2), length=st.sampled_from([1, 100, 5000, 50_000]))
    def read(self, which: int, length: int) -> None:
        self.rig.streams[which].read(length)

    @rule(which=st.integers(0, 2), length=st.sampled_from([1, 2048, 5000, 50_000]))
    def take(self, which: int, length: int) -> None:
        self.rig.streams[which].take(length)

    @rule(which=st.integers(0, 2), length=st.sampled_from([1, 100, 5000, 50_000]))
    def give(self, which: int, length: int) -> None:
        self.rig.streams[which].give(length)

    @rule(which=st.integers(0, 2), on=st.booleans())
    def want(self, which: int, on: bool) -> None:
        """A server without room, for a while."""
        self.rig.copy.want(which + 1, Ready.IN if on else Ready(0))

    @rule(which=st.integers(0, 2))
    def shut_down(self, which: int) -> None:
        self.rig.streams[which].shut_down()

    @rule(which=st.integers(0, 2))
    def close(self, which: int) -> None:
        self.rig.streams[which].close()

    @rule(which=st.integers(0, 2))
    def finish(self, which: int) -> None:
        self.rig.streams[which].finish()

    @rule(ms=st.sampled_from([1, 20, 300]))
    def time_passes(self, ms: int) -> None:
        self.rig.run(ms)

    @invariant()
    def no_more_than_the_credit_is_kept(self) -> None:
        if hasattr(self, "rig"):
            for channel in self.rig.copy._channels.values():
                assert channel.queued_bytes <= CREDIT

    def teardown(self) -> None:
        if hasattr(self, "rig"):
            for number in (1, 2, 3):
                self.rig.copy.want(number, Ready.IN)
            try:
                self.rig.settle()
                self.rig.check()
            finally:
                self.rig.close()


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestConversation = pytest.mark.slow(TestConversation)
