"""Memory is shared fairly: those who stand still do not stop those who come."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import MINION, World, eventually

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("stalled.py")


@pytest.mark.lines("dma", "serial")
def test_stalled_connections_stop_nobody(world: World) -> None:
    """Readers, half as many writers besides, and half as many in a backlog; on 24 MiB."""
    count = "120" if world.line == "dma" else "60"
    world.up("m", "--ram", "24")
    run = world.run(MINION, "run", "--on", "m", "--", "python3", PROGRAM, count, timeout_s=120)
    assert run.ok().out == "moved\nmoved\n"
    eventually("no socket left", lambda: not world.status("m")["sockets"], 30)
    memory = world.status("m")["board"]["memory"]
    eventually(
        "their memory is given back",
        lambda: world.status("m")["board"]["memory"]["free_bytes"] > memory["size_bytes"] // 2,
        30,
    )


def test_buffers_that_were_set_are_bounds(world: World) -> None:
    """Asked for 4,096 bytes, Linux queues about 12 kB in all; channels count here too."""
    script = (
        "import socket, time\n"
        "l = socket.socket(); l.setsockopt(1, socket.SO_RCVBUF, 4096)\n"
        "l.bind(('127.0.0.1', 0)); l.listen()\n"
        "c = socket.socket(); c.setsockopt(1, socket.SO_SNDBUF, 4096)\n"
        "c.connect(l.getsockname()); s, _ = l.accept(); c.setblocking(False)\n"
        "sent, quiet = 0, time.monotonic() + 1\n"
        "while time.monotonic() < quiet:\n"
        "    try: sent += c.send(bytes(1000))\n"
        "    except BlockingIOError: time.sleep(0.01)\n"
        "print(sent)\n"
    )
    run = world.minion("run", "--", "python3", "-c", script)
    assert 4096 <= int(run.ok().out) <= 32_768
