"""minion app --trace: a line for each system call, and for what coroutines ask."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from conftest import Build
from world import World

from minion.app.calls.describe import AFTER, BEFORE
from minion.app.calls.process import CLONE
from minion.app.calls.signatures import SIGNATURES
from minion.app.calls.table import TABLE

LINE = re.compile(r" *\d+ app   (.*)")
LINUX = {"fstatat": "newfstatat", "sync": "fsync", "exit_thread": "exit"}
"""Where our functions do not have the names of Linux's calls."""
SHARED = {"zero", "one", "nothing", "no_child", "read_only", "getpid", "faccessat"}

CALLS = r"""
1 openat(AT_FDCWD, "/etc/hosts", 0x80000) = 3
1 readv(3, "127.0.0.1 localhost\n", 2) = 20
1 openat(AT_FDCWD, "/no/\"such\"", 0) = -1 ENOENT
1 openat(9, 0x1, 0) = -1 EFAULT
1 write(1, "a\tb\n", 4) = 4
1 write(1, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"..., 64) = 64
1 write(1, 0x10, 4) = -1 EFAULT
1 syscall_999(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS
1 socket(AF_INET, SOCK_STREAM, 0) = 4
1 connect(4, 127.0.0.1:7) = -1 ECONNREFUSED
1 socket(AF_INET, SOCK_DGRAM, 0) = 5
1 bind(5, 127.0.0.1:7) = 0
1 getsockname(5, 127.0.0.1:7) = 0
1 sendto(5, "ping", 4, 0, 127.0.0.1:7) = 4
1 ppoll([5 IN], 1, 1.5s) = 1
1 epoll_create1(0) = 6
1 epoll_ctl(6, ADD, 5, {IN|ET, 0xabc}) = 0
1 epoll_pwait(6, [{IN, 0xabc}], 1, -1) = 1
1 recvfrom(5, "ping", 64, 0, 127.0.0.1:7) = 4
1 pipe2([7, 8], 0) = 0
2 read(7, "late", 8) = 4
1 exit_group(3) = ?
2 ppoll([], 0, NULL) = ?
1 ends, status 3
"""
COROUTINE = """
async def main(m, argv):
    listener = m.listen(7)
    m.spawn(serve(listener))
    stream = await m.connect("127.0.0.1", 7)
    await stream.sendall(b"hello")
    while await stream.recv(100):
        pass
    try:
        await m.connect("127.0.0.1", 8)
    except OSError:
        pass
    return 4

async def serve(listener):
    stream = await listener.accept()
    await stream.recv(100)
    stream.close()
    await listener.accept()
"""
ASKED = """
m.listen(7) = listener1
m.spawn(serve())
m.connect("127.0.0.1", 7) = stream1
stream1.sendall("hello" (5 bytes))
listener1.accept() = stream2
stream2.recv(100) = "hello" (5 bytes)
stream2.close()
m.connect("127.0.0.1", 8) = -1 ECONNREFUSED
listener1.accept() = ?
ends, status 4
"""


def lines_of(text: str, name: str) -> list[str]:
    found = [match[1] for match in map(LINE.fullmatch, text.splitlines()) if match]
    assert all(line.startswith(name) for line in found)
    return [line.removeprefix(name) for line in found]


def in_order(wanted: str, found: list[str]) -> Iterator[str]:
    """Of what is wanted, what does not come, or not where it should."""
    rest = iter(found)
    return (line for line in wanted.strip().splitlines() if line not in rest)


@pytest.mark.slow
def test_system_calls(world: World, build: Build) -> None:
    found = world.minion("app", "--trace", "--", build("traced"))
    assert found.code == 3
    assert found.out == "a\tb\n" + 64 * "x"
    lines = lines_of(found.err, "traced:")
    assert list(in_order(CALLS, lines)) == [], "\n".join(lines)
    assert " nic   " in found.err
    silent = world.minion("app", "--", build("traced"))
    assert silent.err == "traced: system call 999 is not there (ENOSYS)\n"


@pytest.mark.slow
def test_coroutines(world: World) -> None:
    (world.files / "talk.py").write_text(COROUTINE)
    found = world.minion("app", "--trace", "--", "talk:main")
    assert found.code == 4
    lines = lines_of(found.err, "talk:main ")
    assert list(in_order(ASKED, lines)) == [], "\n".join(lines)


def test_every_call_has_a_name() -> None:
    assert TABLE.keys() | {CLONE} <= SIGNATURES.keys()
    for number, function in TABLE.items():
        name, *kinds = SIGNATURES[number].split()
        ours = function.__name__
        assert ours in SHARED or name == LINUX.get(ours, ours)
        assert len(kinds) <= 6
        assert {*kinds} <= {*BEFORE, *AFTER, "-"}
    names = [text.split()[0] for text in SIGNATURES.values()]
    assert len({*names}) == len(names)
