"""redis-server, redis-cli and redis-benchmark: an epoll server, pipelines, many small requests."""

from __future__ import annotations

import pytest
from world import HOST, MINION, Program, World, free_port

pytestmark = [pytest.mark.slow, pytest.mark.needs("redis-server", "redis-cli", "redis-benchmark")]


def start(world: World, *where: str, port: int) -> Program:
    server = world.start(
        *where, "redis-server", "--port", str(port), "--save", "", "--appendonly", "no",
        "--bind", "0.0.0.0", "--protected-mode", "no", "--daemonize", "no",
    )  # fmt: skip
    server.until("Ready to accept connections")
    return server


@pytest.mark.lines
def test_server_and_client_on_one_minion(world: World) -> None:
    world.up("m")
    on = (MINION, "run", "--on", "m", "--")
    server = start(world, *on, port=6379)
    cli = (*on, "redis-cli")
    assert world.run(*cli, "set", "key", "value").ok().out == "OK\n"
    assert world.run(*cli, "get", "key").ok().out == "value\n"
    assert world.run(*cli, "-2", "hello", "9").out.startswith("NOPROTO")
    requests = "20000" if world.line == "dma" else "2000"
    bench = world.run(
        *on, "redis-benchmark", "-n", requests, "-c", "50", "-t", "set,get", "-P", "4", "--csv"
    )
    rows = bench.ok().out.splitlines()
    assert [row.split(",")[0] for row in rows[-2:]] == ['"SET"', '"GET"']
    assert "value\n" in world.run(*cli, "get", "key").ok().out
    assert world.run(*cli, "shutdown", "nosave").code == 0
    assert server.finish().code == 0


def test_the_server_published_to_the_host(world: World) -> None:
    """Client on the host's kernel, server on a private minion."""
    port = free_port()
    start(world, MINION, "run", "-p", f"{port}:6379", "--", port=6379)
    bench = world.run(
        "redis-benchmark", "-p", str(port), "-n", "2000", "-c", "20", "-t", "ping,lrange_100", "-q"
    ).ok()
    assert "LRANGE_100" in bench.out


def test_the_client_towards_the_host(world: World) -> None:
    port = free_port()
    start(world, port=port)
    bench = world.minion(
        "run", "--", "redis-benchmark", "-h", HOST, "-p", str(port), "-n", "2000", "-c", "20",
        "-t", "set,get,mset", "-q", "-d", "1000",
    ).ok()  # fmt: skip
    assert "MSET" in bench.out


@pytest.mark.lines
def test_publish_and_subscribe(world: World) -> None:
    """A connection that only listens, for as long as it lives."""
    world.up("m")
    on = (MINION, "run", "--on", "m", "--")
    start(world, *on, port=6379)
    listener = world.start(*on, "redis-cli", "subscribe", "news")
    listener.until("subscribe")
    listener.until("1")
    assert world.run(*on, "redis-cli", "publish", "news", "hello").ok().out.strip() == "1"
    listener.until("hello")
