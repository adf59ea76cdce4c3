"""GDB's packets: framing, damage, noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minion.gdb.packets import PACKET_MAX, Receiver, escape, frame, unescape


def test_golden_frames() -> None:
    assert frame(b"OK") == b"$OK#9a"
    assert frame(b"") == b"$#00"
    assert frame(b"\xff\xff") == b"$\xff\xff#fe"


def test_escapes() -> None:
    assert escape(b"a#b$c}d*e") == b"a}\x03b}\x04c}]d}\x0ae"
    assert escape(b"plain") == b"plain"


@given(st.binary())
def test_what_was_escaped_is_unescaped(data: bytes) -> None:
    assert unescape(escape(data)) == data
    assert not set(escape(data)) & set(b"#$*")


@pytest.mark.parametrize(("data", "found"), [
    (b"$g#67", [b"$g"]), (b"+$g#67-", [b"+", b"$g", b"-"]), (b"\x03", [b"\x03"]),
    (b"$g#68", [b"!"]), (b"$#00", [b"$"]), (b"$m0,4#FD", [b"$m0,4"]), (b"noise", []),
    (b"$half$g#67", [b"$g"]), (b"$g#zz$g#67", [b"!", b"$g"]), (b"$c#63\x03", [b"$c", b"\x03"]),
    (b"$\x03+-#5b", [b"$\x03+-"]),
])  # fmt: skip
def test_packets(data: bytes, found: list[bytes]) -> None:
    assert Receiver().feed(data) == found


def test_a_packet_too_long_is_dropped() -> None:
    receiver = Receiver()
    assert receiver.feed(b"$" + b"x" * (3 * PACKET_MAX)) == []
    assert len(receiver._buffer) <= PACKET_MAX
    assert receiver.feed(b"#00$g#67") == [b"?", b"$g"]
    whole = b"y" * PACKET_MAX
    assert receiver.feed(frame(whole)) == [b"$" + whole]


@given(st.lists(st.sampled_from([b"$g#67", b"+", b"\x03", b"$m1#9e", b"$#", b"}", b"\xff"])))
def test_pieces_make_no_difference(parts: list[bytes]) -> None:
    data = b"".join(parts)
    receiver = Receiver()
    bytewise = [item for byte in data for item in receiver.feed(bytes((byte,)))]
    assert bytewise == Receiver().feed(data)


@given(st.lists(st.binary(max_size=60)))
def test_noise(pieces: list[bytes]) -> None:
    receiver = Receiver()
    for piece in pieces:
        for item in receiver.feed(piece):
            assert item[:1] in (b"$", b"+", b"-", b"\x03", b"!", b"?")
