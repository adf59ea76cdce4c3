"""Stream sockets of apps, without an app: on a stack over a simulated world's loopback."""

from __future__ import annotations

import pytest

from hypercalls.api import Buffer
from hypercalls.sim.world import SimWorld
from minion.app.files import POLLOUT
from minion.app.stream import CHUNK, TcpFile
from stack.netstack import Netstack

LOOPBACK = 0x7F000001


class Watcher:
    woken = 0

    def wake(self) -> None:
        self.woken += 1


def test_whoever_found_no_memory_is_woken_when_some_is_freed() -> None:
    world = SimWorld(1)
    net = Netstack(world.host("a", memory_bytes=8 << 20))
    listener, file = TcpFile(net), TcpFile(net)
    listener.bind((LOOPBACK, 80))
    listener.listen(1)
    with pytest.raises(BlockingIOError):
        file.connect((LOOPBACK, 80))
    world.run_for(10)
    memory = net.hyper.memory
    taken: list[Buffer] = []
    for size in (CHUNK, 4096, 256, 1):
        while (buffer := memory.alloc(size)) is not None:
            taken.append(buffer)
    watcher = Watcher()
    file.watchers[watcher] = None
    for _ in range(3):
        with pytest.raises(BlockingIOError):
            file.send(bytes(CHUNK), None)
    world.run_for(1000)
    assert file.poll() & POLLOUT
    assert not watcher.woken, "no timer asks again and again"
    del buffer
    taken.clear()
    world.run_for(1)
    assert watcher.woken == 1
    assert file.send(b"x", None) == 1
    world.close()
