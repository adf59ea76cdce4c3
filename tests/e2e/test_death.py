"""kill -9: of the minion, of a client; and what is left of either."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from servers import FileServer, Peer, read_request, sha256
from world import HOST, MINION, SOON_S, World, eventually, wait_exit

Files = tuple[Path, dict[str, str]]
pytestmark = pytest.mark.slow

ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n"
ON = (MINION, "run", "--on", "m", "--")


class Pourer:
    """Sends for ever, and notes how each connection ended."""

    def __init__(self) -> None:
        self.flowing = threading.Semaphore(0)

    def __call__(self, connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(ENDLESS + bytes(1 << 20))
        self.flowing.release()
        while True:
            connection.sendall(bytes(1 << 16))


def kill_minion(world: World, name: str) -> int:
    pid = world.pid_of(name)
    os.kill(pid, signal.SIGKILL)
    wait_exit(pid, 10)
    return pid


@pytest.mark.parametrize("copy", ["dma", "serial"])
def test_clients_of_a_killed_minion_get_an_error(world: World, copy: str) -> None:
    """Every kind of wait ends: reading, writing, connecting, accepting, polling, resolving."""
    world.up("m", "--copy", copy)
    pour = Pourer()
    over = threading.Event()
    with Peer(pour) as peer, Peer(lambda _: over.wait(60)) as silent:
        waits = {
            "recv": "s.recv(1)",
            "send": "\n  while True: s.send(bytes(65536))",
            "sendall": "s.sendall(bytes(500_000_000))",
            "makefile": "s.makefile('rb').read()",
            "select": "select.select([s], [], []); s.recv(1)",
            "poll": "p = select.poll(); p.register(s, select.POLLIN); p.poll(); s.recv(1)",
            "epoll": "p = select.epoll(); p.register(s, select.EPOLLIN); p.poll(); s.recv(1)",
            "accept": "l = socket.create_server(('', 0)); print('ready', flush=True); l.accept()",
            "getsockopt": "\n  while True: s.getsockopt(6, 1)",
        }
        clients = {}
        for name, wait in waits.items():
            code = (
                "import select, socket, sys\n"
                f"s = socket.create_connection(('{HOST}', {silent.port}))\n"
                f"print('ready', flush=True)\ntry: {wait}\n"
                "except OSError as e: sys.exit(type(e).__name__)\n"
                "sys.exit('no error')\n"
            )
            clients[name] = world.start(*ON, "python3", "-c", code)
        for client in clients.values():
            client.until("ready")
        curls = [
            world.start(*ON, "curl", "-sS", "-o", "/dev/null", f"http://{HOST}:{peer.port}/")
            for _ in range(3)
        ]
        for _ in curls:
            assert pour.flowing.acquire(timeout=20)
        kill_minion(world, "m")
        started = time.monotonic()
        for curl in curls:
            result = curl.finish(20)
            assert result.code in (18, 56), result.err
        for name, client in clients.items():
            result = client.finish(20)
            known = ("ConnectionResetError", "BrokenPipeError", "ConnectionAbortedError", "OSError")
            assert result.err.strip() in known, (name, result)
        assert time.monotonic() - started < SOON_S
        over.set()


def test_a_killed_minion_is_replaced(world: World, files: Files, server: FileServer) -> None:
    """The same process, its next socket: a named minion comes back as it was."""
    library = world.library()
    world.up("m", "--ram", "48")
    code = (
        "import sys, urllib.request\n"
        "url = sys.argv[1]\n"
        "def get(): print(len(urllib.request.urlopen(url).read()), flush=True)\n"
        "get(); input(); get()"
    )
    url = f"http://{HOST}:{server.port}/1M"
    client = world.start(
        "python3", "-c", code, url, stdin=True, env={"LD_PRELOAD": library, "MINION": "m"}
    )
    client.until("1000000\n")
    old = kill_minion(world, "m")
    client.say("\n")
    assert client.finish().ok().out == "1000000\n1000000\n"
    status = world.status("m")
    assert status["pid"] != old
    assert status["options"]["ram_mib"] == 48


ACCEPTS = """
import socket
listener = socket.create_server(("127.0.0.1", 80))
print("ready", flush=True)
while True:
    try:
        listener.accept()
    except OSError as error:
        print("accept:", error.strerror, flush=True)
