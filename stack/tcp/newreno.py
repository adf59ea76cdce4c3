"""Congestion control: slow start, congestion avoidance (RFC 5681), NewReno recovery (RFC 6582).

Theory of operation.  `cwnd` and `ssthresh` are bytes.  Three duplicate acknowledgements start fast
recovery: the segment at snd_una is sent again, cwnd is inflated by what has left the network, and
each partial acknowledgement sends the next hole, until `recover` is passed.
"""

from __future__ import annotations

from stack.config import Config
from stack.tcp.tcb import Tcb

DUPACK_THRESHOLD = 3


def start(tcb: Tcb, config: Config, lost: bool) -> None:
    """RFC 6928: IW = min(10 MSS, max(2 MSS, 14600)).  If a SYN was lost, one (RFC 5681, 3.1)."""
    tcb.cwnd = (
        tcb.mss if lost else min(config.initial_window_segments * tcb.mss, max(2 * tcb.mss, 14600))
    )


def acknowledged(tcb: Tcb, count: int) -> None:
    """New data was acknowledged outside recovery, and the window had been used."""
    if tcb.cwnd < tcb.ssthresh:
        # Bytes, not segments (RFC 3465): one acknowledgement may cover a whole super-segment, so L
        # is not limited, as in Linux; but slow start ends at ssthresh, in the middle of one if need
        # be: after a time-out, one may cover everything that was under way.
        step = min(count, tcb.ssthresh - tcb.cwnd)
        tcb.cwnd += step
        count -= step
        if not count:
            return
    tcb.cwnd += max(1, tcb.mss * min(count, tcb.cwnd) // tcb.cwnd)


def enter_recovery(tcb: Tcb) -> None:
    """RFC 6582, 3.2, step 2: the caller retransmits."""
    flight = min(tcb.flight, tcb.cwnd)  # not what limited transmit has sent (RFC 5681, 3.2)
    tcb.ssthresh = max(flight // 2, 2 * tcb.mss)
    tcb.cwnd_extra = 0
    tcb.recover = tcb.snd_max
    tcb.in_recovery = True
    tcb.cwnd = tcb.ssthresh + DUPACK_THRESHOLD * tcb.mss


def may_enter(tcb: Tcb, ack: int) -> bool:
    """RFC 6582, 3.2, step 1: duplicates of what a time-out resent start nothing."""
    return not tcb.in_recovery and ack > tcb.recover  # recover: past the highest number sent


def inflate(tcb: Tcb) -> None:
    tcb.cwnd += tcb.mss


def partial(tcb: Tcb, count: int) -> None:
    """RFC 6582, 3.2, step 3, a partial acknowledgement of count bytes; the caller retransmits."""
    tcb.cwnd = max(tcb.mss, tcb.cwnd - count)
    if count >= tcb.mss:
        tcb.cwnd += tcb.mss


def leave_recovery(tcb: Tcb, flight: int) -> None:
    """RFC 6582, 3.2, step 3, a full acknowledgement."""
    tcb.cwnd = min(tcb.ssthresh, max(flight, tcb.mss) + tcb.mss)
    tcb.in_recovery = False


def timed_out(tcb: Tcb, first: bool) -> None:
    """RFC 5681, 3.1 (equation 4, and the loss window); RFC 6582, section 4."""
    if first:
        tcb.ssthresh = max((tcb.snd_max - tcb.snd_una) // 2, 2 * tcb.mss)
    tcb.cwnd = tcb.mss
    tcb.cwnd_extra = 0
    tcb.in_recovery = False
    tcb.recover = tcb.snd_max
    tcb.dupacks = 0
