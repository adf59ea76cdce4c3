"""No request waits for a timer: neither for a delayed acknowledgement nor for a retransmission.

Counted, not timed: where Nagle's algorithm and a delayed acknowledgement wait for each other, the
delay runs out.  On a busy machine an answer may be late by itself, so some are allowed.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from world import MINION, World

PROGRAM = Path(__file__).with_name("round_trips.py")


@pytest.mark.slow
@pytest.mark.parametrize("copy", ["dma", "serial"])
def test_no_round_trip_waits_for_a_timer(world: World, copy: str) -> None:
    world.up("m", "--copy", copy)
    run = world.run(MINION, "run", "--on", "m", "--", "python3", PROGRAM).ok()
    tcp = world.status("m")["stack"]["tcp"]
    assert tcp["delayed_acks"] < int(run.out) // 5, tcp
    assert tcp["retransmitted"] < int(run.out) // 20, tcp