"""


def test_a_server_whose_minion_died_does_not_spin(world: World) -> None:
    """It is told once; what it asks after that waits (in the kernel: it uses no CPU)."""
    world.up("m")
    server = world.start(*ON, "python3", "-c", ACCEPTS)
    server.until("ready")
    python = next(pid for pid, command in world.processes().items() if "listener.accept" in command
                  and " run --on " not in command)  # fmt: skip
    kill_minion(world, "m")
    server.until("accept:")

    def sleeps() -> bool:
        before = Path(f"/proc/{python}/stat").read_text().rpartition(")")[2].split()
        time.sleep(0.2)
        after = Path(f"/proc/{python}/stat").read_text().rpartition(")")[2].split()
        return after[0] == "S" and before[11:13] == after[11:13]  # state; utime and stime

    eventually("its rest", sleeps, SOON_S)
    os.kill(python, signal.SIGKILL)
    result = server.finish()
    assert result.out.count("accept:") <= 2, result.out


def test_a_killed_private_minion_ends_its_program(world: World) -> None:
    """The program sees its connection fail; nobody is left over."""
    pour = Pourer()
    with Peer(pour) as peer:
        run = world.start(MINION, "run", "--", "curl", "-sS", "-o", "/dev/null",
                          f"http://{HOST}:{peer.port}/")  # fmt: skip
        assert pour.flowing.acquire(timeout=20)
        run.kill()
        eventually("the program's end", lambda: not world.processes(), SOON_S)


@pytest.mark.parametrize("copy", ["dma", "serial"])
def test_a_killed_client_leaves_nothing(world: World, copy: str) -> None:
    world.up("m", "--copy", copy)
    pour = Pourer()
    with Peer(pour) as peer:
        for _ in range(3):
            run = world.start(*ON, "curl", "-sS", "-o", "/dev/null", f"http://{HOST}:{peer.port}/")
            assert pour.flowing.acquire(timeout=20)
            assert len(world.status("m")["sockets"]) == 1
            run.kill()
        eventually("no socket left", lambda: not world.status("m")["sockets"], SOON_S)
        eventually("the peer told", lambda: len(peer.errors) == 3, SOON_S)
    status = world.status("m")
    assert len(status["clients"]) == 1  # the one that asks
    assert status["sysproxy"]["sessions"] == 0
    eventually("no TCB left", lambda: world.status("m")["stack"]["tcp"]["connections"] == 0)


def test_the_peer_sees_a_killed_client(world: World) -> None:
    """A client that has read everything: a FIN, as from a kernel."""
    world.up("m")
    ends: list[str] = []
    ready = threading.Event()

    def script(connection: socket.socket) -> None:
        ready.set()
        ends.append("FIN" if not connection.recv(1) else "data")

    with Peer(script) as peer:
        code = f"import socket; s = socket.create_connection(('{HOST}', {peer.port})); s.recv(1)"
        client = world.start(*ON, "python3", "-c", code)
        assert ready.wait(20)
        client.kill()
        eventually("the FIN", lambda: ends == ["FIN"], SOON_S)


def test_a_killed_server_leaves_its_port(world: World, files: Files) -> None:
    world.up("m")
    serve = (*ON, "python3", "-m", "http.server", "80", "--directory", files[0])
    for _ in range(2):
        server = world.start(*serve)
        server.until("Serving HTTP")
        got = world.files / "got"
        world.run(*ON, "curl", "-sS", "-o", got, "http://127.0.0.1/10k").ok()
        assert sha256(got) == files[1]["10k"]
        server.kill()
        eventually("no socket left", lambda: not world.status("m")["sockets"], SOON_S)
    assert world.run(*ON, "curl", "-sS", "http://127.0.0.1/10k").code == 7


def test_the_last_close_counts(world: World) -> None:
    """Parent killed, child still holds the connection: it stays, until the child goes too."""
    world.up("m")
    data: list[bytes] = []
    connected, ended = threading.Event(), threading.Event()

    def script(connection: socket.socket) -> None:
        connected.set()
        while got := connection.recv(100):
            data.append(got)
        ended.set()

    code = (
        "import os, socket, sys\n"
        "s = socket.create_connection(('{}', {}))\n"
        "if os.fork(): os.wait()\n"
        "print('forked', flush=True)\n"
        "line = sys.stdin.readline()\n"
        "s.sendall(b'child'); sys.stdin.readline()\n"
    )
    with Peer(script) as peer:
        parent = world.start(*ON, "python3", "-c", code.format(HOST, peer.port), stdin=True)
        assert connected.wait(20)
        parent.until("forked")
        parent.kill()
        assert len(world.status("m")["sockets"]) == 1
        parent.say("go\n")
        eventually("the child's word", lambda: data == [b"child"], SOON_S)
        assert not ended.is_set()
        parent.say("end\n")
        assert ended.wait(SOON_S)
    eventually("no socket left", lambda: not world.status("m")["sockets"], SOON_S)


def test_down_tells_its_clients(world: World) -> None:
    world.up("m")
    pour = Pourer()
    with Peer(pour) as peer:
        curl = world.start(*ON, "curl", "-sS", "-o", "/dev/null", f"http://{HOST}:{peer.port}/")
        assert pour.flowing.acquire(timeout=20)
        world.minion("down", "m").ok()
        assert curl.finish(20).code in (18, 56)


def test_a_stopped_client_harms_nobody(world: World, files: Files, server: FileServer) -> None:
    """SIGSTOP in mid-transfer: its window closes, others go on; SIGCONT: it goes on too."""
    world.up("m")
    url = f"http://{HOST}:{server.port}/200M"
    first = world.start(*ON, "curl", "-sS", "-o", "slow", "--limit-rate", "100M", url)
    eventually("some of it", lambda: (world.files / "slow").exists(), 20)
    first.signal(signal.SIGSTOP)
    world.run(*ON, "curl", "-sS", "-o", "other", f"http://{HOST}:{server.port}/20M").ok()
    assert sha256(world.files / "other") == files[1]["20M"]
    first.signal(signal.SIGCONT)
    first.finish().ok()
    assert sha256(world.files / "slow") == files[1]["200M"]
