"""What `minion run` leaves of signals as it found them, and what of itself when it is killed."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import MINION, SOON_S, World, eventually

pytestmark = pytest.mark.slow
DISPOSITIONS = "grep -E 'SigIgn' /proc/self/status"
PLAIN = "true"
IGNORED = "trap '' PIPE"
BOTH = "trap '' PIPE XFSZ"


@pytest.mark.parametrize("before", [PLAIN, IGNORED, BOTH])
def test_dispositions_are_those_of_the_shell(world: World, before: str) -> None:
    linux = world.sh(f"{before}; {DISPOSITIONS}; true").ok().out
    assert world.sh(f"{before}; minion run -- {DISPOSITIONS}; true").ok().out == linux


def test_a_writer_without_a_reader_ends_by_sigpipe(world: World) -> None:
    """yes | head, and the status that the shell sees of yes."""
    script = "{{ {} yes; echo $? >&2; }} | head -n 1"
    linux = world.sh(script.format("")).ok()
    minion = world.sh(script.format("minion run --")).ok()
    assert (minion.out, minion.err.split()) == (linux.out, linux.err.split())
    assert linux.err.split() == ["141"]


def test_ignored_sigpipe_stays_ignored(world: World) -> None:
    script = "trap '' PIPE; {{ {} yes 2>/dev/null; echo $? >&2; }} | head -n 1"
    linux = world.sh(script.format("")).ok()
    assert world.sh(script.format("minion run --")).ok().err.split() == linux.err.split() == ["1"]


def test_a_file_that_grows_too_large(world: World) -> None:
    """SIGXFSZ ends the program as it does without a minion."""
    script = "ulimit -f 1; {} dd if=/dev/zero of=large bs=4096 count=9 2>/dev/null; echo $?"
    linux = world.sh(script.format("")).ok().out
    assert world.sh(script.format("minion run --")).ok().out == linux


def folders(world: World) -> list[Path]:
    return [path for path in world.runtime.iterdir() if path.is_dir()]


def test_killed_it_takes_its_program_and_its_folder_along(world: World) -> None:
    run = world.start(MINION, "run", "--", "sh", "-c", "echo there; exec sleep 1000")
    run.until("there")
    assert folders(world)
    run.kill()
    eventually("the program's end", lambda: not world.processes(), SOON_S)
    eventually("no folder left", lambda: not folders(world), SOON_S)


def test_ended_in_order_it_leaves_no_folder(world: World) -> None:
    world.sh("minion run -- true").ok()
    assert not folders(world)
    assert not world.processes()
