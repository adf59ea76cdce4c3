"""Frames that the cable does not take at the moment wait, in order, and none is lost."""

from __future__ import annotations

import pytest
from machines import Bench

from hypercalls.api import Net
from hypercalls.bare.net import WAITING_MAX


@pytest.fixture
def bench() -> Bench:
    return Bench()


def frame(number: int) -> bytes:
    return bytes(14) + number.to_bytes(4, "big") + bytes(46)


def send(net: Net, numbers: range) -> None:
    for number in numbers:
        net.send(frame(number))
    net.flush()


def numbers(bench: Bench) -> list[int]:
    return [int.from_bytes(data[26:30], "big") for data in bench.cable.sent]


def test_a_burst_waits_for_a_cable_that_is_held(bench: Bench) -> None:
    net = bench.board.hypercalls.nets[0]
    bench.cable.port.tx_hold()
    send(net, range(1000))
    bench.board.run()
    assert numbers(bench) == []
    bench.cable.port.tx_ready()
    bench.board.run()
    assert numbers(bench) == list(range(1000))
    send(net, range(1000, 1100))
    assert numbers(bench) == list(range(1100))


def test_a_cable_that_holds_again_and_again(bench: Bench) -> None:
    cable = bench.cable
    net = bench.board.hypercalls.nets[0]
    plain = cable.transmit

    def transmit(data: list[memoryview]) -> None:
        plain(data)
        if len(cable.sent) % 100 == 0:
            cable.port.tx_hold()

    cable.transmit = transmit  # type: ignore[method-assign]  # the test is the cable
    send(net, range(1234))
    for round_ in range(1, 13):
        assert numbers(bench) == list(range(100 * round_))
        cable.port.tx_ready()
        bench.board.run()
    assert numbers(bench) == list(range(1234))
    assert bench.board.hypercalls.nets[0].counters["tx_dropped"] == 0


def test_the_queue_has_an_end(bench: Bench) -> None:
    net = bench.board.hypercalls.nets[0]
    bench.cable.port.tx_hold()
    send(net, range(WAITING_MAX + 2000))
    bench.cable.port.tx_ready()
    bench.board.run()
    dropped = net.counters["tx_dropped"]
    assert 0 < dropped <= 2000
    assert numbers(bench) == list(range(WAITING_MAX + 2000 - dropped))


def test_payload_that_waits_is_kept(bench: Bench) -> None:
    net = bench.board.hypercalls.nets[0]
    memory = bench.board.hypercalls.memory
    bench.cable.port.tx_hold()
    for number in range(500):
        payload = memory.alloc(100)
        assert payload is not None
        payload.view[:] = number.to_bytes(4, "big") * 25
        net.send(bytes(14), [(payload, 0, 100)])
    net.flush()
    del payload
    bench.cable.port.tx_ready()
    bench.board.run()
    assert numbers(bench) == list(range(500))
