"""Commands whose standard streams the shell has closed."""

from __future__ import annotations

import pytest
from world import World


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("command", ["status", "lib", "env", "down nobody", "logs nobody"])
def test_nothing_to_write_to(world: World, command: str, closed: str) -> None:
    """A traceback would be found by World."""
    code = world.sh(f"minion {command}").code
    assert world.sh(f"minion {command} {closed}").code == code


def test_a_command_finds_closed_what_was_closed(world: World) -> None:
    """What takes the place of a closed stream is minion's alone."""
    probe = "test -e /proc/self/fd/1; echo $? >&2"
    result = world.sh(f"minion run -- sh -c '{probe}' >&-")
    assert (result.code, result.err.split()) == (0, ["1"])
