"""Requests about what a program has not read yet and its channel does not have: they end here.

Why there is such: low_water.py (SO_RCVLOWAT), outlet.py (shutdown(SHUT_RD)).
"""

from __future__ import annotations

import socket

from hypercalls.api import Ready
from minion.driver import abi
from minion.driver.channel import Channel
from minion.driver.outlet import hand_out
from minion.sysproxy.operations import Op

UNREAD = frozenset((int(Op.HAND_OUT), int(Op.KEEP), int(Op.LATE)))


def unread(
    op: int, channel: Channel, a: int, b: int, program: socket.socket | None
) -> tuple[int, int, bytes]:
    """Result, errno and data of such a request.  program: its descriptor, if it came along."""
    outlet = channel.outlet
    late = b""
    if outlet is None:
        if program is not None:
            program.close()
    elif op == Op.HAND_OUT:
        hand_out(outlet, max(0, a))
    elif op == Op.LATE:
        late = outlet.take_late(min(max(0, a), abi.DATA_MAX), b != 0)
        if late and channel.wanted & int(Ready.OUT):
            channel.report(Ready.OUT)
        return len(late), 0, late
    elif program is not None:
        with program:
            if channel.program.is_of(program):
                outlet.keep(program)
    return len(outlet.kept) if op == Op.KEEP and outlet is not None else 0, 0, b""
