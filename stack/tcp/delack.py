"""When in-order data is acknowledged (RFC 9293, 3.8.6.3; RFC 5681, 4.2), decided as Linux does.

Theory of operation.  An acknowledgement is due at once for more than one full segment.  For less it
waits, so that it can ride on an answer; but a sender that Nagle's algorithm (or a small window)
holds back waits for it meanwhile.  So it does not wait

* for the first QUICK_ACKS of a connection, and as many after an idle time: the sender's window is
  small, and whether this is a conversation is not known yet;
* for a small segment whose bytes have all been read, unless the connection is a conversation
  (`pingpong`: data went out within the delay of data that came in); in one, for the second.

A delay that runs out shows that it was none.  TCP_QUICKACK sets and clears `pingpong` (tcp(7)).
"""

from __future__ import annotations

from typing import Final

from stack.config import Config
from stack.tcp.output import Output
from stack.tcp.tcb import Tcb

QUICK_ACKS: Final = 16


class DelayedAck:
    def __init__(self, config: Config, output: Output) -> None:
        self._delay_ns = config.delayed_ack_ns
        self._output = output

    def received(self, tcb: Tcb, count: int, segment_bytes: int, push: int, now: int) -> None:
        """count bytes have come in order, in segments of segment_bytes, the last one with push."""
        if not count:
            return
        tcb.ack_bytes = unacked = tcb.ack_bytes + count
        if tcb.quick < 0 or now - tcb.data_at > tcb.rto_ns:
            tcb.quick = max(2, min(QUICK_ACKS, (tcb.rcv_adv - tcb.rcv_nxt) // (2 * tcb.rcv_mss)))
        tcb.data_at = now
        if segment_bytes < tcb.rcv_mss:
            tcb.small += 1
        else:
            tcb.rcv_mss = segment_bytes
            if push and not tcb.small:
                tcb.small = 1
        if (
            unacked > tcb.rcv_mss
            or tcb.ack_now
            or (tcb.small > tcb.pingpong and not tcb.rcv.length)
            or (tcb.quick and not tcb.pingpong)
            or unacked >= tcb.rcv_adv - tcb.rcv_nxt  # half of what was offered
        ):
            tcb.ack_now = True
            self._output.later(tcb)
        elif not tcb.delack_at:
            tcb.delack_at = now + self._delay_ns

    @staticmethod
    def read(tcb: Tcb) -> bool:
        """The reader has taken what was queued: whether an acknowledgement is due now."""
        if not tcb.delack_at or tcb.rcv.length:
            return False
        return tcb.small > tcb.pingpong or tcb.ack_bytes > tcb.rcv_mss

    def set_quick(self, tcb: Tcb, value: int) -> None:
        """TCP_QUICKACK: 0 delays from now on, odd numbers acknowledge at once from now on, and even
        ones only what waits now."""
        tcb.pingpong = int(not value)
        if value and tcb.delack_at and not tcb.rcv.length:
            self._output.ack(tcb)
            tcb.pingpong = int(not value & 1)
