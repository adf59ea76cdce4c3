"""TCP's timers: retransmission, persist, delayed ACK, keep-alive, cork, orphan (RFC 9293, 3.8).

Theory of operation.  A connection's deadlines are plain numbers that its events move about; one
callout, never later than the earliest of them, looks which have come.  Pushing a deadline back
costs an assignment.
"""

from __future__ import annotations

from errno import ETIMEDOUT

from stack.callout import Callouts
from stack.config import Config
from stack.tcp import newreno, rto
from stack.tcp.connections import Connections, Listener
from stack.tcp.output import Output
from stack.tcp.state import State
from stack.tcp.tcb import Tcb


class Timers:
    def __init__(
        self, config: Config, callouts: Callouts, output: Output, connections: Connections
    ) -> None:
        self._config = config
        self._callouts = callouts
        self._output = output
        self._connections = connections
        self.counters = {"timeouts": 0, "persists": 0, "keepalives": 0, "delayed_acks": 0}

    def arm(self, tcb: Tcb) -> None:
        """See to it that the earliest deadline is met."""
        # written out: it runs once per segment
        earliest = tcb.rexmt_at
        if tcb.delack_at and (not earliest or tcb.delack_at < earliest):
            earliest = tcb.delack_at
        if tcb.persist_at and (not earliest or tcb.persist_at < earliest):
            earliest = tcb.persist_at
        if tcb.keep_at and (not earliest or tcb.keep_at < earliest):
            earliest = tcb.keep_at
        if tcb.orphan_at > 0 and (not earliest or tcb.orphan_at < earliest):
            earliest = tcb.orphan_at
        if tcb.cork_at and (not earliest or tcb.cork_at < earliest):
            earliest = tcb.cork_at
        callout = tcb.callout
        if not earliest or tcb.state == State.CLOSED:
            return
        if callout is not None:
            if callout.when_ns <= earliest:
                return
            callout.cancel()
        tcb.callout = self._callouts.at(earliest, lambda: self._expired(tcb))

    def _expired(self, tcb: Tcb) -> None:
        tcb.callout = None
        now = self._callouts.now()
        if 0 < tcb.orphan_at <= now:
            self._connections.finish(tcb, 0)
            return
        if tcb.delack_at and tcb.delack_at <= now:
            self.counters["delayed_acks"] += 1
            tcb.delack_at = tcb.pingpong = 0  # nobody has answered
            tcb.ack_now = True
            self._output.later(tcb)
        if tcb.cork_at and tcb.cork_at <= now:
            self._output.force(tcb, now)
        if tcb.rexmt_at and tcb.rexmt_at <= now:
            self._retransmit(tcb, now)
        if tcb.persist_at and tcb.persist_at <= now:
            self._persist(tcb, now)
        if tcb.keep_at and tcb.keep_at <= now:
            self._keepalive(tcb, now)
        self._output.flush(now)
        self.arm(tcb)

    def _retransmit(self, tcb: Tcb, now: int) -> None:
        """RFC 6298, 5.4 to 5.6; R2 of RFC 9293, 3.8.3."""
        config = self._config
        tcb.retries += 1
        limit = config.orphan_retries if tcb.orphaned else config.retries
        waits = False
        if tcb.state == State.SYN_SENT:
            limit = tcb.syn_retries or config.syn_retries
        elif tcb.state == State.SYN_RECEIVED:
            limit = config.synack_retries
            listener = tcb.listener
            if isinstance(listener, Listener) and tcb.key in listener.deferred:
                limit = max(limit, listener.defer_accept)
                waits = tcb.retries < listener.defer_accept  # the peer need not be reminded
        if tcb.retries == 1:
            tcb.stalled_at = now - tcb.rto_ns
        patience = tcb.user_timeout_ns  # RFC 5482, and MUST-21
        if tcb.retries > limit or (patience and now - tcb.stalled_at >= patience):
            self._connections.finish(tcb, tcb.error or ETIMEDOUT)
            return
        self.counters["timeouts"] += 1
        rto.back_off(tcb, config)
        tcb.timed_at = 0
        if waits:
            tcb.rexmt_at = now + tcb.rto_ns
            return
        if tcb.state in (State.SYN_SENT, State.SYN_RECEIVED):
            self._output.syn(tcb, now)
            return
        newreno.timed_out(tcb, tcb.retries == 1)
        tcb.snd_nxt = tcb.snd_una
        tcb.rexmt_at = 0
        if tcb.snd_wnd == 0:  # the window closed over what is in flight
            self._output.probe(tcb)
            tcb.rexmt_at = now + tcb.rto_ns
            return
        self._output.run(tcb, now)
        if patience and tcb.rexmt_at:
            tcb.rexmt_at = min(tcb.rexmt_at, tcb.stalled_at + patience)

    def _persist(self, tcb: Tcb, now: int) -> None:
        """Zero-window probes, with exponential back-off, for ever (MUST-35 to MUST-37).

        For ever, while somebody wants to write and the peer answers (as Linux; keep_sent counts
        what was not answered).  What a closed socket left behind is given up also if it does, or a
        peer could fill our memory with it.
        """
        self.counters["persists"] += 1
        config = self._config
        orphan = tcb.orphaned
        patience = config.orphan_retries if orphan else config.retries
        if not tcb.persist_backoff:
            tcb.stalled_at = now
        limit_ns = tcb.user_timeout_ns
        if (
            (limit_ns and now - tcb.stalled_at >= limit_ns)
            or tcb.keep_sent >= patience
            or (orphan and tcb.persist_backoff >= config.orphan_probes)
        ):
            if orphan:
                self._output.reset(tcb)
            self._connections.finish(tcb, tcb.error or ETIMEDOUT)
            return
        tcb.keep_sent += 1
        tcb.persist_at = 0
        tcb.persist_backoff = min(tcb.persist_backoff + 1, 16)
        delay = min(max(tcb.rto_ns, config.persist_min_ns) << tcb.persist_backoff,
                    config.persist_max_ns)  # fmt: skip
        if limit_ns:
            delay = min(delay, tcb.stalled_at + limit_ns - now)
        self._output.window_probe(tcb, now)
        if not tcb.rexmt_at:
            tcb.persist_at = now + delay

    def _keepalive(self, tcb: Tcb, now: int) -> None:
        """Section 3.8.4: only when idle (MUST-26); one lost answer is not death (MUST-29)."""
        if tcb.flight or tcb.persist_at:  # those are asking already
            tcb.keep_at = now + tcb.keep_idle_ns
            return
        limit_ns = tcb.user_timeout_ns  # takes the place of TCP_KEEPCNT (tcp(7))
        silent_ns = tcb.keep_idle_ns + tcb.keep_sent * tcb.keep_interval_ns
        if (
            tcb.keep_sent and silent_ns >= limit_ns
            if limit_ns
            else tcb.keep_sent >= tcb.keep_probes
        ):
            self._output.reset(tcb)
            self._connections.finish(tcb, tcb.error or ETIMEDOUT)
            return
        self.counters["keepalives"] += 1
        tcb.keep_sent += 1
        self._output.probe(tcb)
        tcb.keep_at = now + tcb.keep_interval_ns
