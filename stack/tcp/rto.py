"""The retransmission timer's value (RFC 6298), with Karn's algorithm (MUST-18)."""

from __future__ import annotations

from stack.config import Config
from stack.tcp.tcb import Tcb


def sample(tcb: Tcb, rtt_ns: int, config: Config) -> None:
    """Take one round-trip time into account (section 2)."""
    if not tcb.srtt_ns:
        tcb.srtt_ns = rtt_ns
        tcb.rttvar_ns = rtt_ns // 2
    else:
        tcb.rttvar_ns += (abs(tcb.srtt_ns - rtt_ns) - tcb.rttvar_ns) // 4
        tcb.srtt_ns += (rtt_ns - tcb.srtt_ns) // 8
    derive(tcb, config)


def derive(tcb: Tcb, config: Config) -> None:
    """Set the time-out from what is known, undoing any back-off."""
    if tcb.srtt_ns:
        variation = 4 * tcb.rttvar_ns
        if variation < config.rto_min_ns:
            variation = config.rto_min_ns
        rto = tcb.srtt_ns + variation
        tcb.rto_ns = rto if rto < config.rto_max_ns else config.rto_max_ns
    else:
        tcb.rto_ns = config.rto_initial_ns


def back_off(tcb: Tcb, config: Config) -> None:
    """Section 5.5."""
    tcb.rto_ns = min(tcb.rto_ns * 2, config.rto_max_ns)
