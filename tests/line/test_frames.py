"""Frames: golden bytes, round trip, every truncation, and noise."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minion.line import frames
from minion.line.frames import Deframer

GOLDEN = [
    ((1, 0, 0, 0, b""), "7e 01 00 00 00 00 00 00 00 00 00 00 2c 6e 09 aa 7e"),
    ((2, 1, 2, 3, b"hi"), "7e 02 01 00 02 00 00 00 03 00 00 00 68 69 66 25 a6 ef 7e"),
    (
        (1, 32381, 32126, 2105441662, b"}~"),
        "7e 01 7d 5d 7d 5e 7d 5e 7d 5d 00 00 7d 5e 7d 5d 7d 5e 7d 5d 7d 5d 7d 5e a2 c8 b0 e7 7e",
    ),
]
"""Flag, kind, number, seq and ack (little-endian), payload, CRC-32, flag; escaped as in HDLC."""
u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
frame = st.tuples(st.integers(0, 255), u16, u32, u32, st.binary(max_size=300))
nasty = st.lists(st.sampled_from([b"\x7e", b"\x7d", b"\x5e", b"\x5d", b"a"]), max_size=60)


@pytest.mark.parametrize(("fields", "text"), GOLDEN)
def test_golden(fields: frames.Frame, text: str) -> None:
    assert frames.emit(*fields).hex(" ") == text


def test_by_hand() -> None:
    """The same by another way, so that the golden bytes are not just what came out."""
    for kind, number, seq, ack, payload in (fields for fields, _ in GOLDEN):
        body = bytes([kind]) + number.to_bytes(2, "little")
        body += seq.to_bytes(4, "little") + ack.to_bytes(4, "little") + payload
        body += crc32(body).to_bytes(4, "little")
        escapes = {0x7E: b"\x7d\x5e", 0x7D: b"\x7d\x5d"}
        stuffed = b"".join(escapes.get(byte, bytes([byte])) for byte in body)
        assert frames.emit(kind, number, seq, ack, payload) == b"\x7e" + stuffed + b"\x7e"


@given(frame)
def test_round_trip(fields: frames.Frame) -> None:
    sent = frames.emit(*fields)
    assert b"\x7e" not in sent[1:-1]
    assert frames.parse(sent[1:-1]) == fields
    assert Deframer().input(sent) == [fields]


@given(st.builds(b"".join, nasty))
def test_every_escape(payload: bytes) -> None:
    assert Deframer().input(frames.emit(1, 2, 3, 4, payload)) == [(1, 2, 3, 4, payload)]


@given(st.lists(frame, max_size=8), st.data())
def test_a_stream_in_any_pieces(sent: list[frames.Frame], data: st.DataObject) -> None:
    stream = b"".join(frames.emit(*fields) for fields in sent)
    deframer = Deframer()
    got = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += deframer.input(stream[:size])
        stream = stream[size:]
    assert got == sent
    assert not deframer.bad_frames


def test_every_truncation() -> None:
    """A frame that ends early is no frame, and the next one is found."""
    whole = frames.emit(1, 2, 3, 4, b"some ~payload} of it")
    after = frames.emit(1, 3, 3, 4, b"next")
    for cut in range(len(whole) - 1):
        deframer = Deframer()
        assert deframer.input(whole[:cut] + after) == [(1, 3, 3, 4, b"next")]


@pytest.mark.parametrize("size", [0, 1, 13, 14])
def test_short_bodies(size: int) -> None:
    assert frames.parse(bytes(size)) is None


def test_every_flipped_bit() -> None:
    sent = frames.emit(1, 2, 3, 4, b"payload")
    for bit in range(8 * len(sent)):
        damaged = bytearray(sent)
        damaged[bit >> 3] ^= 1 << (bit & 7)
        # The flags of the neighbours end what lost its own
        got = Deframer().input(frames.FLAG + bytes(damaged) + frames.FLAG)
        assert got in ([], [(1, 2, 3, 4, b"payload")])


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_noise(pieces: list[bytes]) -> None:
    deframer = Deframer()
    for piece in pieces:
        deframer.input(piece)
    assert deframer.input(frames.FLAG + frames.emit(1, 2, 3, 4, b"x"))[-1:] == [(1, 2, 3, 4, b"x")]


def test_noise_without_end_is_not_kept() -> None:
    deframer = Deframer()
    for _ in range(100):
        deframer.input(b"a" * 1000)
    assert deframer.noise_bytes >= 100_000 - frames.STUFFED_MAX - 1000
    assert deframer.input(frames.FLAG + frames.emit(1, 2, 3, 4, b"x"))[-1:] == [(1, 2, 3, 4, b"x")]
