"""The copper: rate, and damage that can be repeated."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from minion.line.wire import BURST_NS, Wire


class Clock:
    """Time that passes when somebody waits for it."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.calls: list[tuple[int, Callable[[], None]]] = []

    def now(self) -> int:
        return self.now_ns

    def call_at(self, when_ns: int, call: Callable[[], None]) -> None:
        self.calls.append((when_ns, call))

    def run(self) -> None:
        while self.calls:
            self.calls.sort(key=lambda item: item[0])
            when_ns, call = self.calls.pop(0)
            self.now_ns = max(self.now_ns, when_ns)
            call()


def made(baud: int = 0, noise: float = 0.0, seed: int = 1) -> tuple[Wire, list[bytes], Clock]:
    clock = Clock()
    got: list[bytes] = []
    return Wire(got.append, baud, noise, seed, clock.now, clock.call_at), got, clock


def test_without_limits_it_is_not_there() -> None:
    wire, got, clock = made()
    wire.transmit(b"abc")
    assert got == [b"abc"]
    assert not clock.calls


def test_same_seed_same_damage() -> None:
    results = []
    for seed in (1, 1, 2):
        wire, got, _ = made(noise=1e-3, seed=seed)
        for _ in range(20):
            wire.transmit(bytes(1000))
        results.append(b"".join(got))
    assert results[0] == results[1] != results[2]


@pytest.mark.parametrize("rate", [1e-2, 1e-3, 1e-4])
def test_as_many_errors_as_asked_for(rate: float) -> None:
    wire, got, _ = made(noise=rate)
    for _ in range(100):
        wire.transmit(bytes(5000))
    bits = 100 * 5000 * 8
    flipped = sum(byte.bit_count() for byte in b"".join(got))
    assert flipped == wire.counters["bits_flipped"]
    assert abs(flipped - bits * rate) < 6 * (bits * rate) ** 0.5


def test_the_split_into_writes_does_not_matter_for_order() -> None:
    wire, got, clock = made(baud=9600)
    for number in range(50):
        wire.transmit(bytes([number]) * 7)
    clock.run()
    assert b"".join(got) == b"".join(bytes([number]) * 7 for number in range(50))


@pytest.mark.parametrize("baud", [1200, 9600, 115_200, 4_000_000])
def test_rate(baud: int) -> None:
    """Ten bit times to a byte."""
    wire, got, clock = made(baud=baud)
    size = max(100, baud // 20)
    wire.transmit(bytes(size))
    clock.run()
    assert len(b"".join(got)) == size
    wanted_ns = size * 10 * 1_000_000_000 / baud
    assert wanted_ns * 0.999 <= clock.now_ns <= wanted_ns * 1.001
    longest = max(len(piece) for piece in got)
    assert longest <= max(1, BURST_NS * baud / 10e9 + 1)


def test_an_idle_line_saves_nothing_up() -> None:
    wire, _got, clock = made(baud=9600)
    wire.transmit(b"a")
    clock.run()
    clock.now_ns += 10_000_000_000
    start_ns = clock.now_ns
    wire.transmit(bytes(96))
    clock.run()
    assert clock.now_ns - start_ns >= 99_000_000


@pytest.mark.parametrize(("baud", "noise"), [(-1, 0.0), (0, -0.1), (0, 1.0)])
def test_what_cannot_be(baud: int, noise: float) -> None:
    with pytest.raises(ValueError, match="line:"):
        made(baud, noise)
