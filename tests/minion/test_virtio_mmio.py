"""virtio over MMIO: negotiation by the book, and what happens to a driver that breaks it."""

from __future__ import annotations

import pytest
from machines import Bench
from virtio_driver import (
    ACKNOWLEDGE,
    DRIVER,
    DRIVER_OK,
    FEATURES_OK,
    NEEDS_RESET,
    RAM,
    SLOT,
    VERSION_1,
    Driver,
)

from minion.bus import BusError
from minion.devices import virtio_net

FREE = 0x30_0000
"""RAM the kernel of the board under test has not touched: rings go there."""


@pytest.fixture
def driver() -> Driver:
    bench = Bench()
    driver = Driver(bench)
    driver.ram.view[FREE : FREE + 0x4000] = bytes(0x4000)
    return driver


def test_identity(driver: Driver) -> None:
    assert [driver.get(n) for n in (0, 4, 8, 12)] == [0x74726976, 2, 1, 0x554D4551]
    assert driver.bench.read(SLOT + 0x1000 + 8, 4) == 4, "slot 1: entropy"
    assert driver.bench.read(SLOT + 0x7000, 4) == 0x74726976
    assert driver.bench.read(SLOT + 0x7000 + 8, 4) == 0, "slot 7: nothing"
    assert driver.get(0x0B0) == driver.get(0x0B4) == 0xFFFF_FFFF
    assert driver.get(0x0FC) == 0


def test_drivers_that_do_not_accept_version_1(driver: Driver) -> None:
    """Served where nothing on the queues depends on it: not a NIC, whose headers do."""
    assert not driver.negotiate(0)
    assert Driver(driver.bench, 1).negotiate(0), "entropy"


def test_configuration_space(driver: Driver) -> None:
    mac = bytes(driver.bench.read(driver.base + 0x100 + n, 1) for n in range(6))
    assert mac == driver.bench.board.nic.mac
    assert driver.bench.read(driver.base + 0x106, 2) == 1, "link up"
    assert driver.bench.read(driver.base + 0x10A, 2) == 1500
    driver.bench.write(driver.base + 0x100, 1, 0)
    assert driver.bench.read(driver.base + 0x100, 1) == mac[0]
    assert driver.bench.read(driver.base + 0xFF8, 8) == 0


def test_features(driver: Driver) -> None:
    offered = driver.offered()
    wanted = (
        virtio_net.CSUM | virtio_net.GUEST_CSUM | virtio_net.HOST_TSO4 | virtio_net.GUEST_TSO4
        | virtio_net.MAC | virtio_net.MTU | virtio_net.STATUS | VERSION_1
    )  # fmt: skip
    assert offered & wanted == wanted
    driver.set(0x014, 2)
    assert driver.get(0x010) == 0
    assert driver.negotiate(wanted)
    assert not driver.negotiate(wanted | 1 << 50), "never offered"
    assert not driver.negotiate(wanted & ~VERSION_1), "legacy drivers are not served"


def test_features_are_frozen_by_features_ok(driver: Driver) -> None:
    assert driver.negotiate(VERSION_1)
    driver.set(0x024, 0)
    driver.set(0x020, virtio_net.GUEST_CSUM)
    driver.start()
    assert not driver.bench.board.nic.guest_csum


def test_reset_forgets_everything(driver: Driver) -> None:
    assert driver.get(0x070) == ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK, "the kernel's"
    driver.set(0x030, 1)
    assert driver.get(0x044) == 1
    driver.set(0x070, 0)
    assert driver.get(0x070) == 0
    driver.set(0x030, 1)
    assert driver.get(0x044) == 0
    assert driver.get(0x034) == 1024
    driver.set(0x030, 2)
    assert driver.get(0x034) == 0, "no such queue"
    assert driver.bench.cable.port.rx_buffer() is None


def test_a_frame_leaves(driver: Driver) -> None:
    assert driver.negotiate(VERSION_1)
    driver.queue(1, FREE)
    driver.start()
    driver.ram.view[FREE + 0x1000 : FREE + 0x1000 + 72] = bytes(12) + b"f" * 60
    driver.describe(FREE, 0, RAM + FREE + 0x1000, 12, 1 | 1 << 16)
    driver.describe(FREE, 1, RAM + FREE + 0x100C, 60)
    driver.offer(FREE, 0)
    driver.set(0x050, 1)
    assert driver.bench.cable.sent == [bytes(12) + b"f" * 60]
    assert driver.bench.cable.flushes == 1
    assert driver.used(FREE) == 1
    assert driver.get(0x060) == 1
    driver.set(0x064, 1)
    assert driver.get(0x060) == 0


def test_frames_of_impossible_length_are_dropped(driver: Driver) -> None:
    assert driver.negotiate(VERSION_1)
    driver.queue(1, FREE)
    driver.start()
    for n, length in enumerate((0, 11, 25, 12 + 14 + 65536)):
        driver.describe(FREE, n, RAM, length)
        driver.offer(FREE, n)
    driver.set(0x050, 1)
    assert driver.bench.cable.sent == []
    assert driver.used(FREE) == 4
    assert driver.bench.board.nic.counters["tx_bad"] == 4


