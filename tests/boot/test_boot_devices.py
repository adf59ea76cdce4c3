"""Finisher, boot ROM, virtio console, and devices after a reset."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from virtio_driver import NEEDS_RESET, RAM, VERSION_1, Driver

from minion.boot import rom
from minion.devices.finisher import Finisher
from minion.devices.virtio_console import HELD, SIZE
from minion.virt import CONSOLE_SLOT, Virt

RX_RING, TX_RING, DATA = 0x10000, 0x11000, 0x12000


# -- finisher


@pytest.mark.parametrize(("value", "size", "expected"), [
    (0x5555, 4, [0]), (0x5555, 2, [0]), (0x0003_3333, 4, [3]), (0x3333, 4, [1]),
    (0x0100_3333, 4, [1]), (0x1_3333, 8, [1]), (0x7777, 4, ["reset"]), (0x1234, 4, []),
    (0x55, 1, []),
])  # fmt: skip
def test_finisher(value: int, size: int, expected: list[object]) -> None:
    seen: list[object] = []
    finisher = Finisher(seen.append, lambda: seen.append("reset"))
    finisher.write(0, size, value)
    finisher.write(4, 4, 0x5555)
    assert seen == expected
    assert finisher.read(0, 4) == 0


# -- boot ROM


def test_the_reset_vector_is_qemus() -> None:
    """As gdb shows it in qemu-system-riscv64 -M virt -m 64 -bios none."""
    words = rom.contents(64, 0x8000_0000, 0x83E0_0000, 0x8000_0000)
    assert [int.from_bytes(words[n : n + 4], "little") for n in range(0, 0x58, 4)] == [
        0x00000297, 0x02828613, 0xF1402573, 0x0202B583, 0x0182B283, 0x00028067,
        0x80000000, 0, 0x83E00000, 0, 0x4942534F, 0, 2, 0, 0x80000000, 0, 1, 0, 0, 0, 0, 0,
    ]  # fmt: skip
    assert len(words) == 0xF000


def test_the_reset_vector_of_32_bits() -> None:
    words = rom.contents(32, 0x8000_0000, 0x83E0_0000, 0x8040_0000)
    assert [int.from_bytes(words[n : n + 4], "little") for n in range(0, 0x40, 4)] == [
        0x00000297, 0x02828613, 0xF1402573, 0x0202A583, 0x0182A283, 0x00028067,
        0x80000000, 0, 0x83E00000, 0, 0x4942534F, 2, 0x80400000, 1, 0, 0,
    ]  # fmt: skip


def test_a_rom_is_read_only() -> None:
    one = rom.Rom()
    one.data = b"\x11\x22\x33\x44"
    one.write(0, 4, 0)
    assert (one.read(0, 4), one.read(1, 2), one.read(8, 4)) == (0x44332211, 0x3322, 0)


# -- virtio console


@dataclass
class Bench:
    """A board with a console, and nobody on its hart."""

    columns: int = 80
    rows: int = 25
    sent: bytearray = field(default_factory=bytearray)
    uart: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.board = Virt(1 << 20, lambda: 0, self.uart.append)
        self.console = self.board.add_console(self.sent.extend, self.columns, self.rows)
        self.board.close_slots()
        self.read, self.write = self.board.bus.read, self.board.bus.write

    def driver(self) -> Driver:
        driver = Driver(self, CONSOLE_SLOT)
        assert driver.negotiate(VERSION_1 | (SIZE if self.columns else 0))
        driver.queue(0, RX_RING)
        driver.queue(1, TX_RING)
        driver.start()
        return driver

    def post(self, driver: Driver, head: int, length: int) -> None:
        driver.describe(RX_RING, head, RAM + DATA + 64 * head, length, 2)
        driver.offer(RX_RING, head)

    def got(self, index: int) -> bytes:
        """What the index-th used buffer holds."""
        used = RX_RING + 0x804 + 8 * index >> 2
        head, length = self.board.ram.u32[used], self.board.ram.u32[used + 1]
        start = DATA + 64 * head
        return bytes(self.board.ram.view[start : start + length])


def test_the_console_says_what_it_is() -> None:
    bench = Bench()
    driver = bench.driver()
    assert driver.get(8) == 3
    assert driver.offered() == VERSION_1 | SIZE
    assert [driver.get(0x100), driver.get(0x104)] == [25 << 16 | 80, 1]
    assert Driver(Bench(0, 0), CONSOLE_SLOT).offered() == VERSION_1


def test_the_console_writes() -> None:
    bench = Bench()
    driver = bench.driver()
    for head, text in enumerate((b"hello, ", b"world\n")):
        bench.board.ram.view[DATA + 64 * head :][: len(text)] = text
        driver.describe(TX_RING, head, RAM + DATA + 64 * head, len(text))
        driver.offer(TX_RING, head)
    driver.set(0x50, 1)
    assert bytes(bench.sent) == b"hello, world\n"
    assert driver.used(TX_RING) == 2
    assert bench.console.counters["tx_bytes"] == 13
    assert driver.get(0x60) == 1
    assert bench.read(0x0C00_1000, 4) == 1 << 8, "slot 7 is source 8"


def test_the_console_reads() -> None:
    bench = Bench()
    driver = bench.driver()
    for head in (0, 1):
        bench.post(driver, head, 4)
    driver.set(0x50, 0)
    assert driver.used(RX_RING) == 0
    bench.console.receive(b"abcdef")
    assert [bench.got(0), bench.got(1)] == [b"abcd", b"ef"]
    bench.console.receive(b"later")
    assert driver.used(RX_RING) == 2
    bench.post(driver, 2, 64)
    driver.set(0x50, 0)
    assert bench.got(2) == b"later"


def test_what_is_typed_before_there_is_a_driver_waits() -> None:
    bench = Bench()
    bench.console.receive(b"early")
    driver = bench.driver()
    bench.post(driver, 3, 64)
    driver.set(0x50, 0)
    assert bench.got(0) == b"early"
    bench.console.receive(bytes(HELD + 7))
    assert bench.console.counters["rx_overruns"] == 7


@pytest.mark.parametrize(("queue", "ring", "flags"), [(0, RX_RING, 0), (1, TX_RING, 2)])
def test_buffers_of_the_wrong_kind(queue: int, ring: int, flags: int) -> None:
    bench = Bench()
    driver = bench.driver()
    driver.describe(ring, 0, RAM + DATA, 8, flags)
    driver.offer(ring, 0)
    bench.console.receive(b"x")
    driver.set(0x50, queue)
    assert driver.get(0x70) & NEEDS_RESET
    bench.console.receive(b"nobody listens")
    assert not bench.sent


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=90), st.integers(1, 70)), max_size=30))
def test_every_byte_once_and_in_order(events: list[bytes | int]) -> None:
    """bytes are typed, numbers are buffers posted."""
    bench = Bench()
    driver = bench.driver()
    typed = received = b""
    posted = used = 0
    for event in events:
        if isinstance(event, bytes):
            typed += event
            bench.console.receive(event)
        elif posted - used < 8:
            bench.post(driver, posted % 8, min(event, 64))
            posted += 1
            driver.set(0x50, 0)
        while used < driver.used(RX_RING):
            slot = used % 8
            received += bench.got(slot)
            used += 1
        assert typed.startswith(received)
        assert len(received) == len(typed) or used == posted


# -- reset


def test_devices_after_a_reset() -> None:
    bench = Bench()
    driver = bench.driver()
    board = bench.board
    bench.write(0x0200_0000, 4, 1)
    bench.write(0x0200_4000, 8, 0)
    bench.write(0x0C00_0000 + 4 * 10, 4, 1)
    bench.write(0x0C00_2000, 4, 1 << 10)
    bench.write(0x1000_0001, 1, 1)
    board.uart0.receive(b"x")
    assert board.lines.mip == 1 << 3 | 1 << 7 | 1 << 11
    assert bench.read(0x0C20_0004, 4) == 10
    board.uart0.receive(b"y")
    board.reset()
    assert board.lines.mip == 0
    assert driver.get(0x70) == 0
    assert [bench.read(0x0C20_0004, 4), bench.read(0x1000_0001, 1)] == [0, 0]
    assert bench.read(0x1000_0005, 1) == 0x60
    assert board.clint.deadline_ns() is None
    bench.write(0x0C00_0000 + 4 * 10, 4, 1)
    bench.write(0x0C00_2000, 4, 1 << 10)
    bench.write(0x1000_0001, 1, 1)
    board.uart0.receive(b"z")
    assert bench.read(0x0C20_0004, 4) == 10, "a claim that was never completed is forgotten"
