"""Programs that do nothing unless they are told: a lost wake-up is a transfer that stops."""

from __future__ import annotations

import pytest
from pair import Pair, pair
from script import App, read, write

from stack.config import Config
from stack.socket.stream import StreamSocket

DATA = bytes(n * 13 % 251 for n in range(150_000))


class Driven(App):
    """Writes when it is told `writable`, reads when it is told `readable`."""

    def __init__(self, pair: Pair, room: int | None, chunk: int, lazy: bool) -> None:
        super().__init__(room)
        self.pair = pair
        self.chunk = chunk
        self.lazy = lazy
        """Ignore `writable` until half of the buffer is free, as minion/sysproxy does."""
        self.sock: StreamSocket | None = None
        self.sent = 0
        self.finished = False

    def start(self, sock: StreamSocket) -> None:
        self.sock = sock
        self.write_more()

    def write_more(self) -> None:
        sock = self.sock
        assert sock is not None
        while self.sent < len(DATA):
            count = write(sock._net, sock, DATA[self.sent : self.sent + self.chunk])
            if not count:
                assert sock.tcb is not None
                assert sock.tcb.write_blocked
                return
            self.sent += count
        if not self.finished:
            self.finished = True
            sock.finish_writing()

    def writable(self) -> None:
        assert self.sock is not None
        tcb = self.sock.tcb
        assert tcb is not None
        if self.lazy and tcb.flight and tcb.sndbuf_bytes - len(tcb.snd) < tcb.sndbuf_bytes // 2:
            return
        tcb.write_blocked = False
        self.write_more()

    def readable(self) -> None:
        if self.sock is not None:
            self.got += read(self.sock)

    @property
    def complete(self) -> bool:
        return self.got == DATA and self.sock is not None and self.sock.at_eof


@pytest.mark.parametrize("loss", [0.0, 0.05])
@pytest.mark.parametrize("room", [None, 0, 5000])
@pytest.mark.parametrize(("sndbuf", "rcvbuf", "chunk"), [
    (1000, 1000, 100), (5000, 1 << 20, 100_000), (1 << 20, 5000, 3000), (20_000, 20_000, 1),
])  # fmt: skip
@pytest.mark.parametrize("lazy", [False, True])
def test_both_ways_at_once(
    loss: float, room: int | None, sndbuf: int, rcvbuf: int, chunk: int, lazy: bool
) -> None:
    config = Config(sndbuf_bytes=sndbuf, rcvbuf_bytes=rcvbuf)
    with pair(11, config, link={"delay_ns": 2_000_000}) as p:
        p.world.capture = False
        near, far = p.connect()
        ends = []
        p.link.forward.loss = p.link.backward.loss = loss
        for sock in (near, far):
            app = Driven(p, room, max(chunk, 50), lazy)
            app.sock = sock
            sock.attach(app)
            ends.append(app)
        for app, sock in zip(ends, (near, far), strict=True):
            app.start(sock)
        p.world.run_until(lambda: all(app.complete for app in ends), 600_000)
