"""The runtime directory: whose it must be, and what lies in it."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from minion.cli import runtime
from minion.cli.options import Options, UsageError
from minion.cli.runtime import Place


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Short, as a control path must be."""
    with tempfile.TemporaryDirectory(prefix="m", dir="/tmp") as text:
        monkeypatch.setenv("MINION_DIR", text)
        yield Path(text)


def test_it_is_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINION_DIR", str(folder / "new"))
    assert runtime.directory() == folder / "new"
    assert (folder / "new").stat().st_mode & 0o777 == 0o700


def test_where_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert runtime.directory() == folder
    monkeypatch.setenv("MINION_DIR", "")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    assert runtime.directory() == folder / "minion"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    if not Path(f"/tmp/minion-{os.getuid()}").exists():
        pytest.skip("would make a folder outside of the test's")
    assert runtime.directory() == Path(f"/tmp/minion-{os.getuid()}")


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o722, 0o777])
def test_others_must_be_kept_out(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(UsageError, match="0700"):
        runtime.directory()
    folder.chmod(0o700)


def test_it_must_be_ours(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.getuid():
        monkeypatch.setenv("MINION_DIR", "/root")
    else:
        os.chown(folder, 12345, 12345)
    with pytest.raises(UsageError):
        runtime.directory()
    if not os.getuid():
        os.chown(folder, 0, 0)


def test_a_link_is_not_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "real").mkdir(mode=0o700)
    (folder / "link").symlink_to(folder / "real")
    monkeypatch.setenv("MINION_DIR", str(folder / "link"))
    with pytest.raises(UsageError):
        runtime.directory()


def test_a_file_is_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").touch(mode=0o700)
    monkeypatch.setenv("MINION_DIR", str(folder / "file"))
    with pytest.raises(UsageError):
        runtime.directory()
    monkeypatch.setenv("MINION_DIR", str(folder / "file" / "below"))
    with pytest.raises(UsageError):
        runtime.directory()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", ".a", "a b", "a\n", "x" * 33, "ä"])
def test_names_that_are_none(folder: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no name"):
        Place(name)


def test_one_takes_it(folder: Path) -> None:
    first, second = Place("m"), Place("m")
    assert first.take()
    assert not second.take()
    assert second.pid == os.getpid()
    assert os.stat(folder / "m").st_mode & 0o777 == 0o700


def test_a_lock_that_nobody_holds_is_free(folder: Path) -> None:
    (folder / "m").mkdir()
    (folder / "m" / "lock").write_text("nonsense")
    place = Place("m")
    assert place.pid == 0
    assert place.take()
    with open(folder / "m" / "lock") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_socket_replaces_a_dead_one(folder: Path) -> None:
    place = Place("m")
    assert place.take()
    place.listen().close()
    with place.listen() as listener:
        assert os.stat(place.control).st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.connect(str(place.control))
        assert not listener.getblocking()
    assert runtime.running() == ["m"]
    place.forget()
    assert runtime.running() == []
    place.remove()
    assert not place.path.exists()


def test_options_are_kept(folder: Path) -> None:
    place = Place("m")
    place.take()
    assert place.saved() is None
    place.save(Options(ram_mib=32))
    assert place.saved() == Options(ram_mib=32)
    (place.path / "options.json").write_text("[1]")
    assert place.saved() is None


def test_the_launcher_is_the_command_that_ran_last(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = folder / "bin" / "minion"
    command.parent.mkdir()
    command.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(command)])
    for _ in range(2):
        runtime.refresh_launcher()
        assert (folder / "launcher").readlink() == command
    monkeypatch.setattr("sys.argv", ["/usr/bin/pytest"])
    runtime.refresh_launcher()
    assert (folder / "launcher").readlink() == command
