"""Acknowledgements that nobody asked for in good faith: how many, and how often.

Theory of operation.  A segment that cannot belong here is answered with an acknowledgement (RFC
9293, 3.10.7.4; the challenges of RFC 5961), after which an honest peer finds its way.  Two limits:
one connection gives such an answer once per `oow_ack_ns`, so that two ends that disagree do not
answer each other for ever; and all of them together so many per second, by a number that changes
from second to second, so that nobody can count them out to learn of others' connections
(CVE-2016-5696).
"""

from __future__ import annotations

from hypercalls.api import Random
from stack.config import SECOND, Config
from stack.tcp.output import Output
from stack.tcp.tcb import Tcb


class Challenges:
    def __init__(self, random: Random, config: Config, output: Output) -> None:
        self._random = random
        self._config = config
        self._output = output
        self._window_ns = -SECOND
        self._left = 0
        self.counters = {"challenges": 0}

    def answer(self, tcb: Tcb, now: int) -> None:
        """Acknowledge what stands, if the limits allow it."""
        if now - tcb.challenged_at < self._config.oow_ack_ns:
            return
        if now - self._window_ns >= SECOND:
            self._window_ns = now
            limit = self._config.challenge_ack_per_s
            drawn = int.from_bytes(self._random.getrandom(4), "big")
            self._left = (limit + 1) // 2 + drawn % limit  # as Linux: half, to half as much again
        if self._left <= 0:
            return
        self._left -= 1
        tcb.challenged_at = now
        self.counters["challenges"] += 1
        self._output.ack(tcb)
