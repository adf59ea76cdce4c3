"""The TCP state machine (RFC 9293, figure 5).  Numbers are Linux's, as TCP_INFO reports them."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stack.tcp.tcb import Tcb


class State(IntEnum):
    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECEIVED = 3
    FIN_WAIT_1 = 4
    FIN_WAIT_2 = 5
    TIME_WAIT = 6
    CLOSED = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11


class On(IntEnum):
    ACTIVE_OPEN = 1
    PASSIVE_OPEN = 2
    RCV_SYN = 3
    RCV_SYN_ACK = 4
    RCV_ACK_OF_SYN = 5
    CLOSE = 6
    RCV_FIN = 7
    RCV_ACK_OF_FIN = 8
    DELETE = 9
    """Reset, time-out, abort, or the end of TIME-WAIT: possible in every state."""


S, E = State, On
NEXT: dict[tuple[State, On], State] = {
    (S.CLOSED, E.ACTIVE_OPEN): S.SYN_SENT,
    (S.CLOSED, E.PASSIVE_OPEN): S.SYN_RECEIVED,  # LISTEN stays; its child starts here
    (S.SYN_SENT, E.RCV_SYN_ACK): S.ESTABLISHED,
    (S.SYN_SENT, E.RCV_SYN): S.SYN_RECEIVED,  # simultaneous open, section 3.5
    (S.SYN_RECEIVED, E.RCV_ACK_OF_SYN): S.ESTABLISHED,
    # SYN-RECEIVED, CLOSE: waits for ESTABLISHED, as section 3.10.4 has it where text is queued
    (S.ESTABLISHED, E.CLOSE): S.FIN_WAIT_1,
    (S.ESTABLISHED, E.RCV_FIN): S.CLOSE_WAIT,
    (S.FIN_WAIT_1, E.RCV_ACK_OF_FIN): S.FIN_WAIT_2,
    (S.FIN_WAIT_1, E.RCV_FIN): S.CLOSING,
    (S.FIN_WAIT_2, E.RCV_FIN): S.TIME_WAIT,
    (S.CLOSING, E.RCV_ACK_OF_FIN): S.TIME_WAIT,
    (S.CLOSE_WAIT, E.CLOSE): S.LAST_ACK,
    (S.LAST_ACK, E.RCV_ACK_OF_FIN): S.CLOSED,
}
NEXT.update({(state, E.DELETE): S.CLOSED for state in S})

MAY_SEND = frozenset((S.ESTABLISHED, S.CLOSE_WAIT))
MAY_RECEIVE = frozenset((S.ESTABLISHED, S.FIN_WAIT_1, S.FIN_WAIT_2))
UNACKNOWLEDGED = frozenset((S.FIN_WAIT_1, S.CLOSING, S.LAST_ACK))
"""Our FIN, or something before it."""
MAY_OUTPUT = frozenset(
    (S.ESTABLISHED, S.CLOSE_WAIT, S.FIN_WAIT_1, S.FIN_WAIT_2, S.CLOSING, S.LAST_ACK)
)


def step(tcb: Tcb, event: On) -> None:
    """Move tcb to its next state.  No other function assigns tcb.state."""
    new = NEXT.get((tcb.state, event))
    assert new is not None, f"{event.name} cannot happen in {tcb.state.name}"
    if tcb.trace is not None:
        tcb.trace(tcb, tcb.state, event, new)
    tcb.state = new
