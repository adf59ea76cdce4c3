"""arp(7) on a minion's socket: squid and others ask who their client is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from servers import FileServer
from world import HOST, MINION, World

SCRIPT = Path(__file__).with_name("neighbours_asked.py")


@pytest.mark.slow
def test_neighbours_as_on_linux(world: World, server: FileServer) -> None:
    host = world.run(sys.executable, SCRIPT).ok().out.splitlines()
    asked = (sys.executable, SCRIPT, HOST, str(server.port))
    minion = world.run(MINION, "run", "--", *asked).ok().out.splitlines()
    assert minion[: len(host)] == host
    connected, *changes = minion[len(host) :]
    label, kind, mac, flags = connected.split()
    assert (label, kind, flags) == ("connected:", "1", "2")
    assert len(mac) == 12
    assert int(mac, 16)
    assert changes == ["set: EPERM", "delete: EPERM"]
