"""Servers on the minion, used from the host and by proxied programs; a Python coroutine as well."""

from __future__ import annotations

import socket
import struct
import time

import pytest
from conftest import Build
from world import MINION, World, eventually, free_port, wait_http

pytestmark = pytest.mark.slow

ECHO = """
async def echo(m, stream):
    while data := await stream.recv(65536):
        await stream.sendall(data)
    stream.close()

async def main(m, argv):
    listener = m.listen(int(argv[1]))
    m.print("listening", argv[1])
    while True:
        m.spawn(echo(m, await listener.accept()))

async def client(m, argv):
    stream = await m.connect(argv[1], int(argv[2]))
    await stream.sendall(b"GET /py HTTP/1.0\\r\\n\\r\\n")
    answer = b""
    while data := await stream.recv(4096):
        answer += data
    m.print(answer.decode().splitlines()[-1])
    return 3

async def udp(m, argv):
    socket = m.udp()
    socket.sendto(b"time", ("127.0.0.1", 37))
    data, peer = await socket.recvfrom()
    m.print(len(data), peer)
    await m.sleep(0.01)

async def fails(m, argv):
    raise RuntimeError("on purpose")
"""


def fetch(world: World, url: str) -> str:
    return world.run("curl", "-sS", url).ok().out.strip()


def test_an_http_server(world: World, build: Build) -> None:
    port = free_port()
    app = world.start(MINION, "app", "-p", f"{port}:80", "--", build("http"))
    app.until("listening")
    assert fetch(world, f"http://127.0.0.1:{port}/a") == "hello /a number 0 from 10.0.2.2"
    assert fetch(world, f"http://127.0.0.1:{port}/b") == "hello /b number 1 from 10.0.2.2"
    fetch(world, f"http://127.0.0.1:{port}/quit")
    assert app.finish().code == 5


@pytest.mark.needs("nc")
def test_an_echo_server_and_nc(world: World, build: Build) -> None:
    port = free_port()
    app = world.start(MINION, "app", "-p", f"{port}:7", "--", build("echo"))
    app.until("listening")
    text = "x" * 100_000
    script = f"printf %s {text} | nc -N 127.0.0.1 {port} | wc -c"
    assert world.sh(script).ok().out.strip() == str(len(text))
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"quit")
        assert sock.recv(10) == b"quit"
    assert app.finish().ok().out == "listening\n"


def test_a_udp_time_server(world: World, build: Build) -> None:
    port = free_port()
    app = world.start(MINION, "app", "-p", f"{port}:37/udp", "--", build("udptime"))
    app.until("up")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        for _ in range(3):
            sock.sendto(b"time", ("127.0.0.1", port))
            (seconds,) = struct.unpack("!I", sock.recv(100))
            assert abs(seconds - 2208988800 - time.time()) < 5  # RFC 868
        sock.sendto(b"quit", ("127.0.0.1", port))
        assert app.finish().code == 0


def test_apps_and_proxied_programs_on_one_minion(world: World, build: Build) -> None:
    (world.files / "pyapps.py").write_text(ECHO)
    port = free_port()
    world.up("m", "-p", f"{port}:80")
    http = world.start(MINION, "app", "--on", "m", "--", build("http"))
    http.until("listening")
    clock = world.start(MINION, "app", "--on", "m", "--", build("udptime"))
    clock.until("up")
    url = "http://127.0.0.1/proxied"
    proxied = world.minion("run", "--on", "m", "--", "curl", "-sS", url).ok().out
    assert proxied == "hello /proxied number 0 from 127.0.0.1\n"
    assert fetch(world, f"http://127.0.0.1:{port}/host") == "hello /host number 1 from 10.0.2.2"
    asked = world.minion("app", "--on", "m", "--", "pyapps:client", "127.0.0.1", "80")
    assert (asked.code, asked.out) == (3, "hello /py number 2 from 127.0.0.1\n")
    told = world.minion("app", "--on", "m", "--", "pyapps:udp").ok()
    assert told.out == "4 ('127.0.0.1', 37)\n"
    apps = {app["name"]: app for app in world.status("m")["apps"]}
    assert apps.keys() == {"http", "udptime"}
    assert apps["http"]["threads"] == 1
    assert apps["http"]["instructions"] > 1000
    assert {"state": "LISTEN", "local": "0.0.0.0:80", "remote": None} in apps["http"]["sockets"]
    assert apps["udptime"]["sockets"] == [{"state": "UDP", "local": "0.0.0.0:37", "remote": None}]
    lines = world.minion("status", "m").ok().out.splitlines()
    assert ["LISTEN", "0.0.0.0:80", "-", "app", "http"] in [line.split() for line in lines]
    clock.signal(15)  # its client goes away: the app ends with it
    clock.finish()
    eventually("only http is left", lambda: len(world.status("m")["apps"]) == 1)
    fetch(world, f"http://127.0.0.1:{port}/quit")
    assert http.finish().code == 5
    eventually("no app is left", lambda: not world.status("m")["apps"])
    assert world.status("m")["internal_errors"] == 0


def test_a_coroutine_as_server(world: World) -> None:
    (world.files / "pyapps.py").write_text(ECHO)
    port = free_port()
    app = world.start(MINION, "app", "-p", f"{port}:7", "--", "pyapps:main", "7")
    app.until("listening 7")
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"there and back")
        assert sock.recv(100) == b"there and back"
    app.signal(15)
    assert app.finish().code == 143


def test_a_coroutine_whose_output_nobody_reads(world: World) -> None:
    """The others go on; what was printed is there in the end."""
    (world.files / "pyapps.py").write_text(
        "async def main(m, argv):\n"
        "    for n in range(20_000):\n"
        "        m.print('line', n, 'x' * 20)\n"
    )
    world.up("m")
    app = world.start(MINION, "app", "--on", "m", "--", "pyapps:main")
    eventually("it has ended", lambda: world.status("m")["apps"] == [])
    lines = app.finish().ok().out.splitlines()
    assert len(lines) == 20_000
    assert lines[-1] == f"line 19999 {'x' * 20}"


def test_a_coroutine_that_fails(world: World) -> None:
    (world.files / "pyapps.py").write_text(ECHO)
    world.up("m")
    world.internal_errors_wanted = True
    assert world.minion("app", "--on", "m", "--", "pyapps:fails").code == 1
    assert "on purpose" in world.log("m")


@pytest.mark.parametrize("copy", ["app", "proxy"])
def test_an_endless_loop_does_not_stop_the_network(world: World, build: Build, copy: str) -> None:
    port = free_port()
    world.up("m", "-p", f"{port}:80")
    if copy == "app":
        server = world.start(MINION, "app", "--on", "m", "--", build("http"))
        server.until("listening")
    else:
        server = world.start(MINION, "run", "--on", "m", "--", "python3", "-m", "http.server", "80")
    spinner = world.start(MINION, "app", "--on", "m", "--", build("faults"), "spin")
    eventually(
        "the loop runs",
        lambda: any(a["instructions"] > 100_000 for a in world.status("m")["apps"]),
        30,
    )
    wait_http(port)
    for _ in range(5):
        assert world.run("curl", "-sS", f"http://127.0.0.1:{port}/").ok().out
    spinner.signal(15)
    spinner.finish()
    eventually("the loop has ended", lambda: all(a["name"] != "faults" for a in
                                                 world.status("m")["apps"]))  # fmt: skip
