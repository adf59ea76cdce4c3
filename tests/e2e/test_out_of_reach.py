"""A program that cannot reach its minion: one line on stderr says the real reason."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from world import World, wait_exit

pytestmark = pytest.mark.slow
as_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root: run the tests as root")
DOWN = "Network is down"


@pytest.fixture
def ask(world: World) -> tuple[str, ...]:
    """The program, where everybody can read it; and a folder to be its root."""
    source = Path(__file__).with_name("programs") / "out_of_reach.py"
    copy = world.files / source.name
    shutil.copy(source, copy)
    copy.chmod(0o644)
    (world.files / "root").mkdir()
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else "python3"
    return (python, str(copy))


def check(err: str, reason: str) -> None:
    lines = [line for line in err.splitlines() if line.startswith("minion: ")]
    assert len(lines) == 1, err  # once, though it was asked twice
    assert reason in lines[0], err


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("remove", "none answers: it has gone down, or lies outside"),
        pytest.param("become", "permission denied: the program had no connection", marks=as_root),
        pytest.param(
            "chroot and close",
            "it has gone down, or the program has changed its root",
            marks=as_root,
        ),
    ],
)
def test_on_a_private_minion(world: World, ask: tuple[str, ...], way: str, reason: str) -> None:
    result = world.minion("run", "--", *ask, way, world.files / "root")
    assert result.out.split("\n")[:2] == [DOWN, DOWN], result.err
    check(result.err, reason)


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("wait", "none answers: it has died"),
        pytest.param("chroot and wait", "it has gone down, or", marks=as_root),
    ],
)
def test_its_minion_dies(world: World, ask: tuple[str, ...], way: str, reason: str) -> None:
    world.up("m")
    env = {"LD_PRELOAD": world.library(), "MINION": str(world.runtime / "m" / "control")}
    here = world.start(*ask, way, world.files / "root", env=env, stdin=True)
    here.until("ready")
    pid = world.pid_of("m")
    os.kill(pid, signal.SIGKILL)
    wait_exit(pid, 10)
    here.say("\n")
    result = here.finish(60).ok()
    assert result.out.split("\n")[1:3] == [DOWN, DOWN]
    check(result.err, reason)


@as_root
def test_a_minion_is_started_before_the_root_changes(world: World, ask: tuple[str, ...]) -> None:
    env = {"LD_PRELOAD": world.library(), "MINION": "started"}
    result = world.run(*ask, "chroot", world.files / "root", env=env).ok()
    assert (result.out, result.err) == ("a socket\na socket\n", "")


def test_none_is_started_behind_a_filter(world: World, ask: tuple[str, ...]) -> None:
    """Its fork would be the end of the program."""
    env = {"LD_PRELOAD": world.library(), "MINION": "never"}
    result = world.run(*ask, "filter", env=env).ok()
    assert result.out.split("\n")[:2] == [DOWN, DOWN]
    check(result.err, "minion never is not up, and a program that has locked itself in")
    assert "never" not in world.names()


Answer = Callable[[bytes], bytes]


@contextmanager
def another(path: Path, answer: Answer) -> Iterator[None]:
    """Listens where a minion would; says what `answer` makes of a request, or hangs up on b""."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    while request := client.recv(4096):
                        said = answer(request)
                        if not said:
                            break
                        client.send(said)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def newer(request: bytes) -> bytes:
    version, op = struct.unpack_from("=II", request)
    return struct.pack("=IIiiI", version + 1, op, -1, 71, 0)


@pytest.mark.parametrize(
    ("answer", "said", "reason"),
    [
        (newer, "Protocol error", "it is of another version than this libminion"),
        (lambda _request: b"", DOWN, "it has gone down"),
    ],
)
def test_what_answers_is_no_minion_of_ours(
    world: World, ask: tuple[str, ...], answer: Answer, said: str, reason: str
) -> None:
    control = world.runtime / "control"
    with another(control, answer):
        env = {"LD_PRELOAD": world.library(), "MINION": str(control)}
        result = world.run(*ask, "ask", env=env).ok()
    assert result.out.split("\n")[:2] == [said, said]
    check(result.err, reason)
