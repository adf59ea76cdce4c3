"""The same small program on libc and on a minion: what it is told must be the same.

Where it is not, DIFFERENCES says why.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest
from servers import Peer, reset
from world import HOST, MINION, World, eventually

pytestmark = pytest.mark.slow
PROGRAM = Path(__file__).with_name("behaviours.py")
DIFFERENCES: dict[str, tuple[object, str]] = {
    "urgent_data": ("ENOTSUP", "no urgent data (RFC 6093): a channel has no place for it"),
}
"""What the minion answers instead, and why."""


TIMED = frozenset({"quickack_is_real"})
"""What depends on how soon something happens: a line that sends again may be too late for it."""


class CommandPeer:
    """Does what the first line of a connection says."""

    def __init__(self) -> None:
        self.how: Queue[str] = Queue()

    def __call__(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        file = connection.makefile("rb")
        command, _, rest = file.readline().decode().strip().partition(" ")
        if command == "send":
            connection.sendall(rest.encode())
        elif command == "rst":
            file.close()
            reset(connection)
        elif command == "echo-after-eof":
            connection.sendall(file.read())
        elif command == "how":
            self.how.put(how_it_ends(connection))
        elif command == "how-after-sending":
            connection.sendall(b"unread")
            self.how.put(how_it_ends(connection))
        elif command == "said":
            connection.sendall(self.how.get(timeout=60).encode() + b"\n")
        file.close()


def how_it_ends(connection: socket.socket) -> str:
    try:
        return "FIN" if not connection.recv(1) else "data"
    except OSError as error:
        return type(error).__name__


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer(CommandPeer()) as made:
        yield made


def answers(output: str) -> dict[str, object]:
    return dict(json.loads(line) for line in output.splitlines())


@pytest.mark.lines("dma", "serial", "bad")
@pytest.mark.parametrize("way", ["preload", "minionsocket"])
def test_as_on_linux(world: World, peer: Peer, way: str, line: str) -> None:
    python = "python3" if way == "preload" else sys.executable
    linux = answers(world.run(python, PROGRAM, "127.0.0.1", str(peer.port)).ok().out)
    world.up("default")
    if way == "minionsocket":
        run = world.run(python, PROGRAM, HOST, str(peer.port), "minionsocket")
    else:
        run = world.run(
            MINION, "run", "--on", "default", "--", python, PROGRAM, HOST, str(peer.port)
        )  # fmt: skip
    minion = answers(run.ok().out)
    assert linux.keys() == minion.keys()
    wanted = linux | {name: answer for name, (answer, _why) in DIFFERENCES.items()}
    assert not [
        f"{name}: linux {linux[name]!r}, minion {minion[name]!r}"
        for name in linux
        if wanted[name] != minion[name] and not (line == "bad" and name in TIMED)
    ]
    eventually("no socket left", lambda: not world.status("default")["sockets"])


FRESH = """
import os, socket, sys
sock = socket.socket()
fd, file = sock.fileno(), os.open(sys.executable, os.O_RDONLY)
for call in (
    lambda: os.read(fd, 1), lambda: os.readv(fd, [bytearray(1)]), lambda: os.write(fd, b"x"),
    lambda: os.writev(fd, [b"x"]), lambda: os.sendfile(fd, file, 0, 1),
):
    try:
        print(call())
    except OSError as error:
        print(error)
"""


def test_calls_on_the_descriptor_of_a_fresh_socket(world: World) -> None:
    """Those that minionsocket leaves to the kernel."""
    linux = world.run(sys.executable, "-c", FRESH).ok().out
    assert world.run(MINION, "run", "--", sys.executable, "-c", FRESH).ok().out == linux
