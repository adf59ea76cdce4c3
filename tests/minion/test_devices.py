"""Register behaviour of CLINT, PLIC, UARTs and bus."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from machines import Bench

from minion.bus import Bus, BusError
from minion.devices import line_uart, uart
from minion.devices.clint import Clint
from minion.devices.lines import Lines
from minion.devices.plic import Plic
from minion.ram import Ram

BASE = 0x8000_0000
MEIP, SEIP, MTIP, MSIP = 1 << 11, 1 << 9, 1 << 7, 1 << 3


# -- bus and RAM


def test_ram_over_the_bus_is_little_endian() -> None:
    bus = Bus(Ram(0x2000, BASE))
    bus.write(BASE + 0xFFC, 8, 0x1122_3344_5566_7788)
    assert bus.read(BASE + 0xFFC, 8) == 0x1122_3344_5566_7788
    assert bus.read(BASE + 0xFFD, 2) == 0x6677
    for addr, size in ((BASE - 1, 1), (BASE + 0x1FFF, 2), (0, 4), (1 << 64, 1)):
        with pytest.raises(BusError):
            bus.read(addr, size)
        with pytest.raises(BusError):
            bus.write(addr, size, 0)


def test_the_map_of_the_board() -> None:
    bench = Bench()
    for hole in (0, 0x10_0000, 0x1000_9000, 0x1002_1000, 0x7FFF_FFFF, BASE + (4 << 20)):
        with pytest.raises(BusError):
            bench.read(hole, 4)
    with pytest.raises(ValueError, match="taken"):
        bench.board.bus.attach(0x1000_0800, 1, bench.board.uart0)
    with pytest.raises(ValueError, match="4096"):
        Ram(1000, BASE)


# -- CLINT


def test_clint() -> None:
    now = 1_000_000
    lines = Lines()
    clint = Clint(lambda: now, lines)
    assert clint.read(0xBFF8, 8) == 10_000
    assert clint.read(0xBFFC, 4) == 0
    assert clint.deadline_ns() is None
    clint.write(0x4000, 4, 10_001)
    assert clint.deadline_ns() == (0xFFFF_FFFF << 32 | 10_001) * 100
    clint.write(0x4004, 4, 0)
    assert clint.deadline_ns() == 1_000_100
    assert not lines.mip
    now = 1_000_099
    clint.poll()
    assert not lines.mip, "never early"
    now = 1_000_100
    clint.poll()
    assert lines.mip == MTIP
    clint.write(0x4000, 8, 20_000)
    assert not lines.mip, "moving the comparator clears it"
    clint.write(0, 4, 0xFF)
    assert (lines.mip, clint.read(0, 4)) == (MSIP, 1)
    clint.write(0, 4, 0)
    assert not lines.mip
    assert clint.read(0x8, 4) == 0, "no second hart"


# -- PLIC


@pytest.fixture
def plic() -> Plic:
    plic = Plic(Lines())
    for source in (3, 5, 40):
        plic.write(4 * source, 4, 1)
    plic.write(0x2000, 4, 1 << 3 | 1 << 5)
    plic.write(0x2004, 4, 1 << 8)
    return plic


CLAIM = 0x20_0004


def test_plic_claims_once_until_completed(plic: Plic) -> None:
    lines = plic._lines
    plic.drive(5, True)
    assert lines.mip == MEIP
    assert plic.read(0x1000, 4) == 1 << 5
    assert plic.read(CLAIM, 4) == 5
    assert not lines.mip
    assert plic.read(CLAIM, 4) == 0
    plic.drive(5, True)
    assert not lines.mip, "held back while it is served"
    plic.write(CLAIM, 4, 5)
    assert lines.mip == MEIP, "the level is still up"
    plic.drive(5, False)
    assert not lines.mip, "gone before it was claimed"


def test_plic_as_qemus(plic: Plic) -> None:
    """A source that is up when it is completed waits for the next event."""
    lines = plic._lines
    plic.as_qemu(5)
    plic.drive(5, True)
    assert plic.read(CLAIM, 4) == 5
    plic.write(CLAIM, 4, 5)
    assert not lines.mip, "the level is up, and nothing has happened"
    plic.drive(5, True)
    assert plic.read(CLAIM, 4) == 5
    plic.drive(5, True)
    assert not lines.mip, "held back while it is served"
    plic.write(CLAIM, 4, 5)
    assert plic.read(CLAIM, 4) == 5
    plic.drive(5, True)
    plic.drive(5, False)
    plic.write(CLAIM, 4, 5)
    assert not lines.mip, "gone before it was completed"
    plic.drive(3, True)
    assert plic.read(CLAIM, 4) == 3
    plic.write(CLAIM, 4, 3)
    assert plic.read(CLAIM, 4) == 3, "the others are looked at again"


def test_plic_order(plic: Plic) -> None:
    for source in (40, 5, 3):
        plic.drive(source, True)
    plic.write(4 * 40, 4, 7)
    assert [plic.read(CLAIM, 4) for _ in range(4)] == [40, 3, 5, 0]


def test_plic_threshold_enable_and_priority_zero(plic: Plic) -> None:
    lines = plic._lines
    plic.drive(3, True)
    plic.write(0x20_0000, 4, 1)
    assert not lines.mip
    assert plic.read(0x20_0000, 4) == 1
    plic.write(0x20_0000, 4, 0)
    assert lines.mip
    plic.write(12, 4, 0)
    assert not lines.mip
    assert plic.read(CLAIM, 4) == 0
    plic.write(12, 4, 99)
    assert plic.read(12, 4) == 7
    plic.write(0x2000, 4, 1)
    assert not lines.mip
    assert plic.read(0x2000, 4) == 0, "source 0 does not exist"
    assert plic.read(0x2004, 4) == 1 << 8


def test_plic_contexts_are_separate(plic: Plic) -> None:
    plic.write(0x2080, 4, 1 << 5)
    plic.drive(5, True)
    assert plic._lines.mip == MEIP | SEIP
    assert plic.read(CLAIM + 0x1000, 4) == 5
    assert not plic._lines.mip
    plic.drive(5, False)
    plic.write(CLAIM + 0x1000, 4, 77)
    plic.write(CLAIM + 0x1000, 4, 1 << 30)
    plic.drive(5, True)
    assert not plic._lines.mip, "completions of others are ignored"
    plic.write(CLAIM + 0x1000, 4, 5)
    assert plic._lines.mip


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 0x5F_FFFF), st.integers(0, 2**32 - 1))))
def test_plic_survives_any_access(accesses: list[tuple[bool, int, int]]) -> None:
    plic = Plic(Lines())
    for write, offset, value in accesses:
        if write:
            plic.write(offset & ~3, 4, value)
        assert 0 <= plic.read(offset & ~3, 4) < 2**32
    for size, offset in ((1, 0x4), (8, 0x2000), (4, 0x1002)):
        with pytest.raises(BusError):
            plic.read(offset, size)


# -- UARTs


def test_16550() -> None:
    sent: list[int] = []
    levels: list[bool] = []
    port = uart.Uart16550(sent.append, levels.append)
    port.write(uart.RBR_THR, 1, 0x41)
    assert sent == [0x41]
    assert port.read(uart.LSR, 1) == 0x60
    port.receive(b"xy")
    assert levels == [], "interrupts are off"
    port.write(uart.IER, 1, uart.IER_RX)
    assert levels == [True]
    assert port.read(uart.IIR_FCR, 1) == 0x04
    assert port.read(uart.LSR, 1) == 0x61
    assert [port.read(uart.RBR_THR, 1) for _ in range(3)] == [0x78, 0x79, 0]
    assert levels == [True, True, False], "told again while there is more"
    assert port.read(uart.IIR_FCR, 1) == 0x01
    port.write(uart.IER, 1, uart.IER_TX)
    assert levels[-1] is True
    assert port.read(uart.IIR_FCR, 1) == 0x02
    assert levels[-1] is False, "reading the cause acknowledges it"


def test_16550_divisor_and_scratch() -> None:
    sent: list[int] = []
    port = uart.Uart16550(sent.append, lambda level: None)
    port.write(uart.LCR, 1, 0x80)
    port.write(0, 1, 0x0C)
    port.write(1, 1, 0x01)
    assert (port.read(0, 1), port.read(1, 1), sent) == (0x0C, 0x01, [])
    port.write(uart.LCR, 1, 0x03)
    assert port.read(1, 1) == 0
    port.write(uart.SCR, 1, 0x5A)
    port.write(uart.MCR, 1, 0x0B)
    assert [port.read(n, 1) for n in (uart.SCR, uart.MCR, uart.LCR)] == [0x5A, 0x0B, 0x03]


def test_16550_overrun_and_fifo_reset() -> None:
    port = uart.Uart16550(lambda byte: None, lambda level: None)
    port.receive(b"x" * 5000)
    assert port.counters["rx_overruns"] == 5000 - uart.FIFO_LIMIT
    assert port.read(uart.LSR, 1) & 0x03 == 0x03
    assert port.read(uart.LSR, 1) & 0x03 == 0x01, "told once"
    port.write(uart.IIR_FCR, 1, 0x07)
    assert port.read(uart.LSR, 1) == 0x60
    assert port.read(uart.IIR_FCR, 1) == 0xC1


@pytest.fixture
def line() -> tuple[line_uart.LineUart, Ram, list[bool]]:
    ram = Ram(0x2000, BASE)
    levels: list[bool] = []
    port = line_uart.LineUart(ram, levels.append)
    port.write(line_uart.RX_BASE, 8, BASE + 0x100)
    port.write(line_uart.RX_SIZE, 4, 64)
    return port, ram, levels


def test_the_line_byte_by_byte(line) -> None:
    port, _, _ = line
    sent: list[bytes] = []
    port.on_transmit = sent.append
    port.receive(b"ab")
    assert [port.read(0, 1), port.read(0, 1), port.read(5, 1)] == [0x61, 0x62, 0x60]
    port.write(0, 1, 0x63)
    assert sent == [b"c"]
    assert port.counters["rx_bytes"] == 2


def test_the_line_by_dma(line) -> None:
    port, ram, levels = line
    port.write(line_uart.CTRL, 4, 1)
    port.receive(b"0123456789" * 5)
    port.receive(b"abc")
    assert levels == [True], "one interrupt"
    assert port.read(line_uart.RX_HEAD, 4) == 53
    assert bytes(ram.view[0x100:0x135]) == b"0123456789" * 5 + b"abc"
    port.write(line_uart.STATUS, 4, 1)
    assert levels == [True, False]
    port.write(line_uart.RX_TAIL, 4, 53)
    port.receive(b"ABCDEFGHIJKLMNOPQRST")
    assert bytes(ram.view[0x135:0x140]) == b"ABCDEFGHIJK"
    assert bytes(ram.view[0x100:0x109]) == b"LMNOPQRST", "wrapped"
    assert port.read(line_uart.STATUS, 4) == 1


def test_the_line_holds_what_the_ring_has_no_room_for(line) -> None:
    port, ram, _ = line
    port.write(line_uart.CTRL, 4, 1)
    data = bytes(range(200))
    port.receive(data)
    got = b""
    while len(got) < 200:
        head = port.read(line_uart.RX_HEAD, 4)
        for position in range(len(got), head):
            got += bytes([ram.view[0x100 + position % 64]])
        port.write(line_uart.RX_TAIL, 4, head)
    assert got == data
    port.receive(bytes(line_uart.HELD + 1000))
    assert port.counters["rx_overruns"] == 1000


def test_the_line_with_impossible_addresses(line) -> None:
    port, _, _ = line
    port.write(line_uart.TX_ADDR, 8, BASE + 0x1FFF)
    port.write(line_uart.TX_LEN, 4, 2)
    assert port.read(line_uart.STATUS, 4) == 2
    port.write(line_uart.RX_BASE, 8, 0x1000)
    port.write(line_uart.CTRL, 4, 1)
    port.receive(b"gone")
    port.write(line_uart.RX_SIZE, 4, 63)
    assert port.read(line_uart.RX_SIZE, 4) == 0, "not a power of two"
    port.receive(b"held")
    assert port.counters["dma_errors"] == 2
