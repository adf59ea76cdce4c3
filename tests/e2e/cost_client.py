"""Does what it reads on stdin, and says so: a round trip, a connection, 64 kB.

python cost_client.py HOST PORT; the peer is that of test_python_calls.py.
"""

from __future__ import annotations

import socket
import sys

ADDRESS = sys.argv[1], int(sys.argv[2])
BLOCK = bytes(65536)


def connect(what: bytes) -> socket.socket:
    sock = socket.create_connection(ADDRESS)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(what)
    return sock


def round_trip() -> None:
    echo.send(b"x")
    echo.recv(1)


def connection() -> None:
    """To the peer's end of it, so that nothing is left to be done."""
    with socket.create_connection(ADDRESS) as sock:
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)


def out() -> None:
    sink.sendall(BLOCK)
    sink.recv(1)


def into() -> None:
    source.send(b"x")
    left = len(BLOCK)
    while left:
        left -= len(source.recv(left, socket.MSG_WAITALL))


WORK = {"round trip": round_trip, "connection": connection, "64 kB out": out, "64 kB in": into}
echo, sink, source = connect(b"e"), connect(b"o"), connect(b"i")
print("ready", flush=True)
for line in sys.stdin:
    WORK[line.rstrip()]()
    print("done", flush=True)
