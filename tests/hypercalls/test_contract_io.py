"""api.Console, Params, Random, Files and Serial."""

from __future__ import annotations

import errno

import pytest
from boxes import Box


def test_console(box: Box) -> None:
    box.hc.console.write("hello\n")
    box.hc.console.write("grüße")
    assert box.console() == "hello\ngrüße"


def test_params(box: Box) -> None:
    getparam = box.hc.params.getparam
    assert getparam("answer") == "42"
    assert getparam("question") is None
    assert getparam("_RUMPUSER_NCPU") == "1"
    assert getparam("_RUMPUSER_HOSTNAME")


def test_random(box: Box) -> None:
    getrandom = box.hc.random.getrandom
    assert [len(getrandom(n)) for n in (0, 1, 7, 5000)] == [0, 1, 7, 5000]
    assert getrandom(16) != getrandom(16)


def bio(box: Box, file, write: bool, buffer, length: int, offset: int) -> tuple[int, int]:
    done: list[tuple[int, int]] = []
    file.bio(
        write, buffer, length, offset, lambda transferred, errno: done.append((transferred, errno))
    )
    assert done == [], "done is called in interrupt context, not by bio"
    box.run()
    assert len(done) == 1
    return done[0]


def test_bio_reads_and_writes(box: Box) -> None:
    path = box.make_file(bytes(range(256)) * 8)
    file = box.hc.files.open(path, write=True)
    buffer = box.hc.memory.alloc(1024)
    assert bio(box, file, False, buffer, 512, 512) == (512, 0)
    assert bytes(buffer.view[:512]) == bytes(range(256)) * 2
    buffer.view[:] = b"w" * 1024
    assert bio(box, file, True, buffer, 1024, 1024) == (1024, 0)
    file.sync()
    assert bio(box, file, False, buffer, 512, 1536) == (512, 0)
    assert bytes(buffer.view[:512]) == b"w" * 512
    file.close()
    with pytest.raises(OSError, match="closed"):
        file.sync()


def test_a_read_past_the_end_transfers_what_there_is(box: Box) -> None:
    file = box.hc.files.open(box.make_file(b"x" * 512))
    buffer = box.hc.memory.alloc(4096)
    size = file.size_bytes
    assert bio(box, file, False, buffer, 1024, size - 512) == (512, 0)
    assert bio(box, file, False, buffer, 512, size + 512) == (0, 0)


def test_many_transfers_at_once(box: Box) -> None:
    file = box.hc.files.open(box.make_file(b"".join(bytes([n]) * 512 for n in range(64))))
    buffers = [box.hc.memory.alloc(512) for _ in range(64)]
    done: list[int] = []
    for n, buffer in enumerate(buffers):
        file.bio(False, buffer, 512, 512 * n, lambda transferred, errno: done.append(errno))
    box.run()
    assert done == [0] * 64
    assert [set(buffer.view) for buffer in buffers] == [{n} for n in range(64)]


def test_no_such_file(box: Box) -> None:
    with pytest.raises(OSError, match="nosuch") as caught:
        box.hc.files.open("nosuch")
    assert caught.value.errno == errno.ENOENT


def test_serial_both_ways(box: Box) -> None:
    serial = box.hc.serial
    calls: list[None] = []
    serial.on_receive(lambda: calls.append(None))
    assert serial.read() == b""
    serial.write(b"ping")
    serial.write(b"")
    serial.write(b"pong")
    box.run()
    assert box.line_take() == b"pingpong"
    box.line_put(b"abc")
    box.run()
    box.line_put(b"def")
    box.run()
    assert len(calls) == 1, "told again only after read has returned empty"
    assert serial.read() == b"abcdef"
    assert serial.read() == b""
    box.run()
    box.line_put(b"ghi")
    box.run()
    assert len(calls) >= 2
    assert serial.read() == b"ghi"


def test_serial_in_bulk(box: Box) -> None:
    serial = box.hc.serial
    data = bytes(range(256)) * 600
    got = bytearray()
    serial.on_receive(lambda: got.extend(serial.read()))
    for start in range(0, len(data), 5000):
        box.line_put(data[start : start + 5000])
        box.run()
    assert got == data
    sent = b""
    serial.write(data)
    while len(sent) < len(data):
        box.run()
        piece = box.line_take()
        assert piece
        sent += piece
    assert sent == data
