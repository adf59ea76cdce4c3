"""python -m bench.http: requests per second of wrk on a minion against nginx on the host's kernel.

1 kB, keep-alive: short answers in one or two writes, which every timer of TCP can hold up.  In turn
in the same run: the kernel's loopback, minions, and slirp4netns (in C, with the same network).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

from bench.ways import TIMEOUT_S, WAYS, free_port, minion, unavailable

CONNECTIONS: Final = (1, 50)
BODY_BYTES: Final = 1024
HOST: Final = "10.0.2.2"
CONFIG: Final = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/log;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 0.0.0.0:{port}; root {folder}; }}
}}
"""
Run = Callable[[], AbstractContextManager[list[str]]]
"""Gives the words to put before a command so that it runs that way."""


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """One worker on the host; yields its port."""
    port = free_port()
    (folder / "body").write_bytes(os.urandom(BODY_BYTES))
    folder.chmod(0o755)
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port))
    with subprocess.Popen(["nginx", "-c", os.fspath(config)]) as process:
        try:
            yield port
        finally:
            process.terminate()


@contextlib.contextmanager
def slirp() -> Iterator[list[str]]:
    """A network namespace behind slirp4netns."""
    with subprocess.Popen(["unshare", "--net", "sleep", "infinity"]) as holder:
        ready, told = os.pipe()
        command = ["slirp4netns", "--configure", "--mtu=65520", f"--ready-fd={told}"]
        try:
            with subprocess.Popen(
                [*command, str(holder.pid), "tap0"], pass_fds=[told],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            ) as network:  # fmt: skip
                os.close(told)
                try:
                    if not os.read(ready, 1):
                        raise RuntimeError("bench: slirp4netns did not start")
                    yield ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
                finally:
                    network.terminate()
        finally:
            os.close(ready)
            holder.terminate()


def ways() -> dict[str, tuple[str, Run]]:
    """Name to host and Run; with a line on each that cannot be gone here."""
    found: dict[str, tuple[str, Run]] = {}
    for way in WAYS.values():
        if why := unavailable(way):
            print(f"no column for {way.name}: {why}")
        else:
            found[way.name] = (way.host, partial(minion, way, None))
    if shutil.which("slirp4netns") is None or os.geteuid() != 0:
        print("no column for slirp4netns: not installed, or not root")
    else:
        found["slirp4netns"] = (HOST, slirp)
    return found


def measure(prefix: list[str], url: str, connections: int, seconds: int) -> float:
    """Requests per second.  RuntimeError if an answer was wrong."""
    command = [*prefix, "wrk", "-t1", f"-c{connections}", f"-d{seconds}", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    rate = re.search(r"Requests/sec: *([\d.]+)", done.stdout)
    if done.returncode or rate is None or "errors" in done.stdout or "Non-2xx" in done.stdout:
        raise RuntimeError(f"bench: wrk: {done.stdout}{done.stderr}")
    return float(rate[1])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.http", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="the median is shown (default: 3)")
    parser.add_argument("--seconds", type=int, default=3, help="per run (default: 3)")
    args = parser.parse_args()
    for tool in ("wrk", "nginx"):
        if shutil.which(tool) is None:
            sys.exit(f"bench: {tool} is needed: apt-get install {tool}")
    roads = ways()
    figures: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, nginx(Path(folder)) as port:
        for _ in range(args.runs):
            for name, (host, run) in roads.items():
                url = f"http://{host}:{port}/body"
                with run() as prefix:
                    for count in CONNECTIONS:
                        rate = measure(prefix, url, count, args.seconds)
                        figures.setdefault((name, count), []).append(rate)
    print(f"{'requests/s':<16}" + "".join(f"{name:>14}" for name in roads))
    for count in CONNECTIONS:
        cells = [statistics.median(figures[name, count]) for name in roads]
        print(f"{count:>3} connections " + "".join(f"{value:14,.0f}" for value in cells))
    return 0


if __name__ == "__main__":
    sys.exit(main())
