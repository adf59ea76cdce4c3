"""What a round trip, a connection and 64 kB cost an interpreted minion, in calls.

Noise cannot hide those.  The snapshot is python_calls.json, by version of Python.  A change that
adds more than a row's tolerance fails; one that saves as much asks for a new snapshot:

    python -m pytest tests/e2e/test_python_calls.py --update-costs
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from networks import Network, network
from servers import Peer
from world import MINION, Program, World

pytestmark = pytest.mark.slow
SNAPSHOT = Path(__file__).with_name("python_calls.json")
CLIENT = Path(__file__).with_name("cost_client.py")
COUNTING = Path(__file__).parent.parent / "support" / "counting"
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
UPDATE = "python -m pytest tests/e2e/test_python_calls.py --update-costs"
BLOCK = 65536


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    tolerance: float
    decile: int
    """Of one client's repetitions: 5 is the median."""


ROWS = (
    Row("round trip", 0.02, 5),
    Row("connection", 0.02, 5),
    # In how many segments the host's kernel sends 64 kB, and acknowledges them, depends on times.
    Row("64 kB out", 0.35, 2),
    Row("64 kB in", 0.35, 5),
)
CLIENTS = 6
"""A new process, with new connections: some states (a window that just moved) stay with one."""
REPETITIONS = 80
ROUNDS = 5
"""Minions that are asked before a change is believed; whose median is the snapshot."""

Costs = dict[str, dict[str, float]]


def peer(connection: socket.socket) -> None:
    """The host's side of cost_client.py."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    what = connection.recv(1)
    if what == b"e":
        while data := connection.recv(1):
            connection.send(data)
    elif what == b"o":
        while len(connection.recv(BLOCK, socket.MSG_WAITALL)) == BLOCK:
            connection.send(b"x")
    elif what == b"i":
        while connection.recv(1):
            connection.sendall(bytes(BLOCK))


@pytest.fixture
def one_cpu() -> Iterator[None]:
    """Whoever runs does so until he waits: the same wake-ups in the same order, whatever else runs.

    One CPU; and SCHED_BATCH, under which who wakes up takes it from nobody.
    """
    before = os.sched_getaffinity(0)
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setaffinity(0, {min(before)})
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    yield
    os.sched_setscheduler(0, policy, parameters)
    os.sched_setaffinity(0, before)


def interpreted() -> bool:
    """Is the minion of the command?  This process may have the checkout's stack."""
    code = "import sys, stack.tcp.input as i; sys.exit(not i.__file__.endswith('.py'))"
    python = Path(MINION).with_name("python")
    return not subprocess.run([python, "-c", code], cwd="/", check=False).returncode


@pytest.fixture
def tap() -> Network:
    if not interpreted():
        pytest.skip("the minion is compiled: calls are counted of the interpreted one")
    return network("tap")


def one_client(client: Program, counts: Path) -> Costs:
    found: Costs = {}
    for row in ROWS:
        values: list[tuple[int, int]] = []
        for _ in range(REPETITIONS):
            before = struct.unpack("QQ", counts.read_bytes())
            client.seen = ""
            client.say(f"{row.name}\n")
            client.until("done\n", 60)
            after = struct.unpack("QQ", counts.read_bytes())
            values.append((after[0] - before[0], after[1] - before[1]))
        calls, c_calls = (
            statistics.quantiles(kind, n=10)[row.decile - 1] for kind in zip(*values, strict=True)
        )
        found[row.name] = {"call": calls, "c_call": c_calls}
    return found


def least(found: list[Costs]) -> Costs:
    return {
        row.name: {k: min(costs[row.name][k] for costs in found) for k in ("call", "c_call")}
        for row in ROWS
    }


def verdicts(old: Costs, rounds: list[Costs]) -> list[str]:
    """What every round agrees on: one alone may be the machine's doing."""
    lines = []
    for row in ROWS:
        for kind in ("call", "c_call"):
            before = old[row.name][kind]
            values = [costs[row.name][kind] for costs in rounds]
            for word, value, sign in (("more", min(values), 1), ("fewer", max(values), -1)):
                if sign * (value - before) > row.tolerance * before:
                    share = 100 * (value / before - 1)
                    lines.append(
                        f"{row.name}: {word} {kind}s: {before:.1f} -> {value:.1f} ({share:+.1f} %)"
                    )
    return lines


def middle(rounds: list[Costs]) -> Costs:
    return {
        row.name: {
            kind: statistics.median(costs[row.name][kind] for costs in rounds)
            for kind in ("call", "c_call")
        }
        for row in ROWS
    }


def measured(world: World, tap: Network, name: str) -> Costs:
    """Of a new minion of that name."""
    counts = world.files / name
    counts.write_bytes(bytes(16))
    env = {"PYTHONPATH": str(COUNTING), "COUNT_CALLS": str(counts)}
    world.run(MINION, "up", name, *tap.options, "--copy", "dma", env=env).ok()
    found = []
    with Peer(peer, tap.bind) as server:
        for _ in range(CLIENTS):
            client = world.start(MINION, "run", "--on", name, "--", "python3", CLIENT, tap.host,
                                 str(server.port), stdin=True)  # fmt: skip
            client.until("ready")
            found.append(one_client(client, counts))
            client.close()
    world.minion("down", name).ok()
    return least(found)


def test_calls_are_those_of_the_snapshot(
    world: World, tap: Network, one_cpu: None, request: pytest.FixtureRequest
) -> None:
    known = json.loads(SNAPSHOT.read_text()) if SNAPSHOT.exists() else {}
    if request.config.getoption("--update-costs"):
        known[VERSION] = middle([measured(world, tap, f"m{n}") for n in range(ROUNDS)])
        SNAPSHOT.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        return
    if VERSION not in known:
        pytest.skip(f"no snapshot for Python {VERSION} ({UPDATE})")
    rounds: list[Costs] = []
    changed = ["not measured"]
    while changed and len(rounds) < ROUNDS:
        rounds.append(measured(world, tap, f"m{len(rounds)}"))
        changed = verdicts(known[VERSION], rounds)
    assert not changed, "\n".join([*changed, f"if that is right, take a new snapshot: {UPDATE}"])


def test_a_snapshot_notices() -> None:
    def costs(calls: float, c_calls: float) -> Costs:
        """In hundredths of a row's tolerance above or below 1,000."""
        return {
            row.name: {
                "call": 1000 * (1 + row.tolerance * calls / 100),
                "c_call": 1000 * (1 + row.tolerance * c_calls / 100),
            }
            for row in ROWS
        }

    old = costs(0, 0)
    assert not verdicts(old, [costs(99, -99)])
    assert "round trip: more calls" in verdicts(old, [costs(101, 0)])[0]
    assert "round trip: fewer c_calls" in verdicts(old, [costs(0, -101)])[0]
    assert len(verdicts(old, [costs(150, -150), costs(300, -400)])) == 2 * len(ROWS)
    assert not verdicts(old, [costs(150, -150), costs(50, 50)])
