"""A minion on which most connections stand still, and what a new one moves beside them.

Theory of operation.  The peers are here, on the host: `source` sends to whoever connects until it
is stopped, `sink` reads nothing, `bulk` moves what it is asked to.  Others connect to a listener of
the minion's that accepts nobody, and fill its backlog.  The rest is bench/crowd_program.py's.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).with_name("crowd_program.py")
PART = bytes(1 << 18)
QUIET_S = 1.0
TURN_S = 0.2
HOST_BYTES = 64 << 10
"""Of the host's buffers for each that stands still, or it is the host that runs out of memory."""


@dataclass(frozen=True, slots=True)
class Crowd:
    readers: int
    writers: int
    backlog: int
    bytes: int
    """That a new connection moves, each way."""


class Peers:
    """The host's side."""

    def __init__(self, address: str) -> None:
        self._select = selectors.DefaultSelector()
        self.sent_bytes = 0
        self._kept: list[socket.socket] = []
        self._listeners: list[socket.socket] = []
        self.ports = {
            name: self._listen(address, serve)
            for name, serve in (("source", self._source), ("sink", self._sink))
        }
        self._bulk = socket.create_server((address, 0), backlog=64)
        self._listeners.append(self._bulk)
        self.ports["bulk"] = self._bulk.getsockname()[1]
        self._select.register(self._bulk, selectors.EVENT_READ, self._accept_bulk)
        self._done = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _listen(self, address: str, serve: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server((address, 0), backlog=1024)
        self._listeners.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HOST_BYTES)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, HOST_BYTES)

        def accept() -> None:
            sock, _ = listener.accept()
            sock.setblocking(False)
            self._kept.append(sock)
            serve(sock)

        self._select.register(listener, selectors.EVENT_READ, accept)
        port: int = listener.getsockname()[1]
        return port

    def _run(self) -> None:
        while not self._done:
            for key, _ in self._select.select(TURN_S):
                key.data()

    def close(self) -> None:
        self._done = True
        self._thread.join()
        for sock in (*self._kept, *self._listeners):
            sock.close()
        self._select.close()

    def fill(self, sock: socket.socket) -> None:
        """Send whatever it takes, now and later."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HOST_BYTES)
        sock.setblocking(False)
        self._kept.append(sock)
        self._source(sock)

    def _source(self, sock: socket.socket) -> None:
        def send() -> None:
            try:
                while True:
                    self.sent_bytes += sock.send(PART)
            except BlockingIOError:
                pass
            except OSError:
                self._select.unregister(sock)

        self._select.register(sock, selectors.EVENT_WRITE, send)

    def _sink(self, _sock: socket.socket) -> None:
        """Nothing is read."""

    def _accept_bulk(self) -> None:
        sock, _ = self._bulk.accept()
        threading.Thread(target=move, args=(sock,), daemon=True).start()


def move(sock: socket.socket) -> None:
    with sock, contextlib.suppress(OSError):
        asked = sock.recv(9, socket.MSG_WAITALL)
        left = int.from_bytes(asked[1:], "big")
        if asked[:1] == b"i":
            while left:
                left -= sock.send(PART[:left])
        else:
            buffer = bytearray(1 << 18)
            while left > 0:
                count = sock.recv_into(buffer)
                if not count:
                    return
                left -= count
            sock.sendall(b".")
            sock.recv(1)


@dataclass(slots=True)
class Result:
    before: tuple[float, float]
    beside: tuple[float, float]
    """Bytes per second in and out."""


def measure(
    crowd: Crowd, run: Sequence[str], seen: str, address: str, reach: Callable[[], tuple[str, int]],
    crowded: int, at_rest: Callable[[], None] = lambda: None,
    env: Mapping[str, str] | None = None,
) -> Result:  # fmt: skip
    """run: words that run a command on the minion; seen: the host, as seen from there; address: on
    which peers listen; reach: where its listener on port `crowded` is reached from the host;
    at_rest: called when all stand still.
    """
    peers = Peers(address)
    ports = [str(peers.ports[name]) for name in ("source", "sink", "bulk")]
    numbers = [str(n) for n in (crowded, crowd.readers, crowd.writers, crowd.backlog, crowd.bytes)]
    command = [*run, sys.executable, str(PROGRAM), seen, *ports, *numbers]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    ) as program:
        assert program.stdout is not None
        assert program.stdin is not None

        def answer(word: str) -> tuple[float, ...]:
            assert program.stdout is not None
            line = program.stdout.readline().split()
            if line[:1] != [word]:
                raise RuntimeError(f"the program said {line}, not {word}")
            return tuple(float(text) for text in line[1:])

        try:
            before = answer("undisturbed")
            answer("standing")
            for _ in range(crowd.backlog):
                peers.fill(socket.create_connection(reach(), 30))
            sent = -1
            while sent != peers.sent_bytes:  # until nothing moves
                sent = peers.sent_bytes
                time.sleep(QUIET_S)
            at_rest()
            program.stdin.write("go\n")
            program.stdin.flush()
            beside = answer("beside")
        finally:
            program.kill()
            peers.close()
    return Result((before[0], before[1]), (beside[0], beside[1]))
