"""What an acknowledgement does (RFC 9293, 3.10.7.4, fifth; RFC 5681; RFC 6298)."""

from __future__ import annotations

from stack.config import Config
from stack.tcp import newreno, rto
from stack.tcp.connections import Connections
from stack.tcp.output import Output
from stack.tcp.state import On, State, step
from stack.tcp.tcb import Tcb


class AckInput:
    def __init__(self, config: Config, output: Output, connections: Connections) -> None:
        self._config = config
        self._output = output
        self._connections = connections

    def input(self, tcb: Tcb, seq: int, ack: int, window: int, extent: int, now: int) -> bool:
        """Process ack and window of an acceptable segment.  False: drop the rest of it.

        extent: of the segment as it came, in sequence numbers.
        """
        una = tcb.snd_una
        tcb.keep_sent = 0  # whoever sends this is alive
        if tcb.keep_at:
            tcb.keep_at = now + tcb.keep_idle_ns
        if ack > una:
            self._new(tcb, ack, now)
        elif (
            ack == una
            and not extent
            and window == tcb.snd_wnd
            and tcb.snd_max > tcb.snd_una
            and tcb.snd_wnd
        ):
            self._duplicate(tcb, ack)
        # As Linux: without a newer number, a window that is smaller may be an old one
        if ack > una or (ack == una and (seq > tcb.snd_wl1 or (
            seq == tcb.snd_wl1 and (window >= tcb.snd_wnd or not window)
        ))):  # fmt: skip
            if window != tcb.snd_wnd:
                self._window(tcb, window)
            elif not window and not tcb.orphaned:
                tcb.retries = 0  # MUST-37: a closed window is no reason to give up
            tcb.snd_wl1 = seq
        return not tcb.fin_queued or self._fin_acknowledged(tcb, now)

    def _window(self, tcb: Tcb, window: int) -> None:
        tcb.snd_wnd = window
        tcb.max_snd_wnd = max(tcb.max_snd_wnd, window)
        if window and tcb.persist_at:
            tcb.persist_at = tcb.persist_backoff = 0
        if tcb.snd.end + tcb.fin_queued > tcb.snd_nxt:
            self._output.later(tcb)

    def _new(self, tcb: Tcb, ack: int, now: int) -> None:
        count = ack - tcb.snd_una
        if tcb.timed_at and ack >= tcb.timed_seq:
            rto.sample(tcb, now - tcb.timed_at or 1, self._config)
            tcb.timed_at = 0
        if tcb.retries:  # Karn: what the time-out was doubled to stays, until something is timed
            tcb.retries = tcb.error = 0
        flight = tcb.flight
        tcb.snd_una = ack
        if tcb.snd_nxt < ack:
            tcb.snd_nxt = ack
        snd = tcb.snd
        if snd.start < snd.end:
            snd.acknowledge(ack)
        tcb.dupacks = tcb.cwnd_extra = 0
        if not tcb.in_recovery:
            if tcb.cwnd_limited:  # RFC 7661: a window that was not used has not been tested
                newreno.acknowledged(tcb, count)
        elif ack >= tcb.recover:
            newreno.leave_recovery(tcb, flight - count)
        else:
            newreno.partial(tcb, count)
            self._output.retransmit_first(tcb)
        # RFC 6298, 5.2 and 5.3
        tcb.rexmt_at = now + tcb.rto_ns if tcb.snd_max > ack else 0
        if snd.end > tcb.snd_nxt or (tcb.fin_queued and tcb.snd_nxt == snd.end):
            self._output.later(tcb)
        if tcb.write_blocked and tcb.send_space > 0:
            tcb.owner.writable()

    def _duplicate(self, tcb: Tcb, ack: int) -> None:
        """RFC 5681, 3.2; RFC 6582, 3.2."""
        tcb.dupacks += 1
        if tcb.in_recovery:
            newreno.inflate(tcb)
            self._output.later(tcb)
        elif tcb.dupacks == newreno.DUPACK_THRESHOLD and newreno.may_enter(tcb, ack):
            newreno.enter_recovery(tcb)
            self._output.retransmit_first(tcb)
            self._output.later(tcb)
        elif (
            tcb.dupacks < newreno.DUPACK_THRESHOLD
            and tcb.snd_nxt == tcb.snd_max
            and newreno.may_enter(tcb, ack)
        ):
            tcb.cwnd_extra = tcb.dupacks * tcb.mss  # limited transmit (RFC 3042): new data, if any
            self._output.later(tcb)

    def _fin_acknowledged(self, tcb: Tcb, now: int) -> bool:
        """Sixth row of the table: our FIN has been acknowledged.  False: nothing more to do."""
        state = tcb.state
        if tcb.snd_una <= tcb.snd.end:
            return True
        if tcb.when_sent is not None:
            tcb.tell_sent()
        if state == State.FIN_WAIT_1:
            step(tcb, On.RCV_ACK_OF_FIN)
            if tcb.orphan_at == -1 and tcb.linger2_ns < 0:  # TCP_LINGER2: no FIN-WAIT-2 at all
                self._output.reset(tcb)
                self._connections.finish(tcb, 0)
                return False
            if tcb.orphan_at == -1:
                tcb.orphan_at = now + max(tcb.linger2_ns, 1)
        elif state == State.CLOSING:
            step(tcb, On.RCV_ACK_OF_FIN)
            self._connections.enter_time_wait(tcb, now)
            return False
        elif state == State.LAST_ACK:
            step(tcb, On.RCV_ACK_OF_FIN)
            self._connections.finish(tcb, 0)
            return False
        return True
