"""Nonsense on the line, at message level: refused or ignored, and nobody else notices."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hypercalls.host.reactor import Reactor
from minion.cli.assemble import Minion
from minion.cli.options import Options
from minion.driver.channel import Channel
from minion.sysproxy import messages
from minion.sysproxy.messages import NOTE, REQUEST, RESPONSE, Note
from minion.sysproxy.operations import Op

pytestmark = pytest.mark.slow
word = st.integers(-(1 << 31), (1 << 31) - 1)
small = st.one_of(st.integers(-3, 6), word)
op = st.one_of(st.sampled_from([*map(int, Op), *map(int, Note)]), st.integers(0, 255))
chan = st.one_of(
    st.integers(0, 6), st.sampled_from([1 << 31, (1 << 31) + 1, (1 << 32) - 1]),
    st.integers(0, (1 << 32) - 1),
)  # fmt: skip
data = st.one_of(st.binary(max_size=40), st.just(bytes(8000)), st.just(b"\x02\0" + bytes(14)))
message = st.one_of(
    st.binary(max_size=60),
    st.builds(messages.emit, st.sampled_from([REQUEST, RESPONSE, NOTE, 3, 255]), op,
              st.integers(0, 8), chan, small, small, small, data),
)  # fmt: skip


class Machine:
    """A minion in this process, with one connected socket whose health is watched."""

    def __init__(self, copy: str) -> None:
        self.folder = tempfile.mkdtemp(prefix="m", dir="/tmp")
        path = os.path.join(self.folder, "control")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        listener.bind(path)
        listener.listen(8)
        self.log: list[str] = []
        self.minion = Minion(Reactor(), Options(copy=copy), listener, path, "test", self.log.append)
        self.minion.wait_ready()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.server.setblocking(False)
        self.ours = self.connect(self.server.getsockname()[1])
        self.theirs, _ = self.server.accept()
        self.theirs.setblocking(False)

    def request(
        self, number: Op, ident: bytes, *args: int, data: bytes = b"",
        program: socket.socket | None = None,
    ) -> Channel | None:  # fmt: skip
        answers: list[tuple[int, Channel | None]] = []

        def done(_result: int, error: int, _data: bytes, channel: Channel | None) -> None:
            if channel is not None:
                self.ends.append(channel.program.sock.dup())
            answers.append((error, channel))

        a, b, c = (*args, 0, 0, 0)[:3]
        self.ends: list[socket.socket] = []
        self.minion.driver.request(number, ident, a, b, c, data, 0, program, done)
        self.turn(lambda: bool(answers))
        assert answers[0][0] == 0, os.strerror(answers[0][0])
        return answers[0][1]

    def connect(self, port: int) -> socket.socket:
        channel = self.request(Op.SOCKET, b"", 2, 1, 0)
        assert channel is not None
        end = self.ends.pop()
        end.setblocking(False)
        address = b"\x02\0" + port.to_bytes(2, "big") + b"\x0a\0\x02\x02" + bytes(8)
        self.number = channel.number
        self.request(Op.CONNECT, channel.program.ident.encode(), data=address, program=end.dup())
        return end

    def turn(self, until: object = None) -> None:
        for _ in range(2000 if callable(until) else 3):
            if callable(until) and until():
                return
            self.minion.reactor.call_at(0, lambda: None)
            self.minion.reactor.run_once(True)
        assert not callable(until), "not within 2000 turns"

    def echo(self) -> None:
        """The connection works, both ways."""
        self.ours.send(b"ping")
        got: list[bytes] = []

        def came(sock: socket.socket) -> bool:
            try:
                got.append(sock.recv(100))
            except BlockingIOError:
                return False
            return True

        self.turn(lambda: came(self.theirs))
        self.theirs.send(b"pong")
        self.turn(lambda: came(self.ours))
        assert got == [b"ping", b"pong"]

    def close(self) -> None:
        for sock in (self.ours, self.theirs, self.server):
            sock.close()
        self.minion.close()
        for path in Path(self.folder).iterdir():
            path.unlink()
        os.rmdir(self.folder)


@pytest.fixture(params=["dma", "serial"], scope="module")
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    made = Machine(request.param)
    try:
        yield made
    finally:
        made.close()


def about(machine: Machine, text: bytes) -> bool:
    """Whether the message is for the channel that is watched: that one it may harm."""
    return len(text) >= messages.HEADER.size and (
        messages.HEADER.unpack_from(text)[4] == machine.number
    )


SETTINGS = settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SETTINGS
@given(sent=st.lists(message, max_size=6))
def test_to_the_server(machine: Machine, sent: list[bytes]) -> None:
    for text in sent:
        if not about(machine, text):
            machine.minion.server.input(text)
    machine.turn()
    machine.echo()
    assert machine.minion.errors == 0, machine.log


@SETTINGS
@given(sent=st.lists(message, max_size=6))
def test_to_the_driver(machine: Machine, sent: list[bytes]) -> None:
    for text in sent:
        if not about(machine, text):
            machine.minion.driver.input(text)
    machine.turn()
    machine.echo()
    assert machine.minion.errors == 0, machine.log
