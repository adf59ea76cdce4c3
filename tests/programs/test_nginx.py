"""nginx with two workers and sendfile: one listening socket in several processes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from servers import sha256
from world import MINION, Program, World, free_port, wait_http

pytestmark = [pytest.mark.slow, pytest.mark.needs("nginx", "curl")]
Files = tuple[Path, dict[str, str]]

CONFIG = """
daemon off;
worker_processes 2;
pid {dir}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    server {{
        listen {port};
        root {root};
        location = /worker {{ return 200 "$pid"; }}
    }}
    server {{
        listen 8081;
        location / {{ proxy_pass http://127.0.0.1:{port}; }}
    }}
}}
"""


def start(world: World, root: Path, port: int) -> Program:
    folder = world.files / "nginx"
    folder.mkdir(exist_ok=True)
    if world.user is not None:
        os.chown(folder, world.user.uid, world.user.gid)
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(dir=folder, port=port, root=root))
    return world.start(
        MINION, "run", "--on", "m", "--",
        "nginx", "-p", folder, "-c", config, "-e", "stderr",
        env={"PATH": os.environ.get("PATH", "") + ":/usr/sbin"},
    )  # fmt: skip


def serve_everything(world: World, files: Files) -> None:
    folder, hashes = files
    port = free_port()
    world.up("m", "-p", f"{port}:80")
    nginx = start(world, folder, 80)
    wait_http(port, "/worker")
    got = world.files / "got"
    for name in ("1M", "20M"):
        world.run("curl", "-sS", "-m", "30", "-o", got, f"http://127.0.0.1:{port}/{name}").ok()
        assert sha256(got) == hashes[name]
    curls = [
        world.start("curl", "-sS", "-m", "30", "-o", world.files / f"got{n}",
                    f"http://127.0.0.1:{port}/1M")
        for n in range(8)
    ]  # fmt: skip
    for number, curl in enumerate(curls):
        curl.finish().ok()
        assert sha256(world.files / f"got{number}") == hashes["1M"]
    workers = {
        world.run("curl", "-sS", "-m", "30", f"http://127.0.0.1:{port}/worker").ok().out
        for _ in range(8)
    }
    assert workers
    proxied = ("run", "--on", "m", "--", "curl", "-sSf", "-m", "30", "-o", got)
    world.minion(*proxied, "http://127.0.0.1:8081/1M").ok()  # through nginx as its own client
    assert sha256(got) == hashes["1M"]
    nginx.popen.terminate()
    result = nginx.finish(10)
    assert result.code == 0
    assert not re.search(r"\[(error|crit|alert|emerg)\]", result.err), result.err
    assert not world.status("m")["internal_errors"]


def test_nginx_as_a_plain_user(user_world: World, files: Files) -> None:
    serve_everything(user_world, files)


def test_nginx_as_root(world: World, files: Files) -> None:
    """Its workers drop to www-data, which cannot reach the folder with the control socket."""
    if os.getuid():
        pytest.skip("needs root")
    serve_everything(world, files)


@pytest.mark.needs("nginx", "ab")
def test_ab_against_nginx(user_world: World, files: Files) -> None:
    """Client and server on one minion, 20 connections at a time."""
    world = user_world
    port = free_port()
    world.up("m", "-p", f"{port}:80")
    start(world, files[0], 80)
    wait_http(port, "/worker")
    on = ("run", "--on", "m", "--", "ab", "-q", "-n", "1000", "-c", "20")
    for more in ((), ("-k",)):
        out = world.minion(*on, *more, "http://127.0.0.1/10k").ok().out
        assert re.search(r"Complete requests: +1000\n", out), out
        assert re.search(r"Failed requests: +0\n", out), out
        assert "Non-2xx" not in out
