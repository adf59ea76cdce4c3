"""The link protocol: in-order, exactly-once delivery of messages over a line that damages frames.

Theory of operation.  Go-back-N after HDLC's balanced mode.  DATA frames are numbered modulo 2**16;
every frame carries the number expected next, which acknowledges all before it.  The receiver
keeps nothing out of order: at a gap it sends one NAK and the sender starts again from there; a
timer does the same when the NAK is lost.  Acknowledgements ride on data; a timer sends the rest.

Each end starts with RESET carrying a number of its own choice (its incarnation) and is up when the
other has confirmed it with RESET_ACK.  An end that sees a new incarnation starts afresh and says
so: whoever uses the link must then treat everything under way as lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from minion.line import frames

DATA, ACK, NAK, RESET, RESET_ACK = 1, 2, 3, 4, 5
MODULUS = 1 << 16


@dataclass(frozen=True, slots=True)
class LinkConfig:
    window_frames: int = 128
    """Frames under way at most; well below half the modulus."""
    retransmit_ns: int = 200_000_000
    """First time-out; doubled up to 16 times that.  Longer than a window takes at 115,200 baud is
    not needed: a NAK comes first."""
    ack_delay_ns: int = 20_000_000
    """How long an acknowledgement may wait for data to ride on."""


class Timer(Protocol):
    def cancel(self) -> None: ...


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
        self._incarnation = incarnation & 0xFFFFFFFF
        self._transmit = transmit
        self._deliver = deliver
        self._restarted = restarted
        self._now = now
        self._wake_at = wake_at
        self._deframer = frames.Deframer()
        self._peer: int | None = None
        self.up = False
        self._armed_ns = 0
        self._timer: Timer | None = None
        self._rexmt_at = self._ack_at = 0
        self._clear()
        self.counters = {
            "frames_out": 0,
            "frames_in": 0,
            "retransmitted": 0,
            "naks": 0,
            "resets": 0,
        }

    def _clear(self) -> None:
        self._queue: deque[bytes] = deque()
        self._flight: deque[bytes] = deque()
        self._base = 0  # number of _flight[0]
        self._expected = 0
        self._unacked = 0
        self._gap_at: int | None = None  # the last frame that came after a gap
        self._backoff = 0
        self._rexmt_at = self._ack_at = 0

    def start(self) -> None:
        """Begin the reset handshake."""
        self._send_reset(RESET)
        self._arm_retransmit()

    # -- out

    def send(self, message: bytes) -> None:
        """Queue a message of at most PAYLOAD_MAX bytes; it will arrive once, and in order."""
        assert len(message) <= frames.PAYLOAD_MAX, "line: message too long"
        if not self.up or self._queue or len(self._flight) >= self._config.window_frames:
            self._queue.append(message)
            return
        self._send_data(message)

    @property
    def backlog(self) -> int:
        """Messages that wait for the window."""
        return len(self._queue)

    def _send_data(self, message: bytes) -> None:
        flight = self._flight
        seq = (self._base + len(flight)) % MODULUS
        flight.append(message)
        self._unacked = self._ack_at = 0
        self.counters["frames_out"] += 1
        if not self._rexmt_at:
            self._arm_retransmit()
        self._transmit(frames.emit(DATA, seq, self._expected, message))

    def _send_control(self, kind: int, payload: bytes = b"") -> None:
        self._unacked = self._ack_at = 0
        self.counters["frames_out"] += 1
        self._transmit(frames.emit(kind, 0, self._expected, payload))

    def _send_reset(self, kind: int) -> None:
        peer = self._peer if self._peer is not None else 0
        self._send_control(kind, frames.CRC.pack(self._incarnation) + frames.CRC.pack(peer))

    def _fill(self) -> None:
        queue, window = self._queue, self._config.window_frames
        while queue and len(self._flight) < window:
            self._send_data(queue.popleft())

    def _resend(self) -> None:
        """Go back to the first unacknowledged frame."""
        for index, message in enumerate(self._flight):
            seq = (self._base + index) % MODULUS
            self.counters["frames_out"] += 1
            self.counters["retransmitted"] += 1
            self._transmit(frames.emit(DATA, seq, self._expected, message))

    # -- in

    def input(self, data: bytes) -> None:
        """Bytes from the line."""
        for kind, seq, ack, payload in self._deframer.input(data):
            self.counters["frames_in"] += 1
            if kind == DATA:
                if self.up:
                    self._acknowledged(ack)
                    self._data(seq, payload)
            elif kind in (ACK, NAK):
                if self.up:
                    self._acknowledged(ack)
                    if kind == NAK and self._flight:
                        self._resend()
            elif kind in (RESET, RESET_ACK) and len(payload) == 8:
                self._reset(kind, payload)

    def _data(self, seq: int, payload: bytes) -> None:
        if seq == self._expected:
            self._expected = (seq + 1) % MODULUS
            self._gap_at = None
            self._unacked += 1
            if self._unacked >= self._config.window_frames // 4:
                self._send_control(ACK)
            elif not self._ack_at:
                self._ack_at = self._now() + self._config.ack_delay_ns
                self._arm(self._ack_at)
            self._deliver(payload)
        elif (self._expected - seq) % MODULUS <= self._config.window_frames:
            self._send_control(ACK)  # a repetition: the acknowledgement was lost
        else:
            last, self._gap_at = self._gap_at, seq
            if last is None or (last - seq) % MODULUS < MODULUS // 2:  # it began again: lost again
                self.counters["naks"] += 1
                self._send_control(NAK)

    def _acknowledged(self, ack: int) -> None:
        count = (ack - self._base) % MODULUS
        flight = self._flight
        if not count or count > len(flight):
            return
        for _ in range(count):
            flight.popleft()
        self._base = ack
        self._backoff = 0
        self._rexmt_at = self._now() + self._config.retransmit_ns if flight else 0
        if self._queue:
            self._fill()

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
            self._rexmt_at = 0
            self._fill()
        elif not self.up:
            self._send_reset(RESET)
            self._arm_retransmit()

    # -- timers

    def _arm_retransmit(self) -> None:
        self._rexmt_at = self._now() + (self._config.retransmit_ns << self._backoff)
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
            self._send_control(ACK)
        if self._rexmt_at and self._rexmt_at <= now:
            self._backoff = min(self._backoff + 1, 4)
            if not self.up:
                self._send_reset(RESET)
            else:
                self._resend()
            self._rexmt_at = now + (self._config.retransmit_ns << self._backoff)
            if self.up and not self._flight:
                self._rexmt_at = 0
        deadlines = [t for t in (self._ack_at, self._rexmt_at) if t]
        if deadlines:
            self._arm(min(deadlines))

    def account(self) -> dict[str, int]:
        deframer = self._deframer
        return self.counters | {
            "bad_frames": deframer.bad_frames,
            "noise_bytes": deframer.noise_bytes,
        }
