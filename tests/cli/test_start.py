"""What `minion up` says when the minion cannot start."""

from __future__ import annotations

import tempfile

import pytest

from minion.cli import commands
from minion.cli.options import Options, UsageError
from minion.cli.runtime import Place


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    folder = tempfile.mkdtemp(prefix="m", dir="/tmp")
    monkeypatch.setenv("MINION_DIR", folder)
    place = Place("x")
    assert place.take()
    return place


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UsageError("no cable"), "minion: no cable\n"),
        (
            RuntimeError("oops"),
            "minion: internal error: RuntimeError('oops'); see: minion logs x\n",
        ),
    ],
)
def test_the_reason_reaches_the_caller(
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    error: Exception,
    said: str,
) -> None:
    def serve(*_args: object) -> None:
        raise error

    monkeypatch.setattr(commands, "serve", serve)
    assert commands.daemonise(place, Options(), 0) == 2
    err = capfd.readouterr().err  # pytest's, also where the child's would be the log
    assert err.endswith(said)
    assert ("Traceback" in err) == isinstance(error, RuntimeError)
