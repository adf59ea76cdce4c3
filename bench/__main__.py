"""python -m bench: measure, print a table, and write JSON if asked."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.rows import ROWS, TARGETS, Result, Row
from bench.ways import TIMEOUT_S, WAYS, Way, build, minion, pin, server, unavailable

Figures = dict[str, dict[str, list[float]]]
SERIAL_SHARE = 20
"""Payload over the line is slower: so much less of it."""


def measure(program: Path, way: Way, rows: list[Row], scale: float, cpu: int | None) -> Figures:
    """One run of the rows on one way: row name to value."""
    found: Figures = {}
    results: dict[str, Result] = {}
    with server(program, cpu) as port, minion(way, cpu) as prefix:
        for row in rows:
            if row.mode not in results:
                count = row.count * scale
                if way.name == "serial" and row.unit == "Gbit/s":
                    count /= SERIAL_SHARE
                command = [*prefix, os.fspath(program), row.mode, way.host, str(port),
                           str(max(1, int(count)))]  # fmt: skip
                done = subprocess.run(
                    [*pin(cpu), *command], capture_output=True, text=True, timeout=TIMEOUT_S
                )
                if done.returncode:
                    raise RuntimeError(f"bench: {way.name}, {row.name}: {done.stderr.strip()}")
                results[row.mode] = json.loads(done.stdout)
            found[row.name] = {way.name: [row.value(results[row.mode])]}
    return found


def merge(into: Figures, found: Figures) -> None:
    for row, ways in found.items():
        for way, values in ways.items():
            into.setdefault(row, {}).setdefault(way, []).extend(values)


def table(figures: Figures, ways: list[str], rows: list[Row]) -> str:
    """Medians, and against the kernel's loopback in the same run."""
    head = f"{'':<26}{'':>8}" + "".join(f"{way:>18}" for way in ways)
    lines = [head]
    for row in rows:
        line = f"{row.name:<26}{row.unit:>8}"
        base = figures[row.name].get("kernel")
        for way in ways:
            values = figures[row.name].get(way)
            if not values:
                line += f"{'-':>18}"
                continue
            value = statistics.median(values)
            cell = f"{value:,.1f}"
            if base and way != "kernel":
                cell += f" ({value / statistics.median(base):.2f}x)"
            line += f"{cell:>18}"
        lines.append(line)
    return "\n".join(lines)


def verdicts(figures: Figures) -> list[str]:
    lines = []
    for target in TARGETS:
        values = figures.get(target.row, {}).get(target.way)
        if not values:
            continue
        value = statistics.median(values)
        row = next(row for row in ROWS if row.name == target.row)
        good = value >= target.value if row.higher_is_better else value <= target.value
        word = "reached" if good else "missed"
        lines.append(f"{target.way}, {row.name}: {value:,.1f} {row.unit}, "
                     f"target {target.value:g}: {word}")  # fmt: skip
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--ways", default="kernel,tap,user,serial", help="default: %(default)s")
    parser.add_argument("--rows", default="", help="words that row names must contain, by commas")
    parser.add_argument("--runs", type=int, default=3, help="per way; the median is shown")
    parser.add_argument("--scale", type=float, default=1.0, help="of the work in each row")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    args = parser.parse_args()
    words = [word for word in args.rows.split(",") if word]
    rows = [row for row in ROWS if not words or any(word in row.name for word in words)]
    unknown = [name for name in args.ways.split(",") if name not in WAYS]
    if unknown or not rows or args.runs < 1:
        parser.error(f"ways are {', '.join(WAYS)}; rows are {', '.join(r.name for r in ROWS)}")
    ways = [WAYS[name] for name in args.ways.split(",")]
    for way in list(ways):
        if why := unavailable(way):
            print(f"{way.name}: left out, {why}")
            ways.remove(way)
    figures: Figures = {}
    try:
        with tempfile.TemporaryDirectory(prefix="minion-bench-") as folder:
            program = build(Path(folder))
            for run in range(args.runs):
                for way in ways:  # in turn, so that a drift of the machine meets them all
                    print(f"run {run + 1} of {args.runs}: {way.name}", file=sys.stderr)
                    free = [row for row in rows if not row.pinned]
                    pinned = [row for row in rows if row.pinned]
                    if free:
                        merge(figures, measure(program, way, free, args.scale, None))
                    if pinned and way.name != "serial":
                        merge(figures, measure(program, way, pinned, args.scale, 0))
    except (RuntimeError, subprocess.SubprocessError) as error:
        print(error, file=sys.stderr)
        return 1
    names = [way.name for way in ways]
    print(
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} CPUs, Python {platform.python_version()}, "
        f"Linux {platform.release()}"
    )
    print(f"median of {args.runs}; in brackets the ratio to the kernel's loopback in the same run")
    print(table(figures, names, rows))
    print("\n".join(verdicts(figures)))
    if args.json:
        Path(args.json).write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