def test_scattered_receive_buffers(driver: Driver) -> None:
    """As Linux posts them when it has not negotiated mergeable buffers."""
    assert driver.negotiate(VERSION_1)
    driver.queue(0, FREE)
    driver.start()
    port = driver.bench.cable.port
    told: list[None] = []
    port.on_rx_space(lambda: told.append(None))
    assert port.rx_buffer() is None
    at = FREE + 0x1000
    driver.describe(FREE, 0, RAM + at, 12, 3 | 1 << 16)
    driver.describe(FREE, 1, RAM + at + 0x100, 20, 3 | 2 << 16)
    driver.describe(FREE, 2, RAM + at + 0x200, 1000, 2)
    driver.offer(FREE, 0)
    driver.set(0x050, 0)
    assert told == [None]
    buffer = port.rx_buffer()
    assert port.rx_buffer() is buffer, "the same until it is committed"
    assert len(buffer) == 1032
    buffer[:72] = bytes(12) + bytes(range(60))
    port.rx_commit(72)
    port.rx_done()
    view = driver.ram.view
    assert view[at + 10] == 1, "num_buffers"
    assert bytes(view[at + 0x100 : at + 0x114]) == bytes(range(20))
    assert bytes(view[at + 0x200 : at + 0x228]) == bytes(range(20, 60))
    assert driver.used(FREE) == 1
    assert driver.get(0x060) == 1


def test_who_asked_before_there_was_a_driver_is_told(driver: Driver) -> None:
    port = driver.bench.cable.port
    told: list[None] = []
    port.on_rx_space(lambda: told.append(None))
    driver.set(0x070, 0)
    assert port.rx_buffer() is None
    assert driver.negotiate(VERSION_1)
    driver.queue(0, FREE)
    driver.describe(FREE, 0, RAM + FREE + 0x1000, 1000, 2)
    driver.offer(FREE, 0)
    driver.start()
    assert told == [None]
    assert port.rx_buffer() is not None


def test_buffers_too_small_for_a_frame_go_back(driver: Driver) -> None:
    assert driver.negotiate(VERSION_1)
    driver.queue(0, FREE)
    driver.start()
    driver.describe(FREE, 0, RAM + FREE + 0x1000, 20, 2)
    driver.offer(FREE, 0)
    assert driver.bench.cable.port.rx_buffer() is None
    assert driver.bench.board.nic.counters["rx_small_buffers"] == 1
    assert driver.used(FREE) == 1


def test_a_driver_that_breaks_the_ring_has_to_reset(driver: Driver) -> None:
    assert driver.negotiate(VERSION_1)
    driver.queue(1, FREE)
    driver.start()
    driver.describe(FREE, 0, 0x1234, 60)
    driver.offer(FREE, 0)
    driver.set(0x050, 1)
    assert driver.get(0x070) & NEEDS_RESET
    assert driver.get(0x060) & 2, "configuration change"
    assert driver.bench.board.nic.mmio.counters["ring_errors"] == 1
    driver.set(0x070, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK)
    assert driver.get(0x070) & NEEDS_RESET, "only a reset clears it"
    driver.set(0x050, 1)
    assert driver.bench.board.nic.mmio.counters["ring_errors"] == 1, "deaf until then"
    assert driver.negotiate(VERSION_1)


def test_a_broken_receive_ring(driver: Driver) -> None:
    assert driver.negotiate(VERSION_1)
    driver.queue(0, FREE)
    driver.start()
    driver.describe(FREE, 0, RAM + FREE, 100)
    driver.offer(FREE, 0)
    assert driver.bench.cable.port.rx_buffer() is None, "not writable"
    assert driver.get(0x070) & NEEDS_RESET


def test_a_queue_outside_of_ram(driver: Driver) -> None:
    assert driver.negotiate(VERSION_1)
    driver.queue(0, 1 << 29)
    assert driver.get(0x044) == 0
    assert driver.get(0x070) & NEEDS_RESET


def test_a_reset_between_buffer_and_commit_loses_the_frame(driver: Driver) -> None:
    port = driver.bench.cable.port
    buffer = port.rx_buffer()
    assert buffer is not None
    driver.set(0x070, 0)
    port.rx_commit(100)
    port.rx_done()
    assert driver.bench.board.nic.rx_packets == 0


def test_registers_are_32_bits_wide(driver: Driver) -> None:
    for size, register in ((1, 0x000), (8, 0x070), (2, 0x010)):
        with pytest.raises(BusError):
            driver.bench.read(driver.base + register, size)
        with pytest.raises(BusError):
            driver.bench.write(driver.base + register, size, 0)


def test_entropy(driver: Driver) -> None:
    rng = Driver(driver.bench, slot=1)
    assert rng.negotiate(VERSION_1)
    rng.queue(0, FREE)
    rng.start()
    rng.describe(FREE, 0, RAM + FREE + 0x1000, 64, 2)
    rng.offer(FREE, 0)
    rng.set(0x050, 0)
    assert rng.used(FREE) == 1
    assert any(rng.ram.view[FREE + 0x1000 : FREE + 0x1040])
    rng.describe(FREE, 1, RAM, 3 << 20, 2)
    rng.offer(FREE, 1)
    rng.set(0x050, 0)
    assert driver.bench.board.rng.counters["bytes"] <= 1024 + 64 + 4096, "never megabytes"
