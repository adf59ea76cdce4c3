"""The link protocol: in-order, exactly-once delivery of messages over a line that damages frames.

Theory of operation.  Messages form a stream in which every byte, and the end of every message, has
a number.  A DATA frame carries a run of bytes up to the end of a message, a PART frame one that
does not reach it; `seq` is the number of the first byte, and `ack`, in every frame, the number
expected next, which acknowledges all before it.

A line keeps order.  So each transmission has a number of its own too, and a receiver that finds
numbers missing knows that those frames were lost: it says so at once, with a map of the last
MAP_FRAMES, keeps what came after them, and only what was lost is sent again.  When nothing comes
any more that could tell (the last frames were lost, or the answer), a timer sends the oldest.
Acknowledgements ride on data; a timer sends the rest.

What is lost again and again was too long: runs shrink where frames are lost and grow where they
are not, which finds the length that a rate of bit errors leaves alone (about 80 bytes at 1e-4).
How long an answer may take, and how much may be under way, follows from the time that bytes have
needed.

Each end starts with RESET carrying a number of its own choice (its incarnation) and is up when the
other has confirmed it with RESET_ACK.  An end that sees a new incarnation starts afresh and says
so: whoever uses the link must then treat everything under way as lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from minion.line import frames
from minion.line.pace import Pace
from minion.line.reassembly import MAP_BYTES, MAP_FRAMES, MAP_FULL, MASK, Reassembly

DATA, ACK, PART, RESET, RESET_ACK = 1, 2, 3, 4, 5
BULK_BYTES: Final = 256
"""Runs from here on keep a slow line busy for a while."""


@dataclass(frozen=True, slots=True)
class LinkConfig:
    window_bytes: int = 128 << 10
    """Under way at most, on a line that is fast enough for it (see Pace.window)."""
    window_frames: int = MAP_FRAMES - 8
    """Frames under way at most: a map that comes late still tells of all of them."""
    ack_bytes: int = 16 << 10
    """Received bytes that are acknowledged at once; as a quarter of window_frames is."""
    ack_delay_ns: int = 20_000_000
    """How long an acknowledgement may wait for data to ride on."""


class Timer(Protocol):
    def cancel(self) -> None: ...


class Run:
    """Bytes of the stream, as one frame carries them."""

    __slots__ = ("ahead_bytes", "data", "end", "last", "sent_ns", "seq")

    def __init__(self, seq: int, data: bytes, last: bool) -> None:
        self.seq = seq
        self.data = data
        self.last = last
        """The message ends here."""
        self.end = seq + len(data) + last
        self.sent_ns = 0
        self.ahead_bytes = 0
        """What was under way when it was sent, itself included."""


class Link:
    def __init__(
        self,
        incarnation: int,
        transmit: Callable[[bytes], None],
        deliver: Callable[[bytes], None],
        restarted: Callable[[], None],
        now: Callable[[], int],
        wake_at: Callable[[int, Callable[[], None]], Timer],
        config: LinkConfig | None = None,
    ) -> None:
        """wake_at(t, f) has f called at time t or soon after, unless it is cancelled before."""
        self._config = config or LinkConfig()
        self._incarnation = incarnation & MASK
        self._transmit = transmit
        self._deliver = deliver
        self._restarted = restarted
        self._now = now
        self._wake_at = wake_at
        self.room: Callable[[], None] = lambda: None
        """Called when the link is no longer congested."""
        self._deframer = frames.Deframer()
        self._pace = Pace(self._config.ack_delay_ns, self._config.window_bytes)
        self._peer: int | None = None
        self.up = False
        self._armed_ns = 0
        self._timer: Timer | None = None
        self._reset_ns = 0
        self.counters = {
            "frames_out": 0,
            "frames_in": 0,
            "retransmitted": 0,
            "timeouts": 0,
            "resets": 0,
        }
        self._clear()

    def _clear(self) -> None:
        self._queue: deque[bytes] = deque()
        self._rest: Run | None = None  # what the window did not take of the message before _queue
        self._flight: dict[int, Run] = {}  # by number of transmission, so the oldest comes first
        self._flight_bytes = 0
        self._repeats = False  # _flight is not in the order of the stream
        self._next_seq = 0
        self._una = 0  # all before it has arrived
        self._number = 0
        self._peer_busy_ns = 0
        self._came = Reassembly(self._deliver, 2 * self._config.window_bytes)
        self._rexmt_at = self._ack_at = 0
        self._progress_ns = 0
        """When something was acknowledged."""

    def start(self) -> None:
        """Begin the reset handshake."""
        self._send_reset(RESET)
        self._arm_retransmit()

    # -- out

    def send(self, message: bytes) -> None:
        """Queue a message of at most PAYLOAD_MAX bytes; it will arrive once, and in order."""
        assert len(message) <= frames.PAYLOAD_MAX, "line: message too long"
        self._queue.append(message)
        if self.up and len(self._queue) == 1:
            self._fill()

    @property
    def congested(self) -> bool:
        """Messages wait for the window: what can wait elsewhere should."""
        return bool(self._queue) or self._rest is not None

    def _fill(self) -> None:
        """Send what the window takes, in order, cut into runs."""
        queue, pace, flight = self._queue, self._pace, self._flight
        config = self._config
        while (queue or self._rest is not None) and (
            not flight
            or (self._flight_bytes < pace.window_bytes and len(flight) < config.window_frames)
        ):
            if self._next_seq - self._una & MASK > config.window_bytes:
                break  # the other end keeps no more beyond a gap
            run = self._rest
            if run is None:
                run = Run(self._next_seq, queue.popleft(), True)
                self._next_seq = run.end & MASK
            else:
                self._rest = None
            length = pace.run_bytes
            if len(run.data) > length:
                self._rest = Run(run.seq + length & MASK, run.data[length:], True)
                run = Run(run.seq, run.data[:length], False)
            self._send_run(run)

    def _send_run(self, run: Run) -> None:
        number = self._number
        self._number = number + 1 & 0xFFFF
        self._flight[number] = run
        self._flight_bytes += len(run.data) + frames.OVERHEAD_BYTES
        run.ahead_bytes = self._flight_bytes
        run.sent_ns = self._now()
        came = self._came
        if not came.early:  # a gap is told by ACK alone
            came.unacked_bytes = came.unacked_frames = self._ack_at = 0
        self.counters["frames_out"] += 1
        if not self._rexmt_at:
            self._arm_retransmit()  # and not again before that: see `expired`
        kind = DATA if run.last else PART
        self._transmit(frames.emit(kind, number, run.seq, came.expected, run.data))

    def _send_again(self, lost: list[Run]) -> None:
        length = self._pace.run_bytes
        self._repeats = True
        for run in lost:
            self.counters["retransmitted"] += 1
            data, seq = run.data, run.seq
            while len(data) > length:
                self._send_run(Run(seq, data[:length], False))
                data, seq = data[length:], seq + length & MASK
            self._send_run(Run(seq, data, run.last))

    def _send_control(self, kind: int, payload: bytes = b"") -> None:
        came = self._came
        came.unacked_bytes = came.unacked_frames = self._ack_at = 0
        self.counters["frames_out"] += 1
        self._transmit(frames.emit(kind, came.heard, 0, came.expected, payload))

    def _send_ack(self) -> None:
        """With a map, where something is missing."""
        came = self._came
        came.tell = False
        if came.map == MAP_FULL:
            self._send_control(ACK)
        else:
            self._send_control(ACK, came.map.to_bytes(MAP_BYTES, "little"))

    def _send_reset(self, kind: int) -> None:
        peer = self._peer if self._peer is not None else 0
        self._reset_ns = self._now()
        self._send_control(kind, frames.CRC.pack(self._incarnation) + frames.CRC.pack(peer))

    # -- in

    def input(self, data: bytes) -> None:
        """Bytes from the line."""
        came = False
        for kind, number, seq, ack, payload in self._deframer.input(data):
            self.counters["frames_in"] += 1
            if kind in (DATA, PART):
                if self.up:
                    if len(payload) >= BULK_BYTES:
                        self._peer_busy_ns = self._now()
                    self._acknowledged(ack)
                    self._came.input(number, seq, payload, kind == DATA)
                    came = True
            elif kind == ACK:
                if self.up:
                    self._acknowledged(ack)
                    if len(payload) == MAP_BYTES:
                        self._told(number, int.from_bytes(payload, "little"))
            elif kind in (RESET, RESET_ACK) and len(payload) == 8:
                self._reset(kind, payload)
        if came and self.up:
            self._acknowledge()

    def _acknowledge(self) -> None:
        """At once, or soon, or with data that is sent meanwhile."""
        came, config = self._came, self._config
        if (
            came.tell
            or came.unacked_bytes >= config.ack_bytes
            or came.unacked_frames >= config.window_frames // 4
        ):
            self._send_ack()
        elif (came.unacked_frames or came.early) and not self._ack_at:
            self._ack_at = self._now() + config.ack_delay_ns
            self._arm(self._ack_at)

    def _acknowledged(self, ack: int) -> None:
        """Everything before ack has arrived."""
        if ack == self._una:
            return
        if ack - self._una & MASK <= self._next_seq - self._una & MASK:
            self._una = ack
        flight, done = self._flight, []
        for number, run in flight.items():
            if ack - run.end & MASK <= MASK >> 1:
                done.append(number)
            elif not self._repeats:
                break
        if done:
            self._arrived([flight.pop(number) for number in done])

    def _told(self, heard: int, came: int) -> None:
        """The map of an acknowledgement: bit n tells of the transmission n before heard."""
        flight = self._flight
        good: list[Run] = []
        lost: list[Run] = []
        for number in list(flight):
            behind = heard - number & 0xFFFF
            if behind > 0x7FFF:
                break  # sent later
            (good if behind < MAP_FRAMES and came >> behind & 1 else lost).append(
                flight.pop(number)
            )
        for run in lost:
            self._flight_bytes -= len(run.data) + frames.OVERHEAD_BYTES
            self._pace.lost(len(run.data))
        if lost:
            self._send_again(lost)
        self._arrived(good)

    def _arrived(self, runs: list[Run]) -> None:
        if not runs:
            return
        now, pace = self._now(), self._pace
        for run in runs:
            self._flight_bytes -= len(run.data) + frames.OVERHEAD_BYTES
            pace.arrived(len(run.data))
        if not self._repeats and now >= pace.sample_at:  # Karn
            pace.sample(now, now - runs[-1].sent_ns, runs[-1].ahead_bytes)
        if not self._flight:
            self._repeats = False
        pace.backoff = 0
        self._progress_ns = now
        if self.congested:
            self._drain()

    def _drain(self) -> None:
        self._fill()
        if not self.congested:
            self.room()

    def _reset(self, kind: int, payload: bytes) -> None:
        theirs = frames.CRC.unpack_from(payload)[0]
        mine = frames.CRC.unpack_from(payload, 4)[0]
        if theirs != self._peer:
            was_up, waiting = self.up, self._queue
            self._peer = theirs
            self._clear()
            self.up = False
            self.counters["resets"] += 1
            if was_up:
                self._restarted()
            else:
                self._queue = waiting  # written before the line was up: still to be sent
        if kind == RESET:
            self._send_reset(RESET_ACK)
        if kind == RESET_ACK and mine == self._incarnation and not self.up:
            self.up = True
            now = self._now()
            self._pace.sample(now, now - self._reset_ns, 2 * (8 + frames.OVERHEAD_BYTES))
            self._rexmt_at = 0
            self._drain()
        elif not self.up:
            self._send_reset(RESET)
            self._arm_retransmit()

    # -- timers

    def _timeout_ns(self, now: int) -> int:
        return self._pace.timeout_ns(self._flight_bytes, now - self._peer_busy_ns)

    def _arm_retransmit(self) -> None:
        now = self._now()
        self._rexmt_at = now + self._timeout_ns(now)
        self._arm(self._rexmt_at)

    def _arm(self, when_ns: int) -> None:
        """Deadlines are pushed back all the time: the timer is only moved to an earlier one."""
        if not self._armed_ns or when_ns < self._armed_ns:
            if self._timer is not None:
                self._timer.cancel()
            self._armed_ns = when_ns
            self._timer = self._wake_at(when_ns, self.expired)

    def expired(self) -> None:
        """A time that was asked for has come."""
        self._armed_ns = 0
        self._timer = None
        now = self._now()
        if self._ack_at and self._ack_at <= now:
            self._send_ack()
        if self._rexmt_at and self._rexmt_at <= now:
            self._rexmt_at = self._due_ns(now)
            if self._rexmt_at and self._rexmt_at <= now:
                self._rexmt_at = 0
                self._timed_out()
        deadlines = [t for t in (self._ack_at, self._rexmt_at) if t]
        if deadlines:
            self._arm(min(deadlines))

    def _due_ns(self, now: int) -> int:
        """When what is under way now is late; 0: nothing is."""
        if not self.up:
            return now
        if not self._flight:
            return 0
        oldest = self._flight[next(iter(self._flight))]
        return max(oldest.sent_ns, self._progress_ns) + self._timeout_ns(now)

    def _timed_out(self) -> None:
        pace = self._pace
        pace.backoff += 1
        if not self.up:
            self._send_reset(RESET)
            self._arm_retransmit()
        elif self._flight:
            # One is enough: its answer tells what became of the others
            self.counters["timeouts"] += 1
            run = self._flight.pop(next(iter(self._flight)))
            self._flight_bytes -= len(run.data) + frames.OVERHEAD_BYTES
            pace.lost(len(run.data))
            self._send_again([run])

    def account(self) -> dict[str, int]:
        deframer = self._deframer
        return self.counters | {
            "bad_frames": deframer.bad_frames,
            "noise_bytes": deframer.noise_bytes,
            "next_seq": self._next_seq,
            "early_bytes": self._came.early_bytes,
            "gaps": self._came.gaps,
            "run_bytes": self._pace.run_bytes,
            "window_bytes": self._pace.window_bytes,
        }
