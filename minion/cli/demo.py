"""`make demo`: one small request with everything on the screen, then a large one in figures."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

BIG_BYTES = 200 << 20
MESSAGE = b"Hello from the host, by way of libc, line, sysproxy, TCP, IP and NIC.\n"


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """The screen is for the minion."""


def serve(folder: Path) -> http.server.ThreadingHTTPServer:
    """A web server on the host's loopback: the minion's 10.0.2.2."""

    def handler(*args: object) -> Handler:
        return Handler(*args, directory=os.fspath(folder))  # type: ignore[arg-type]  # as the base

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def show(title: str) -> None:
    print(f"\n\033[1m{title}\033[0m" if sys.stdout.isatty() else f"\n{title}", flush=True)


def main() -> int:
    if shutil.which("curl") is None:
        print("demo: curl is needed: apt-get install curl", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="minion-demo-") as temporary:
        folder = Path(temporary)
        (folder / "runtime").mkdir(mode=0o700)
        os.environ["MINION_DIR"] = os.fspath(folder / "runtime")
        (folder / "hello").write_bytes(MESSAGE)
        with (folder / "big").open("wb") as big:
            for number in range(BIG_BYTES >> 20):
                big.write(hashlib.sha256(str(number).encode()).digest() * (1 << 15))
        server = serve(folder)
        url = f"http://10.0.2.2:{server.server_address[1]}"
        try:
            return walk(url) or fetch(url, folder)
        finally:
            server.shutdown()


def minion(*args: str) -> list[str]:
    return [sys.executable, "-m", "minion.cli.main", *args]


def walk(url: str) -> int:
    show("One request of an unmodified curl, on its way through the minion (microseconds, layer)")
    print(f"$ minion run --trace -- curl -s {url}/hello\n", flush=True)
    return subprocess.run(minion("run", "--trace", "--", "curl", "-s", f"{url}/hello")).returncode


def fetch(url: str, folder: Path) -> int:
    show(f"A file of {BIG_BYTES >> 20} MB")
    print(f"$ minion up demo; minion run --on demo -- curl -o big {url}/big", flush=True)
    status = subprocess.run(minion("up", "demo")).returncode
    if status:
        return status
    try:
        start = time.monotonic()
        out = folder / "fetched"
        curl = ["curl", "-sS", "-o", os.fspath(out), f"{url}/big"]
        status = subprocess.run(minion("run", "--on", "demo", "--", *curl)).returncode
        seconds = time.monotonic() - start
        report = subprocess.run(
            minion("status", "demo", "--json"), capture_output=True, check=True
        ).stdout
        summarise(json.loads(report), seconds)
        if status or digest(out) != digest(folder / "big"):
            print("the file did not arrive intact", file=sys.stderr)
            return status or 1
        print("  SHA-256 equal.  Next: README.md, docs/")
        return 0
    finally:
        subprocess.run(minion("down", "demo"))


def summarise(status: dict[str, dict[str, dict[str, int]]], seconds: float) -> None:
    board, stack, line = status["board"], status["stack"], status["line"]["minion"]
    rows = {
        "seconds (start of curl included)": f"{seconds:.2f}",
        "Gbit/s": f"{BIG_BYTES * 8 / seconds / 1e9:.2f}",
        "system calls over the line": f"{status['sysproxy']['requests']}",
        "frames on the line": f"{line['frames_in'] + line['frames_out']}",
        "bytes on the line": f"{board['line']['rx_bytes'] + board['line']['tx_bytes']:,}",
        "bytes by DMA": f"{board['dma']['out_bytes'] + board['dma']['in_bytes']:,}",
        "packets in and out": f"{board['nic']['rx_packets']:,} and {board['nic']['tx_packets']:,}",
        "TCP segments in": f"{stack['tcp']['segments_in']:,}",
        "interrupts": f"{sum(board['interrupts'].values()):,}",
    }
    for name, value in rows.items():
        print(f"  {name:<36}{value:>16}")


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
