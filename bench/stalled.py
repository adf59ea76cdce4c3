"""python -m bench.stalled: what a new connection moves beside many that stand still.

Both ends are on the minion's loopback, dma copies.  For each number of readers that do not read,
the megabytes per second of one transfer of 40 MB, median of three, and of the same without them.
"""

from __future__ import annotations

import subprocess
import sys

COUNTS = (60, 300, 1000)
TIMEOUT_S = 600
PROGRAM = """
import resource, socket, statistics, sys, threading, time
count, size = int(sys.argv[1]), 40_000_000
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * count + 200)), hard))
listener = socket.create_server(("127.0.0.1", 0), backlog=128)
def move():
    near = socket.create_connection(listener.getsockname()); far, _ = listener.accept()
    start, left = time.monotonic(), size
    threading.Thread(target=far.sendall, args=(bytes(size),), daemon=True).start()
    while left: left -= len(near.recv(1 << 18))
    near.close(); far.close()
    return size / (time.monotonic() - start) / 1e6
def stall():
    near = socket.create_connection(listener.getsockname()); far, _ = listener.accept()
    far.setblocking(False); quiet = time.monotonic() + .05
    while time.monotonic() < quiet:
        try: far.send(bytes(100_000)); quiet = time.monotonic() + .05
        except BlockingIOError: time.sleep(.005)
    return near, far
move()
before = statistics.median(move() for _ in range(3))
kept = [stall() for _ in range(count)]
print(before, statistics.median(move() for _ in range(3)))
"""


def main() -> None:
    print(f"{'readers that do not read':<26}{'without':>14}{'beside them':>14}{'ratio':>8}")
    for count in COUNTS:
        done = subprocess.run(
            ["minion", "run", "--", sys.executable, "-c", PROGRAM, str(count)],
            capture_output=True, text=True, timeout=TIMEOUT_S, check=True,
        )  # fmt: skip
        before, beside = (float(text) for text in done.stdout.split())
        print(f"{count:<26}{before:>9.0f} MB/s{beside:>9.0f} MB/s{beside / before:>8.2f}")


if __name__ == "__main__":
    main()
