"""The main ways, as somebody without privileges: nothing of them needs root."""

from __future__ import annotations

from pathlib import Path

import pytest
from servers import FileServer, sha256
from world import HOST, MINION, World, free_port, wait_exit, wait_http

Files = tuple[Path, dict[str, str]]
pytestmark = pytest.mark.slow


def test_a_private_minion(user_world: World, files: Files, server: FileServer) -> None:
    got = user_world.files / "got"
    url = f"http://{HOST}:{server.port}/20M"
    user_world.minion("run", "--", "curl", "-sS", "-o", got, url).ok()
    assert sha256(got) == files[1]["20M"]


def test_automatic_start_and_the_bare_name(
    user_world: World, files: Files, server: FileServer
) -> None:
    url = f"http://{HOST}:{server.port}/1M"
    user_world.sh(f"LD_PRELOAD=$(minion lib) curl -sS -o one {url}").ok()
    user_world.sh(f'eval "$(minion env)"; LD_PRELOAD=libminion.so curl -sS -o two {url}').ok()
    for name in ("one", "two"):
        assert sha256(user_world.files / name) == files[1]["1M"]
    assert user_world.status("default")["stack"]["tcp"]["active_opens"] == 2


def test_a_published_server(user_world: World) -> None:
    (user_world.files / "page").write_text("hello")
    port = free_port()
    server = user_world.start(
        MINION, "run", "-p", f"{port}:80", "--",
        "/usr/bin/python3", "-m", "http.server", "80", "--directory", user_world.files,
    )  # fmt: skip
    server.until("Serving HTTP")
    wait_http(port)
    assert user_world.run("curl", "-sS", f"http://127.0.0.1:{port}/page").ok().out == "hello"


def test_a_long_lived_minion(user_world: World, files: Files, server: FileServer) -> None:
    user_world.up("web")
    url = f"http://{HOST}:{server.port}/1M"
    user_world.minion("run", "--on", "web", "--", "curl", "-sS", "-o", "got", url).ok()
    assert sha256(user_world.files / "got") == files[1]["1M"]
    assert "web" in user_world.minion("status").ok().out
    pid = user_world.pid_of("web")
    user_world.minion("down", "web").ok()
    wait_exit(pid, 10)


def test_a_port_below_1024_is_free_on_the_minion(user_world: World) -> None:
    code = "import socket; s = socket.create_server(('0.0.0.0', 80)); print('bound')"
    assert user_world.minion("run", "--", "/usr/bin/python3", "-c", code).ok().out == "bound\n"
