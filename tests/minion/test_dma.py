"""The DMA engine: bounds, requests, channels that come and go."""

from __future__ import annotations

import pytest

from hypercalls.api import CLOSED, EOF, RESET, Ready
from minion.devices import dma
from minion.ram import Ram

BASE = 0x8000_0000


class Recorder:
    """A channel's end that does what it is told."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.log: list[str] = []

    def recv_into(self, view: memoryview) -> int:
        view[:2] = b"in"
        return self.answers.pop(0)

    def send(self, view: memoryview) -> int:
        self.log.append(f"send {bytes(view)!r}")
        return self.answers.pop(0)

    def want(self, events: Ready) -> None:
        self.log.append(f"want {int(events)}")

    def end(self) -> None:
        self.log.append("end")

    def detach(self) -> None:
        self.log.append("detach")


class Engine:
    def __init__(self) -> None:
        self.ram = Ram(0x2000, BASE)
        self.levels: list[bool] = []
        self.dma = dma.Dma(self.ram, self.levels.append)

    def command(self, op: int, chan: int, addr: int = BASE, length: int = 0) -> int:
        self.ram.u32[0x100], self.ram.u32[0x101] = op, chan
        self.ram.u64[0x81] = addr
        self.ram.u32[0x104] = length
        self.ram.u32[0x105] = 0xDEAD
        self.dma.write(dma.COMMAND, 8, BASE + 0x400)
        result = self.ram.u32[0x105]
        return result - (1 << 32) if result >> 31 else result


def test_dma_moves_bytes() -> None:
    engine, end = Engine(), Recorder()
    engine.dma.plug(9, end)
    assert engine.command(dma.COPYIN, 9, BASE, 4) == CLOSED, "not attached"
    assert engine.command(dma.ATTACH, 9) == 0
    end.answers = [2, EOF, RESET, 3]
    assert engine.command(dma.COPYIN, 9, BASE + 0x1001, 8) == 2
    assert bytes(engine.ram.view[0x1000:0x1004]) == b"\0in\0"
    assert engine.command(dma.COPYIN, 9, BASE, 8) == EOF
    assert engine.command(dma.COPYIN, 9, BASE, 8) == RESET
    assert engine.command(dma.COPYOUT, 9, BASE + 0x1001, 3) == 3
    assert end.log == ["want 1", "send b'in\\x00'"]
    assert engine.dma.account()["in_bytes"] == 2
    assert engine.dma.account()["out_transfers"] == 1


@pytest.mark.parametrize(
    ("addr", "length"),
    [
        (BASE - 1, 4),
        (BASE + 0x1FFD, 4),
        (0, 1),
        (BASE, 0x2001),
        ((1 << 64) - 1, 1),
        (BASE, 2**32 - 1),
    ],
)
def test_dma_stays_inside_of_ram(addr: int, length: int) -> None:
    engine, end = Engine(), Recorder()
    engine.dma.plug(9, end)
    engine.command(dma.ATTACH, 9)
    assert engine.command(dma.COPYIN, 9, addr, length) == dma.ERROR
    assert engine.command(dma.COPYOUT, 9, addr, length) == dma.ERROR
    assert engine.dma.counters["errors"] == 2
    assert end.log == ["want 1"]


@pytest.mark.parametrize("addr", [0, BASE + 4, BASE + 0x1FF0, BASE - 8, (1 << 64) - 8])
def test_command_blocks_stay_inside_of_ram(addr: int) -> None:
    engine = Engine()
    engine.dma.write(dma.COMMAND, 8, addr)
    assert engine.dma.read(dma.STATUS, 4) == 2
    engine.dma.write(dma.STATUS, 4, 2)
    assert engine.dma.read(dma.STATUS, 4) == 0


def test_requests_interrupt_and_merge() -> None:
    engine, end = Engine(), Recorder()
    engine.dma.plug(9, end)
    engine.dma.request(9, Ready.IN)
    assert engine.levels == [], "nobody is attached"
    engine.command(dma.ATTACH, 9)
    engine.dma.request(9, Ready.OUT)
    assert engine.levels == [], "not wanted"
    engine.command(dma.WANT, 9, length=3)
    engine.dma.request(9, Ready.IN)
    engine.dma.request(9, Ready.OUT | Ready.IN)
    assert engine.levels == [True]
    assert end.log[-2:] == ["want 3", "want 1"], "OUT is told once"
    assert engine.dma.read(dma.STATUS, 4) == 1
    assert engine.dma.read(dma.REQUEST, 8) == 9 | 3 << 32 | 1 << 63
    assert engine.levels == [True, False]
    assert engine.dma.read(dma.REQUEST, 8) == 0
    engine.dma.request(4711, Ready.IN)
    assert engine.levels == [True, False]


def test_short_copyout_asks_for_out() -> None:
    engine, end = Engine(), Recorder()
    engine.dma.plug(9, end)
    engine.command(dma.ATTACH, 9)
    end.answers = [1, 0]
    assert engine.command(dma.COPYOUT, 9, BASE, 4) == 1
    assert engine.command(dma.COPYOUT, 9, BASE, 3) == 0
    assert [line for line in end.log if line.startswith("want")] == ["want 1", "want 3"]


def test_plugging_after_attaching() -> None:
    engine, end = Engine(), Recorder()
    engine.command(dma.ATTACH, 9)
    assert engine.command(dma.COPYIN, 9, BASE, 4) == 0
    assert engine.command(dma.COPYOUT, 9, BASE, 4) == 0
    engine.command(dma.END, 9)
    engine.dma.plug(9, end)
    assert end.log == ["end", "want 1", "want 1"]
    assert engine.dma.read(dma.REQUEST, 8) == 9 | 2 << 32 | 1 << 63
    with pytest.raises(ValueError, match="plugged"):
        engine.dma.plug(9, end)


def test_unplugging_under_the_guest_is_a_reset() -> None:
    engine, end = Engine(), Recorder()
    engine.dma.plug(9, end)
    engine.command(dma.ATTACH, 9)
    engine.dma.unplug(9)
    assert engine.dma.read(dma.REQUEST, 8) == 9 | int(Ready.HUP) << 32 | 1 << 63
    assert engine.command(dma.COPYIN, 9, BASE, 4) == RESET
    assert engine.command(dma.COPYOUT, 9, BASE, 4) == RESET
    engine.command(dma.DETACH, 9)
    assert "detach" not in end.log
    engine.dma.unplug(9)
    engine.dma.plug(9, end)
    engine.dma.unplug(9)
    engine.dma.plug(9, end)


def test_detach_unplugs_and_drops_requests() -> None:
    engine, end = Engine(), Recorder()
    engine.dma.plug(9, end)
    engine.command(dma.ATTACH, 9)
    engine.dma.request(9, Ready.IN)
    assert engine.command(dma.DETACH, 9) == 0
    assert end.log[-1] == "detach"
    assert engine.levels == [True, False]
    assert engine.command(dma.DETACH, 9) == 0
    engine.dma.plug(9, Recorder())


def test_channels_are_bounded() -> None:
    engine = Engine()
    for chan in range(dma.CHANNELS):
        assert engine.command(dma.ATTACH, chan) == 0
    assert engine.command(dma.ATTACH, dma.CHANNELS) == dma.ERROR
    assert engine.command(99, 0) == dma.ERROR, "no such operation"
