"""Files of apps without an app: who keeps them open, epoll, the host's descriptors, clients."""

from __future__ import annotations

import os
import pty
import socket
import struct
import tempfile
import termios
from collections.abc import Callable
from errno import EINVAL, ELOOP, EMFILE
from itertools import pairwise
from pathlib import Path

import pytest

from hypercalls.host.reactor import Reactor
from minion.app.calls.files import TCSETS
from minion.app.calls.polling import EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EpollFile
from minion.app.files import FILES_MAX, POLLIN, BytesFile, EventFile, File, FileTable, Pipe
from minion.cli.hostfile import TCGETS, HostFile, Output
from minion.cli.streams import Line
from minion.driver import abi
from minion.driver.control import AppDone, ControlServer
from minion.sysproxy.operations import Op

IN, ET, ONESHOT = 1, 1 << 31, 1 << 30


# -- descriptors


class Counted(File):
    closed = 0

    def close(self) -> None:
        self.closed += 1


def test_a_file_is_closed_once_by_the_last_one() -> None:
    table, file = FileTable(), Counted()
    assert table.add(file) == 0
    table.put(5, file)
    file.hold()  # a call that waits
    table.close(0)
    table.put(5, Counted())
    assert not file.closed
    file.release()
    assert file.closed == 1
    again = Counted()
    table.put(5, again)
    table.put(5, again)
    assert not again.closed
    table.close_all()
    assert not len(table)


def test_too_many() -> None:
    table = FileTable()
    for _ in range(FILES_MAX):
        table.add(File())
    file = Counted()
    for call in (lambda: table.add(file), table.check_room):
        with pytest.raises(OSError, match="too many") as caught:
            call()
        assert caught.value.errno == EMFILE
    assert file.closed == 1


def test_a_closed_end_of_a_pipe_that_is_still_read() -> None:
    table, pipe = FileTable(), Pipe()
    one, two = table.add(pipe.reader), table.add(pipe.writer)
    pipe.reader.hold()
    table.close(one)
    assert table.get(two).write(b"abc") == 3
    assert pipe.reader.read(10) == b"abc"
    pipe.reader.release()
    with pytest.raises(OSError, match="nobody reads"):
        table.get(two).write(b"abc")


def test_seeking() -> None:
    file = BytesFile(b"0123456789")
    assert file.seek(-3, 2) == 7
    assert file.seek(1, 1) == 8
    assert file.read(100) == b"89"
    for offset, whence in ((-1, 0), (-11, 1), (0, 3), (0, 0xFFFF_FFFF)):
        with pytest.raises(OSError, match="bad offset"):
            file.seek(offset, whence)
    assert file.pread(5, 1 << 63) == b""


# -- epoll


def opened(file: File) -> File:
    file.hold()
    return file


def test_edges_and_one_shots() -> None:
    epoll, event = EpollFile(), EventFile(0, False)
    opened(event)
    epoll.control(EPOLL_CTL_ADD, 3, event, IN | ET, 77)
    assert epoll.collect(10) == []
    event.write(struct.pack("<Q", 1))
    assert epoll.collect(10) == [(IN, 77)]
    assert epoll.collect(10) == []
    event.write(struct.pack("<Q", 1))
    assert epoll.collect(10) == [(IN, 77)], "a new edge, though nothing was read"
    epoll.control(EPOLL_CTL_MOD, 3, event, IN | ONESHOT, 78)
    assert epoll.collect(10) == [(IN, 78)]
    assert epoll.collect(10) == []
    epoll.control(EPOLL_CTL_MOD, 3, event, IN, 79)
    assert epoll.collect(10) == epoll.collect(10) == [(IN, 79)]
    epoll.control(EPOLL_CTL_DEL, 3, event, 0, 0)
    assert not event.watchers


def test_everybody_has_a_turn() -> None:
    epoll = EpollFile()
    for n in range(5):
        epoll.control(EPOLL_CTL_ADD, n, opened(EventFile(1, False)), IN, n)
    seen = [epoll.collect(2) for _ in range(5)]
    assert sorted(data for found in seen for _, data in found) == sorted(list(range(5)) * 2)


def test_what_is_closed_leaves_the_list() -> None:
    epoll, event = EpollFile(), EventFile(1, False)
    opened(event)
    epoll.control(EPOLL_CTL_ADD, 3, event, IN, 1)
    event.release()
    assert epoll.collect(10) == []
    assert not epoll.interests
    assert not event.watchers
    inner, other = EpollFile(), EventFile(1, False)
    opened(inner)
    inner.control(EPOLL_CTL_ADD, 3, opened(other), IN, 1)
    epoll.control(EPOLL_CTL_ADD, 4, inner, IN, 2)
    assert epoll.collect(10) == [(IN, 2)]
    inner.release()
    assert epoll.collect(10) == []
    assert not other.watchers


def test_epolls_in_epolls_are_bounded() -> None:
    """Without a bound: a chain of a thousand, or two to the power of a thousand looks."""
    chain = [opened(EpollFile()) for _ in range(6)]
    for inner, outer in pairwise(chain[:5]):
        assert isinstance(outer, EpollFile)
        outer.control(EPOLL_CTL_ADD, 1, inner, IN, 0)
    last, fifth = chain[5], chain[4]
    assert isinstance(last, EpollFile)
    assert isinstance(fifth, EpollFile)
    with pytest.raises(OSError, match="too deep") as caught:
        last.control(EPOLL_CTL_ADD, 1, fifth, IN, 0)
    assert caught.value.errno == ELOOP
    first = chain[0]
    assert isinstance(first, EpollFile)
    with pytest.raises(OSError, match="too deep"):
        first.control(EPOLL_CTL_ADD, 1, last, IN, 0)  # from below, too
    with pytest.raises(OSError, match="circle"):
        first.control(EPOLL_CTL_ADD, 1, fifth, IN, 0)
    for n in range(16):
        last.control(EPOLL_CTL_ADD, n, opened(EpollFile()), IN, 0)
    with pytest.raises(OSError, match="too many epolls") as caught:
        last.control(EPOLL_CTL_ADD, 16, opened(EpollFile()), IN, 0)
    assert caught.value.errno == EINVAL


