"""Two stacks on a link, and a stream between them that programs write and read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from script import App, Crashes, read, write

from hypercalls.sim.world import SimWorld
from stack.config import Config
from stack.netstack import Netstack
from stack.socket.stream import StreamSocket
from stack.wire import undotted

A, B = undotted("10.0.0.1"), undotted("10.0.0.2")
NETMASK = 0xFFFFFF00
PORT = 80
START_NS = 1_000_000_000_000


class Pair:
    """Hosts a and b; `connect` gives a socket on each."""

    def __init__(
        self, seed: int = 0, config: Config | None = None, link: dict[str, Any] | None = None,
        a: dict[str, Any] | None = None, b: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.world = SimWorld(seed)
        self.world.now_ns = START_NS
        self.crashes: list[Crashes] = []
        self.nets: list[Netstack] = []
        for name, host in (("a", a or {}), ("b", b or {})):
            hyper = self.world.host(name, **host)
            self.crashes.append(Crashes(self.world, name))
            self.nets.append(Netstack(hyper, config))
        self.link = self.world.link("a", "b", **(link or {}))
        for net, address in zip(self.nets, (A, B), strict=True):
            net.configure(address, NETMASK)
        self.world.run_for(10)
        self.free_bytes = [net.hyper.memory.free_bytes for net in self.nets]

    def connect(self, room: int | None = None) -> tuple[StreamSocket, StreamSocket]:
        """A socket on a, connected to one on b; room: what App takes straight from frames."""
        listener = StreamSocket(self.nets[1], App())
        listener.reuse_address = True
        listener.bind((0, PORT))
        listener.listen(8)
        near = StreamSocket(self.nets[0], App(room))
        near.connect((B, PORT))
        assert listener.listener is not None
        ready = listener.listener.ready
        self.world.run_until(lambda: bool(ready) and near.was_connected, 200_000)
        far = listener.accept(lambda _sock: App(room))
        listener.close()
        return near, far

    def write(self, sock: StreamSocket, data: bytes) -> int:
        return write(sock._net, sock, data)

    def read(self, sock: StreamSocket, limit: int = 1 << 30) -> bytes:
        """What its App was given, then what is queued."""
        app = sock.user
        assert isinstance(app, App)
        out = bytes(app.got[:limit])
        del app.got[:limit]
        return out + read(sock, limit - len(out))

    def check_clean(self, expected: list[int] | None = None) -> None:
        """Nothing is left of any connection: no table entry, callout, or buffer."""
        for net, free in zip(self.nets, expected or self.free_bytes, strict=True):
            connections = net.tcp.connections
            assert not connections.table
            assert not connections.time_wait
            assert not connections.listeners
            assert not connections.bound
            assert not connections.connected
            assert len(net.callouts) == 0
            assert net.hyper.memory.free_bytes == free

    def check_crashes(self) -> None:
        for crashes in self.crashes:
            crashes.check()

    def close(self) -> None:
        self.check_crashes()
        self.world.close()


@contextmanager
def pair(seed: int = 0, config: Config | None = None, **kwargs: Any) -> Iterator[Pair]:
    made = Pair(seed, config, **kwargs)
    yield made
    made.close()


def transfer(
    pair: Pair, source: StreamSocket, sink: StreamSocket, data: bytes, limit_ms: int = 3_600_000
) -> float:
    """Write data at one end and read it at the other; the virtual milliseconds it took."""
    start = pair.world.now_ns
    end = start + limit_ms * 1_000_000
    sent, got = 0, bytearray()
    while len(got) < len(data):
        if sent < len(data):
            sent += pair.write(source, data[sent : sent + 65536])
        pair.world.work()
        got += pair.read(sink)
        assert data.startswith(bytes(got[-4096:]), max(0, len(got) - 4096))
        pair.check_crashes()
        if len(got) < len(data) and not pair.world._advance(end):
            raise TimeoutError(f"{len(got)} of {len(data)} bytes in {limit_ms} ms")
    assert bytes(got) == data
    return (pair.world.now_ns - start) / 1e6
