"""What a program writes at once leaves as full segments and one tail, however it is copied in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from script import Script

from hypercalls.api import Buffer, Copy
from hypercalls.common.pieces import PIECE_BYTES
from minion.line.link import Link
from minion.sysproxy.messages import MORE, Note
from minion.sysproxy.serial_copy import SerialCopy
from minion.sysproxy.session import Session
from minion.sysproxy.work import SessionWork

MSS = 1460
CHAN = 1


class Server:
    """sysproxy.session.SessionServer with one session, whose connection a script leads."""

    def __init__(self, t: Script, copy: Copy) -> None:
        scratch: Buffer | None = t.hyper.memory.alloc(4096)
        assert scratch is not None
        self.scratch = scratch
        self.net = t.net
        self.copy = copy
        self.work = SessionWork(t.hyper.threads, t.net.callouts)

    def accept(self, session: Session) -> None: ...

    def connected(self, session: Session) -> None:
        session.attach()

    def failed(self, session: Session, error: int) -> None: ...

    def forget(self, session: Session) -> None: ...


class Program(Script):
    """A script whose socket has a program behind a channel."""

    def __init__(self, copy: Copy | None = None) -> None:
        super().__init__(mtu_bytes=1500)
        us = self.world.hosts["us"]
        self.channel = us.copy.plug(CHAN, 1 << 20)
        self.session = Session(Server(self, copy or us.copy), CHAN, None)
        self.sock = self.session.sock
        self.connect(win=65535, scale=8)
        self.acked = 1

    def sent(self) -> list[int]:
        """The lengths of the segments that have left; they are acknowledged."""
        out: list[int] = []
        while found := [s for s in self.drain() if s.data]:
            out += [len(s.data) for s in found]
            self.acked = max(s.seq + len(s.data) for s in found)
            self.inject("A", 1, self.acked)
        return out


@pytest.fixture
def program() -> Iterator[Program]:
    made = Program()
    yield made
    made.close()


def write(program: Program, data: bytes) -> None:
    assert program.channel.program_write(data) == len(data)
    program.world.work()


def whole_and_tail(size: int) -> list[int]:
    return [MSS] * (size // MSS) + [size % MSS] * bool(size % MSS)


def test_every_size(program: Program) -> None:
    """The copy buffers have edges at 2048, 8192, 32768, …: none of them is seen on the wire."""
    edges = [2**n + d for n in range(11, 17) for d in (-1, 0, 1)]
    for size in [1, 1404, 1459, 1460, 1461, 2920, *edges, 100_000]:
        if size % PIECE_BYTES:
            write(program, bytes(size))
            assert program.sent() == whole_and_tail(size), size


def test_pieces_of_a_long_write_are_one(program: Program) -> None:
    """The kernel hands on what a program writes in pieces: the minion may see one before the next
    is there."""
    write(program, bytes(PIECE_BYTES))
    assert program.sent() == [MSS] * (PIECE_BYTES // MSS)
    write(program, bytes(PIECE_BYTES))
    write(program, bytes(100))
    assert program.sent() == whole_and_tail(2 * PIECE_BYTES + 100)[PIECE_BYTES // MSS :]


def test_a_write_of_just_one_piece_waits_a_millisecond(program: Program) -> None:
    write(program, bytes(PIECE_BYTES))
    assert program.sent() == [MSS] * (PIECE_BYTES // MSS)
    start = program.now_ms
    program.world.run_until(lambda: bool(program.wire.frames))
    assert program.expect("AP").time_ms - start <= 1


def test_an_edge_where_nothing_follows_is_an_end(program: Program) -> None:
    for size in (2048, 8192, 32768):  # each fills a buffer to its last byte
        write(program, bytes(size))
        assert program.sent() == whole_and_tail(size)


def test_a_full_send_buffer_holds_nothing_back(program: Program) -> None:
    program.sock.configure("sndbuf_bytes", 2000)
    write(program, bytes(5000))
    assert sum(program.sent()) == 5000


def test_a_close_in_the_middle_sends_everything(program: Program) -> None:
    write(program, bytes(PIECE_BYTES))
    program.channel.program_close()
    program.world.work()
    assert sum(program.sent()) == PIECE_BYTES


def test_msg_more(program: Program) -> None:
    program.session.more(10)
    write(program, bytes(10))
    assert program.sent() == []
    program.session.more(3000)
    write(program, bytes(3000))
    assert program.sent() == [MSS, MSS]
    write(program, b"end")
    assert program.sent() == [3013 - 2 * MSS]


def test_msg_more_at_the_edge_of_a_buffer(program: Program) -> None:
    program.session.more(2048)
    write(program, bytes(2048))
    assert program.sent() == [MSS]
    program.run_ms(199)
    assert program.sent() == []
    write(program, b"end")
    assert program.sent() == [2051 - MSS]


# -- over the line


class Never:
    """A timer of a line that nobody waits for."""

    def cancel(self) -> None: ...


def test_serial_frames_are_not_ends() -> None:
    link = Link(1, lambda _bytes: None, lambda _message: None, lambda: None, lambda: 0,
                lambda _when, _function: Never())  # fmt: skip
    copy = SerialCopy(link)
    program = Program(copy)
    for more in (MORE, MORE, 0):
        assert copy.input(Note.COPYIN, CHAN, more, bytes(4096))
        program.world.work()
    assert program.sent() == whole_and_tail(3 * 4096)
    # credit has run out: a short frame, and no end
    assert copy.input(Note.COPYIN, CHAN, MORE, bytes(100))
    program.world.work()
    assert program.sent() == []
    assert copy.input(Note.COPYIN, CHAN, 0, bytes(100))
    program.world.work()
    assert program.sent() == [200]
    program.close()


def test_uncorking_is_no_end_of_what_is_still_to_come(program: Program) -> None:
    """--copy serial: the request may pass what had no credit yet."""
    program.sock.configure("cork", 1)
    write(program, bytes(PIECE_BYTES))
    program.sock.configure("cork", 0)
    program.sock.push()
    assert program.sent() == [MSS] * (PIECE_BYTES // MSS)
    write(program, bytes(100))
    assert program.sent() == [PIECE_BYTES % MSS + 100]


def test_uncorking_ends_msg_more(program: Program) -> None:
    program.session.more(100)
    write(program, bytes(100))
    assert program.sent() == []
    program.sock.push()
    assert program.sent() == [100]
