"""wget, nc and ssh-like tools: whatever is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import FileServer, sha256
from world import HOST, MINION, World, free_port, wait_port

pytestmark = [pytest.mark.slow, pytest.mark.lines]
Files = tuple[Path, dict[str, str]]


@pytest.mark.needs("wget")
def test_wget(world: World, files: Files, server: FileServer) -> None:
    got = world.files / "got"
    run = ("run", "--", "wget", "-q", "--tries=1", "-O", got)
    world.minion(*run, f"http://{HOST}:{server.port}/{world.big}").ok()
    assert sha256(got) == files[1][world.big]
    assert world.minion(*run, f"http://{HOST}:{server.port}/none").code == 8
    assert world.minion(*run, f"http://{HOST}:{free_port()}/").code == 4


@pytest.mark.needs("nc")
def test_nc(world: World) -> None:
    port = free_port()
    server = world.start(
        MINION, "run", "-p", f"{port}:9", "--", "nc", "-l", "-p", "9", stdin=True
    )  # fmt: skip
    wait_port(port)
    server.close()


@pytest.mark.needs("ab")
def test_ab_towards_the_host(world: World, server: FileServer) -> None:
    url = f"http://{HOST}:{server.port}/10k"
    count = 50 if world.line == "noisy" else 500
    out = world.minion("run", "--", "ab", "-q", "-n", str(count), "-c", "10", url).ok().out
    assert f"Complete requests:      {count}\n" in out
    assert "Failed requests:        0\n" in out


@pytest.mark.needs("bash")
def test_bashs_dev_tcp(world: World, server: FileServer) -> None:
    script = (
        f"exec 3<>/dev/tcp/{HOST}/{server.port}; "
        "printf 'GET /none HTTP/1.0\\r\\n\\r\\n' >&3; head -1 <&3"
    )
    assert " 404 " in world.minion("run", "--", "bash", "-c", script).ok().out
