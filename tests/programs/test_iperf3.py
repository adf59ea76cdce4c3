"""iperf3 in both roles and both directions: bulk, and a control connection beside it."""

from __future__ import annotations

import json

import pytest
from world import HOST, MINION, World, free_port

pytestmark = [pytest.mark.slow, pytest.mark.needs("iperf3")]
LENGTH = ("-n", "50M", "-J")


def check(output: str) -> None:
    report = json.loads(output)
    assert "error" not in report, report["error"]
    # The end is told on another connection: what is still under way then is not counted
    assert report["end"]["sum_received"]["bytes"] > 30e6


@pytest.mark.parametrize("reverse", [(), ("-R",)])
@pytest.mark.parametrize("streams", ["1", "4"])
def test_client_on_the_minion(world: World, reverse: tuple[str, ...], streams: str) -> None:
    port = str(free_port())
    server = world.start("iperf3", "-s", "-1", "-p", port, "--forceflush")
    server.until("listening")
    run = ("run", "--", "iperf3", "-c", HOST, "-p", port, "-P", streams)
    check(world.minion(*run, *LENGTH, *reverse).ok().out)
    assert server.finish().code == 0


@pytest.mark.parametrize("reverse", [(), ("-R",)])
def test_server_on_the_minion(world: World, reverse: tuple[str, ...]) -> None:
    port = str(free_port())
    server = world.start(
        MINION, "run", "-p", f"{port}:5201", "--", "iperf3", "-s", "--forceflush"
    )  # fmt: skip
    server.until("listening")
    check(world.run("iperf3", "-c", "127.0.0.1", "-p", port, *LENGTH, *reverse).ok().out)


def test_both_on_one_minion(world: World) -> None:
    world.up("m")
    on = (MINION, "run", "--on", "m", "--")
    server = world.start(*on, "iperf3", "-s", "-1", "--forceflush")
    server.until("listening")
    check(world.run(*on, "iperf3", "-c", "127.0.0.1", *LENGTH).ok().out)
    assert server.finish().code == 0
