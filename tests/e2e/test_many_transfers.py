"""Many transfers, several at a time, some of them cut off: none hangs, and none loses a byte."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from servers import Peer
from transfers import quietly
from world import HOST, MINION, World, eventually

pytestmark = [pytest.mark.slow, pytest.mark.lines]
PROGRAM = Path(__file__).with_name("transfers.py")


def peer(connection: socket.socket) -> None:
    connection.settimeout(60)
    quietly(connection)


def test_many_transfers(world: World) -> None:
    """To the host, and to a server on the same minion."""
    world.up("m")
    count = "120" if world.line == "noisy" else "400"
    with Peer(peer) as made:
        run = world.run(
            MINION, "run", "--on", "m", "--", "python3", PROGRAM, HOST, str(made.port), count
        )
        assert run.ok().out == "done\n"
    eventually("no socket left", lambda: not world.status("m")["sockets"])


def test_a_late_reader_reads_everything(world: World) -> None:
    """Whatever was written before a close arrives, and then the end."""
    limit = "300000" if world.line == "noisy" else "7000000"
    program = Path(__file__).with_name("late_reader.py")
    run = world.minion("run", "--", "python3", program, limit)
    assert run.ok().out == "as written\n" * 24