# -- the host's descriptors


def fill(write: Callable[[bytes], int]) -> int:
    total = 0
    while True:
        try:
            total += write(bytes(3000))
        except BlockingIOError:
            return total


@pytest.mark.parametrize("kind", ["pipe", "socket", "terminal"])
def test_no_write_and_no_read_waits(kind: str) -> None:
    """Though the descriptions that others share block."""
    if kind == "pipe":
        theirs, ours = os.pipe()
    elif kind == "socket":
        theirs, ours = (sock.detach() for sock in socket.socketpair())
    else:
        theirs, ours = pty.openpty()
    reactor = Reactor()
    shared = os.dup(ours)
    file = HostFile(reactor, ours, 1)
    assert fill(file.write) > 3000
    if kind != "terminal":  # it makes room by and by
        assert not file.poll()
    assert os.get_blocking(shared)
    os.read(theirs, 65536)
    file.close()
    os.close(shared)
    if kind != "terminal":
        reading = HostFile(reactor, os.dup(theirs), 0)
        while reading.poll() == POLLIN and reading.read(65536):
            pass
        assert reading.read(10) == b""
        reading.close()
    os.close(theirs)
    reactor.close()


def test_a_terminal_gets_its_modes_back() -> None:
    """As vi does it, and dies."""
    theirs, ours = pty.openpty()
    before = termios.tcgetattr(theirs)
    reactor = Reactor()
    file = HostFile(reactor, ours, 0)
    modes = file.ioctl(TCGETS)
    assert modes is not None
    raw = modes[:12] + bytes(4) + modes[16:]
    file.set_terminal(TCSETS[0], raw)
    assert file.ioctl(TCGETS) == raw
    assert termios.tcgetattr(theirs)[3] == 0, "no echo, no lines"
    file.close()
    assert termios.tcgetattr(theirs) == before
    os.close(theirs)
    theirs, ours = os.pipe()
    pipe = HostFile(reactor, ours, 1)
    for file in (pipe, Counted()):
        with pytest.raises(OSError, match=r"(?i)not a t|inappropriate"):
            file.set_terminal(TCSETS[0], raw)
    pipe.close()
    os.close(theirs)
    reactor.close()


def test_a_message_does_not_follow_an_unfinished_line() -> None:
    """On a terminal: of an app that dies after its prompt."""
    theirs, ours = pty.openpty()
    reactor = Reactor()
    line = Line()
    stdin = HostFile(reactor, os.dup(ours), 0, line)
    stdout = HostFile(reactor, os.dup(ours), 1, line)
    errors = Output(reactor, ours, line)

    def seen() -> bytes:
        data = b""
        while not data.endswith(b"end\r\n"):
            data += os.read(theirs, 4096)
        return data

    errors.message("end")
    assert seen() == b"end\r\n"
    stdout.write(b"> ")
    errors.message("end")
    assert seen() == b"> \r\nend\r\n"
    errors.message("end")
    assert seen() == b"end\r\n"
    stdout.write(b"> ")
    os.write(theirs, b"typed\n")
    assert stdin.read(100) == b"typed\n"
    errors.message("end")
    assert seen() == b"> typed\r\nend\r\n"
    for file in (stdin, stdout):
        file.close()
    errors.finish(lambda: None)
    os.close(theirs)
    reactor.close()


def test_output_that_nobody_wants() -> None:
    reactor = Reactor()
    theirs, ours = os.pipe()
    out = Output(reactor, ours)
    drained: list[bool] = []
    out.write("x" * 200_000)
    out.finish(lambda: drained.append(True))
    assert not drained
    out.discard()
    assert drained
    os.close(theirs)
    reactor.close()


# -- clients


def test_the_answer_for_one_that_has_gone_is_no_news_to_another() -> None:
    """Its number is another client's by then."""
    reactor = Reactor()
    finish: list[AppDone] = []

    def start(_data: bytes, fds: list[int], done: AppDone) -> Callable[[], None]:
        for fd in fds:
            os.close(fd)
        finish.append(done)
        return lambda: None

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "control")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        listener.bind(path)
        listener.listen(4)
        server = ControlServer(reactor, listener, None, lambda _reqno: None,  # type: ignore[arg-type]  # no line
                               lambda: b"{}", lambda: None, start_app=start)  # fmt: skip

        def connect() -> socket.socket:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            sock.connect(path)
            before = len(server.clients)
            while len(server.clients) == before:
                reactor.run_once(False)
            return sock

        first = connect()
        null = os.open(os.devnull, os.O_RDWR)
        head = abi.REQUEST.pack(abi.VERSION, Op.APP, b"", 0, 0, 0, 0)
        socket.send_fds(first, [head], [null] * 4)
        while not finish:
            reactor.run_once(False)
        (number,) = server.clients
        first.close()
        while server.clients:
            reactor.run_once(False)
        second = connect()
        assert set(server.clients) == {number}, "the kernel gives the lowest number"
        finish[0](0, 0, b"")
        assert set(server.clients) == {number}
        second.close()
        os.close(null)
        server.close()
    reactor.close()
