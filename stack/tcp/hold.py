"""What keeps the end of the stream from being sent in a short segment: that more is to follow.

Theory of operation.  `snd_more` says up to where.  Two may have said so: the program, by MSG_MORE
(`more_end`), and whoever copies its writes in, where a buffer had an edge.  Bytes beyond it end it
by themselves, so there is little to take back.
"""

from __future__ import annotations

from stack.tcp.tcb import Tcb


def written(tcb: Tcb) -> None:
    """What has just been queued is not all of its write."""
    if tcb.snd_more < tcb.snd.end:
        tcb.snd_more = tcb.snd.end


def write_ended(tcb: Tcb) -> None:
    """It was all, after all."""
    tcb.snd_more = tcb.more_end


def announce(tcb: Tcb, length: int) -> None:
    """The next length bytes will be written with MSG_MORE."""
    tcb.snd_more = tcb.more_end = tcb.snd.end + length


def release(tcb: Tcb) -> None:
    """The program wants to see sent what it has written, MSG_MORE or not."""
    if tcb.snd_more == tcb.more_end:
        tcb.snd_more = 0
    tcb.more_end = 0
