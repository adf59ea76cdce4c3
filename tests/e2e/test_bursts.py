"""Thousands of connections that begin and end at once fit through a TAP: no frame is dropped."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterator

import pytest
from networks import network
from world import MINION, World, eventually

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "PYTEST_XDIST_WORKER" in os.environ, reason="needs the machine for itself: make bursts"
    ),
]
COUNT = 3000
FILES = 2 * COUNT + 200
"""A minion holds both ends of a channel while its socket connects."""

SERVER = """
import select, socket, sys
listener = socket.create_server((sys.argv[1], 0), backlog=1024)
print("port", listener.getsockname()[1], flush=True)
epoll, open_ = select.epoll(), {}
epoll.register(listener, select.EPOLLIN)
while True:
    for fd, _ in epoll.poll():
        if fd == listener.fileno():
            child = listener.accept()[0]
            open_[child.fileno()] = child
            epoll.register(child, select.EPOLLIN)
        else:
            epoll.unregister(fd)  # its end, or its reset
            open_.pop(fd).close()
"""
CLIENT = """
import errno, select, socket, sys
socks = []
for _ in range(int(sys.argv[3])):
    sock = socket.socket()
    sock.setblocking(False)
    assert sock.connect_ex((sys.argv[1], int(sys.argv[2]))) == errno.EINPROGRESS
    socks.append(sock)
    if len(socks) % 500 == 0:  # as many as the server's kernel takes before it accepts
        for sock in socks[-500:]:
            poll = select.poll()
            poll.register(sock, select.POLLOUT)
            assert poll.poll(60000)[0][1] == select.POLLOUT
print("connected", flush=True)
sys.stdin.readline()
for sock in socks:
    sock.close()
"""


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        pytest.skip(f"a process may have {hard} descriptors here, and {FILES} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("how", ["closed", "killed"])
def test_all_at_once_over_a_tap(world: World, many_files: None, how: str) -> None:
    net = network("tap")
    world.minion("up", "m", *net.options).ok()
    server = world.start("python3", "-c", SERVER, net.bind)
    port = server.until("port ").split()[-1]
    run = (MINION, "run", "--on", "m", "--", "python3", "-c", CLIENT, net.host, port, str(COUNT))
    client = world.start(*run, stdin=True)
    client.until("connected", 120)
    status = world.status("m")
    assert status["stack"]["tcp"]["connections"] == COUNT
    assert status["board"]["netdev"]["tx_dropped"] == 0
    if how == "closed":
        client.say("\n")
        client.finish(60).ok()
    else:
        os.killpg(client.pid, signal.SIGKILL)

    def over() -> bool:
        return world.status("m")["stack"]["tcp"]["connections"] == 0

    eventually("no connection left", over, 60)
    assert world.status("m")["board"]["netdev"]["tx_dropped"] == 0
    server.kill()
