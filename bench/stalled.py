"""python -m bench.stalled: what a new connection moves beside many that stand still.

Over user and tap, in both copy modes: megabytes per second into and out of the minion, median of
three, alone and beside the crowd; its resident memory per connection that stands still, and per
connection that is merely open.  Exits with 1 where less than half is left.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys

from bench import ways
from bench.crowd import Crowd, Result, measure

BYTES = {"dma": 40_000_000, "serial": 4_000_000}
CROWDED = 7000
TAP_MINION = "10.91.0.2"
COLUMNS = ("way", "in", "beside", "ratio", "out", "beside", "ratio", "kB each")


def resident_kb(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def pid_of(name: str) -> int:
    command = [sys.executable, "-m", "minion.cli.main", "status", name, "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    pid: int = json.loads(done.stdout)["pid"]
    return pid


def row(way: ways.Way, copy: str, crowd: Crowd) -> tuple[Result, float]:
    """And the resident kB of each connection."""
    assert way.options is not None
    options = [*way.options, "--copy", copy]
    reach = (TAP_MINION, CROWDED)
    address = way.host
    if way.name == "tap":
        options += ["--address", f"{TAP_MINION}/24"]
    else:
        reach = ("127.0.0.1", ways.free_port())
        options += ["-p", f"{reach[1]}:{CROWDED}"]
        address = "127.0.0.1"
    with ways.minion(ways.Way(way.name, way.host, tuple(options)), None) as run:
        pid = pid_of("bench")
        before = resident_kb(pid)
        kb: list[int] = []
        result = measure(
            crowd, run, way.host, address, lambda: reach, CROWDED,
            lambda: kb.append(resident_kb(pid)),
        )  # fmt: skip
    connections = crowd.readers + crowd.writers + crowd.backlog
    return result, (kb[0] - before) / connections


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.stalled")
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--writers", type=int, default=1000)
    parser.add_argument("--backlog", type=int, default=500)
    asked = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print("".join(f"{column:>11}" for column in COLUMNS))
    good = True
    for name in ("tap", "user"):
        way = ways.WAYS[name]
        if reason := ways.unavailable(way):
            print(f"no row for {name}: {reason}")
            continue
        for copy, size in BYTES.items():
            crowd = Crowd(asked.readers, asked.writers, asked.backlog, size)
            result, each_kb = row(way, copy, crowd)
            cells = f"{name + ' ' + copy:>11}"
            for before, beside in zip(result.before, result.beside, strict=True):
                cells += f"{before / 1e6:>11.1f}{beside / 1e6:>11.1f}{beside / before:>11.2f}"
                good = good and 2 * beside >= before
            print(f"{cells}{each_kb:>11.1f}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    sys.exit(main())
