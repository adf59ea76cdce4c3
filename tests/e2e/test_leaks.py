"""Two hundred connections, twenty times over: the minion is afterwards what it was before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from servers import Peer
from world import HOST, MINION, World, eventually

pytestmark = pytest.mark.slow
RSS_SLACK_KB = 8_000
"""Less than one kB per connection: the fullest moment of so many at once is never quite the same.
What a forgotten connection holds is counted beside it."""
ROUNDS, CONNECTIONS = 20, 200
FILLING = 42
"""Rounds until TIME-WAIT (a minute, at most 8192 connections) is as full as it gets: 5 MB."""

CLIENT = """
import socket, sys
host, port, rounds, count = sys.argv[1], *map(int, sys.argv[2:])
for number in range(rounds):
    socks = [socket.create_connection((host, port)) for _ in range(count)]
    for sock in socks:
        sock.sendall(b"ping")
    for sock in socks:
        assert sock.recv(4) == b"ping"
        sock.close()
    print(number, flush=True)
"""
LOOPBACK = """
import socket, sys, threading
server = socket.create_server(("127.0.0.1", 7000), backlog=256)
def serve():
    while True:
        child, _ = server.accept()
        child.sendall(child.recv(4))
        child.close()
threading.Thread(target=serve, daemon=True).start()
"""


def rss_kb(pid: int) -> int:
    """Without the RAM of the board (a shared mapping): how much of that is touched is chance."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1])
    raise AssertionError("no RssAnon")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


class Account:
    """What a minion holds."""

    def __init__(self, world: World) -> None:
        status = world.status("m")
        self.pid: int = status["pid"]
        self.rss_kb = rss_kb(self.pid)
        self.descriptors = descriptors(self.pid)
        self.free_bytes: int = status["board"]["memory"]["free_bytes"]
        self.dropped: int = status["board"]["netdev"]["dropped"]
        """Frames: 200 connections at once are a burst in both directions."""
        self.held = (
            status["sockets"],
            status["sysproxy"]["sessions"],
            status["stack"]["tcp"]["connections"],
        )

    def idle(self) -> bool:
        return self.held == ([], 0, 0)


@pytest.mark.parametrize("copy", ["dma", "serial"])
@pytest.mark.parametrize("where", ["host", "loopback"])
def test_nothing_is_left(world: World, copy: str, where: str) -> None:
    whole = (copy, where) == ("dma", "host")
    rounds = ROUNDS if whole else 5
    world.up("m", "--copy", copy)

    def turn(count: int) -> Account:
        code = (LOOPBACK if where == "loopback" else "") + CLIENT
        host, port = ("127.0.0.1", 7000) if where == "loopback" else (HOST, peer.port)
        run = (MINION, "run", "--on", "m", "--", "python3", "-c", code, host, str(port))
        world.run(*run, str(count), str(CONNECTIONS), timeout_s=400).ok()
        eventually("an idle minion", lambda: Account(world).idle())
        return Account(world)

    with Peer(lambda connection: connection.sendall(connection.recv(4))) as peer:
        before = turn(FILLING if whole else 5)
        after = turn(rounds)
    assert after.pid == before.pid
    assert after.dropped == 0
    assert after.descriptors <= before.descriptors
    assert after.free_bytes == before.free_bytes
    assert after.rss_kb <= before.rss_kb + RSS_SLACK_KB
