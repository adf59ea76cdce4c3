"""Python's own servers and clients, with LD_PRELOAD and by `import minionsocket`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from servers import FileServer
from world import HOST, MINION, World, free_port

pytestmark = pytest.mark.slow
Files = tuple[Path, dict[str, str]]
WAYS = pytest.mark.parametrize("way", ["preload", "import"])

URLLIB = """
import hashlib, sys, urllib.error, urllib.request
print(hashlib.sha256(urllib.request.urlopen(sys.argv[1]).read()).hexdigest())
try:
    urllib.request.urlopen(sys.argv[1] + "none")
except urllib.error.HTTPError as error:
    print(error.code)
with open(sys.argv[2], "rb") as file:
    data = file.read()
request = urllib.request.Request(sys.argv[1], data=data, method="PUT")
print(urllib.request.urlopen(request).read().decode())
"""

ASYNCIO = """
import asyncio, hashlib, sys

async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()

async def talk(number):
    reader, writer = await asyncio.open_connection("127.0.0.1", 7000)
    sent = hashlib.sha256(str(number).encode()).digest() * 10000
    async def send():
        writer.write(sent)
        await writer.drain()
        writer.write_eof()
    sending = asyncio.create_task(send())
    got = await reader.read(-1)
    await sending
    writer.close()
    await writer.wait_closed()
    return got == sent

async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 7000)
    async with server:
        print(await asyncio.gather(*(talk(number) for number in range(20))) == [True] * 20)
    try:
        await asyncio.open_connection("127.0.0.1", 7001)
    except ConnectionRefusedError as error:
        print(error.errno)
    try:
        await asyncio.wait_for(asyncio.open_connection("localhost", 7000), 5)
    except OSError as error:
        print(type(error).__name__)

asyncio.run(main())
"""

THREADS = """
import socketserver, socket, threading

class Upper(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line.upper())

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

with Server(("127.0.0.1", 7000), Upper) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    def talk(number):
        with socket.create_connection(("127.0.0.1", 7000)) as sock, sock.makefile("rw") as file:
            for line in range(50):
                file.write(f"line {number} {line}\\n")
                file.flush()
                assert file.readline() == f"LINE {number} {line}\\n"
            done.append(number)
    done = []
    threads = [threading.Thread(target=talk, args=(n,)) for n in range(16)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    print(sorted(done) == list(range(16)))
    server.shutdown()
"""


def program(world: World, way: str, code: str, *args: str | Path) -> tuple[str | Path, ...]:
    if way == "preload":
        return MINION, "run", "--", "python3", "-c", code, *args
    world.up("default")
    return sys.executable, "-c", f"import minionsocket\n{code}", *args


@WAYS
def test_urllib(world: World, files: Files, server: FileServer, way: str) -> None:
    url = f"http://{HOST}:{server.port}/20M"
    argv = program(world, way, URLLIB, url, files[0] / "1M")
    assert world.run(*argv).ok().out.split() == [files[1]["20M"], "404", files[1]["1M"]]


@WAYS
def test_asyncio(world: World, way: str) -> None:
    out = world.run(*program(world, way, ASYNCIO)).ok().out
    assert out.split() == ["True", "111", "ConnectionRefusedError"]


@WAYS
def test_socketserver_in_threads(world: World, way: str) -> None:
    assert world.run(*program(world, way, THREADS)).ok().out == "True\n"


@WAYS
def test_http_server(world: World, files: Files, way: str) -> None:
    port = free_port()
    serve = ("-m", "http.server", "80", "--directory", files[0])
    if way == "preload":
        argv: tuple[str | Path, ...] = (
            MINION, "run", "-p", f"{port}:80", "--", "python3", *serve,
        )  # fmt: skip
    else:
        world.up("default", "-p", f"{port}:80")
        code = (
            "import minionsocket, runpy, sys; sys.argv[1:] = sys.argv[1:]; "
            "runpy.run_module('http.server', run_name='__main__')"
        )
        argv = (sys.executable, "-c", code, *serve[2:])
    running = world.start(*argv)
    running.until("Serving HTTP")
    got = world.run("sh", "-c", f"curl -sS http://127.0.0.1:{port}/20M | sha256sum").ok().out
    assert got.split()[0] == files[1]["20M"]
