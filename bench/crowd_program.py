"""On the minion: connections that stand still, and new ones that should not (bench/crowd.py).

crowd_program.py HOST SOURCE SINK BULK CROWDED READERS WRITERS BACKLOG BYTES

Speaks with its parent in lines: prints "undisturbed IN OUT" (bytes per second), opens its
connections, prints "standing SENT" when nothing moves, and at each line that it reads prints
"beside IN OUT".
"""

from __future__ import annotations

import contextlib
import resource
import selectors
import socket
import statistics
import sys
import time

host = sys.argv[1]
source, sink, bulk, crowded, readers, writers, backlog, size = map(int, sys.argv[2:])
TRIPS = 3
QUIET_S = 1.0
PART = bytes(1 << 18)


def moved(direction: bytes) -> float:
    """Bytes per second of a new connection."""
    began = time.monotonic()
    with socket.create_connection((host, bulk), 120) as sock:
        sock.sendall(direction + size.to_bytes(8, "big"))
        left = size
        if direction == b"o":
            while left:
                left -= sock.send(PART[:left])
            assert sock.recv(1) == b"."
        else:
            while left:
                left -= len(sock.recv(1 << 18)) or sys.exit(f"an end {left} bytes early")
    return size / (time.monotonic() - began)


def rates() -> str:
    return " ".join(
        str(round(statistics.median(moved(way) for _ in range(TRIPS)))) for way in (b"i", b"o")
    )


def say(text: str) -> None:
    print(text, flush=True)


class Writers:
    """Write whenever there is room."""

    def __init__(self) -> None:
        self._select = selectors.DefaultSelector()
        self.sent_bytes = 0

    def add(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._select.register(sock, selectors.EVENT_WRITE, sock)

    def work(self, timeout_s: float) -> bool:
        """Whether one of them has written."""
        ready = self._select.select(timeout_s)
        for key, _ in ready:
            with contextlib.suppress(BlockingIOError):
                self.sent_bytes += key.data.send(PART)
        return bool(ready)

    def settle(self) -> None:
        while self.work(QUIET_S):
            pass


soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
listener = socket.create_server(("0.0.0.0", crowded), backlog=backlog)
moved(b"i")
say(f"undisturbed {rates()}")
unread = []
stuck = Writers()
for number in range(max(readers, writers)):
    if number < readers:
        unread.append(socket.create_connection((host, source), 60))
    if number < writers:
        stuck.add(socket.create_connection((host, sink), 60))
        stuck.work(0)
stuck.settle()
say(f"standing {stuck.sent_bytes}")
for _line in sys.stdin:
    stuck.settle()
    say(f"beside {rates()}")
