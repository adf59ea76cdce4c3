"""haproxy: a master that starts itself again at each reload, workers that are chrooted and another
user's, listeners that go from one worker to the next, and checks of what is behind it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from daemons import as_root, on_minion
from servers import FileServer, sha256
from world import HOST, Program, World, eventually, free_port, wait_http

pytestmark = [pytest.mark.slow, as_root, pytest.mark.needs("haproxy", "curl")]

CONFIG = """
global
    chroot {dir}/jail
    user nobody
    group nogroup
    stats socket {dir}/sock mode 600 expose-fd listeners
    hard-stop-after 20s
defaults
    mode http
    timeout connect 10s
    timeout client 30s
    timeout server 30s
frontend web
    bind :80
    http-request return status 200 content-type text/plain string {version} if {{ path /version }}
    default_backend files
backend files
    server one {host}:{port} check inter 100ms
"""


@pytest.fixture
def config(world: World) -> Path:
    (world.files / "jail").mkdir()
    return world.files / "haproxy.cfg"


def write(config: Path, version: str, server: FileServer) -> None:
    config.write_text(
        CONFIG.format(dir=config.parent, version=version, host=HOST, port=server.port)
    )


def start(world: World, config: Path) -> tuple[Program, int]:
    """With the port where the host finds it."""
    port = free_port()
    world.up("m", "-p", f"{port}:80")
    pid_file = world.files / "pid"
    haproxy = on_minion(world, "m", "haproxy", "-W", "-db", "-p", pid_file, "-f", config)
    wait_http(port, "/version")
    return haproxy, port


def test_chrooted_workers_and_a_reload(
    world: World, files: tuple[Path, dict[str, str]], server: FileServer, config: Path
) -> None:
    write(config, "before", server)
    haproxy, port = start(world, config)
    master = int((world.files / "pid").read_text())
    got, slow = world.files / "got", world.files / "slow"
    address = f"http://127.0.0.1:{port}"
    curl = ("curl", "-sSf", "-m", "30")

    def version() -> str:
        return world.run(*curl, f"{address}/version").ok().out

    assert version() == "before"
    world.run(*curl, "-o", got, f"{address}/1M").ok()
    assert sha256(got) == files[1]["1M"]
    under_way = world.start(*curl, "--limit-rate", "1M", "-o", slow, f"{address}/1M")
    eventually("a transfer under way", lambda: slow.exists() and slow.stat().st_size)
    write(config, "after", server)
    os.kill(master, signal.SIGUSR2)
    eventually("the new worker's answer", lambda: version() == "after")  # and no request fails
    under_way.finish(60).ok()
    assert sha256(slow) == files[1]["1M"]
    world.run(*curl, "-o", got, f"{address}/1M").ok()
    assert sha256(got) == files[1]["1M"]
    os.kill(master, signal.SIGTERM)
    said = haproxy.finish(20).err
    assert "is DOWN" not in said, said
    assert not world.status("m")["internal_errors"]


def test_it_notices_what_is_behind_it(
    world: World, files: tuple[Path, dict[str, str]], server: FileServer, config: Path
) -> None:
    """A worker that has been locked in opens a socket for each check."""
    write(config, "v", server)
    _, port = start(world, config)

    def code() -> str:
        asked = f"http://127.0.0.1:{port}/10k"
        return (
            world.run("curl", "-sS", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}", asked)
            .ok()
            .out
        )

    assert code() == "200"
    number = server.port
    server.close()
    eventually("503, once checks have failed", lambda: code() == "503")
    again = FileServer(files[0], port=number)
    try:
        eventually("200, once checks pass", lambda: code() == "200")
    finally:
        again.close()
