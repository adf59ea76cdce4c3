"""The same raw segments to Linux and to the stack: both answer alike."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from networks import why_no_tap
from script import Script, read, script
from segments import SCENES, Answer


class Stack:
    """segments.Peer on a script."""

    def __init__(self, t: Script) -> None:
        self._t = t
        t.accept(mss=None)

    def send(self, flags: str, seq: int, ack: int | None = None, data: bytes = b"") -> None:
        self._t.inject(flags, seq, ack, data)

    def answers(self) -> list[Answer]:
        return [
            (s.flags.replace("P", ""), s.seq & 0xFFFFFFFF, s.ack, len(s.data))
            for s in self._t.drain()
        ]

    def shutdown(self) -> None:
        self._t.finish_writing()

    def reply(self) -> None:
        read(self._t.sock)
        self._t.write(b"y")


def linux() -> dict[str, list[list[list[object]]]]:
    """What the kernel answers, in a network namespace of its own."""
    unshare = shutil.which("unshare")
    assert unshare is not None
    program = Path(__file__).with_name("segments.py")
    command = [unshare, "--net", sys.executable, os.fspath(program)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[list[list[object]]]] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.needs("unshare", "ip")
def test_raw_segments() -> None:
    if reason := why_no_tap():
        pytest.skip(f"raw segments to Linux: {reason}")
    mine = {}
    for scene in SCENES:
        with script() as t:
            mine[scene.__name__] = [[list(one) for one in part] for part in scene(Stack(t))]
    for last in (False, False, True):
        theirs = linux()
        if mine == theirs:
            return
        # who is interrupted for 40 ms between two steps sees a delayed acknowledgement more
        assert not last or mine == theirs
