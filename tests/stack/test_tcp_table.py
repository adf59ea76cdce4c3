"""Loss x buffer: how long a megabyte takes, in virtual time; and the same seed twice.

A run may take twice what stands in the table: a change of congestion control shows, one lost
segment more does not.
"""

from __future__ import annotations

from hashlib import sha256

import pytest
from pair import Pair, pair, transfer

from stack.config import Config

DATA = b"".join(sha256(n.to_bytes(4, "big")).digest() for n in range(1 << 15))
LINK = {"delay_ns": 10_000_000, "rate_bps": 100_000_000}

TABLE_MS: dict[tuple[float, int], float] = {
    # (loss, buffer): milliseconds for 1 MiB at 100 Mbit/s and 20 ms round trip
    (0.0, 16 << 10): 1460,
    (0.0, 64 << 10): 380,
    (
        0.0,
        1 << 20,
    ): 760,  # slow start overruns the link's queue, and NewReno repairs a hole per trip
    (0.01, 16 << 10): 2420,
    (0.01, 64 << 10): 1550,
    (0.01, 1 << 20): 1230,
    (0.05, 16 << 10): 7000,
    (0.05, 64 << 10): 6910,
    (0.05, 1 << 20): 5750,
}


def megabyte(
    loss: float, buffer: int, forward: bool, seed: int = 3, gso: bool = False
) -> tuple[float, Pair]:
    host = {"gso_max_bytes": 65535} if gso else {}
    config = Config(sndbuf_bytes=buffer, rcvbuf_bytes=buffer)
    with pair(seed, config, link=LINK | {"segment": True}, a=host, b=host) as p:
        p.world.capture = False
        near, far = p.connect()
        p.link.forward.loss = p.link.backward.loss = loss
        took = transfer(p, *((near, far) if forward else (far, near)), DATA)
        return took, p


@pytest.mark.parametrize("forward", [True, False], ids=["out", "in"])
@pytest.mark.parametrize(("loss", "buffer"), TABLE_MS)
def test_a_megabyte(loss: float, buffer: int, forward: bool) -> None:
    took, _ = megabyte(loss, buffer, forward)
    assert took <= 2 * TABLE_MS[loss, buffer]


@pytest.mark.parametrize("loss", [0.0, 0.01])
def test_a_megabyte_in_super_segments(loss: float) -> None:
    took, _ = megabyte(loss, 1 << 20, True, gso=True)
    assert took <= 2 * TABLE_MS[loss, 1 << 20]


def test_same_seed_same_trace() -> None:
    traces = [megabyte(0.02, 64 << 10, True, seed=9)[1].world.trace for _ in range(2)]
    assert traces[0] == traces[1]
    assert len(traces[0]) > 1000
    assert megabyte(0.02, 64 << 10, True, seed=10)[1].world.trace != traces[0]
