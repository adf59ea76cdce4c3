"""Every socket option, host against minion: value, bounds and errno in every state.

The host's kernel is the oracle; what may differ is in EXCEPT, with its reason, and docs/options.md
says the same in words.  An option that this kernel does not know is left out, and named.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from world import MINION, World

SCRIPT = str(Path(__file__).with_name("option_values.py"))
STATES = (
    "fresh", "bound", "listening", "connecting", "connected", "accepted", "peer_closed",
    "was_reset", "inherited",
)  # fmt: skip
Key = tuple[str, int]

VALUES: dict[Key, str] = {
    ("socket", 7): "buffers have other sizes until they are set",
    ("socket", 8): "as SO_SNDBUF",
    ("socket", 28): "another port",
    ("socket", 42): "accept() uses up a listener's SO_PEEK_OFF",
    ("socket", 49): "which CPU it was",
    ("socket", 55): "memory in use",
    ("socket", 57): "a number of its own",
    ("socket", 71): "a number of its own",
    ("ip", 14): "another MTU",
    ("tcp", 2): "another MSS; no timestamps in segments",
    ("tcp", 10): "buffers have other sizes",
    ("tcp", 11): "what the connection has done",
    ("tcp", 13): "this stack has reno, and no other",
    ("tcp", 24): "what time it is",
}
"""Options whose values differ; their errnos do not."""

OWED = ("tcp", 12)
"""TCP_QUICKACK: an even value counts while an acknowledgement is owed; of a FIN, Linux owes one."""

EXCEPT: dict[Key, str] = {
    ("ip", 52): "Linux tells the port here, as long as it is held",
    ("tcp", 26): "reno has nothing to tell",
    ("socket", 50): "no BPF program is attached: EINVAL, whatever the descriptor",
    ("socket", 52): "as SO_ATTACH_BPF",
    ("socket", 80): "device memory",
    ("tcp", 19): "no repair: EPERM, as without CAP_NET_ADMIN",
    ("tcp", 42): "repair of TCP-AO",
}
"""Options that differ."""


def answers(output: str) -> dict[str, str]:
    """By what was done: what was answered."""
    lines = (line.split(": ", 1) for line in output.splitlines())
    return {line[0]: line[1] for line in lines}


def key_of(done: str) -> Key:
    _state, level, number, *_ = done.split(" ")
    return level, int(number)


def without_numbers(answer: str) -> list[str]:
    """Errnos stay; values are "value", which may be none."""
    return [part if part.isupper() or part == "ok" else "value" for part in answer.split(" ")]


def unknown_here(host: dict[str, str]) -> set[Key]:
    """What this kernel has no option for."""
    known = {
        key_of(done)
        for done, answer in host.items()
        if " set " in done and not answer.startswith(("ENOPROTOOPT", "EINVAL"))
    }
    known |= {
        key_of(done)
        for done, answer in host.items()
        if " get/" in done and answer not in ("ENOPROTOOPT", "EINVAL")
    }
    return {key_of(done) for done in host} - known


@pytest.mark.slow
@pytest.mark.parametrize("state", STATES)
def test_options_are_answered_as_the_host_answers(world: World, state: str) -> None:
    host = answers(world.run("python3", SCRIPT, state).ok().out)
    minion = answers(world.run(MINION, "run", "--", "python3", SCRIPT, state).ok().out)
    assert host.keys() == minion.keys()
    left_out = unknown_here(host)
    print("not options of this kernel:", sorted(left_out))
    differ = []
    for done, expected in host.items():
        key = key_of(done)
        if key in EXCEPT or (key in left_out and minion[done] != expected):
            continue
        got = minion[done]
        if key in VALUES or (state == "peer_closed" and key == OWED):
            same = without_numbers(got) == without_numbers(expected)
        else:
            same = got == expected
        if not same:
            differ.append(f"{done}: {expected} on the host, {got} here")
    assert not differ, "\n".join(differ[:40])
