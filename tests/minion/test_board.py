"""The board as a whole: boot, deadlines, back-pressure, accounts."""

from __future__ import annotations

from pathlib import Path

import pytest
from machines import Bench

from hypercalls.bare.memory import rounded
from hypercalls.bare.net import BUFFER

MS = 1_000_000


def put(bench: Bench, data: bytes) -> bool:
    buffer = bench.cable.port.rx_buffer()
    if buffer is None:
        return False
    buffer[: 12 + len(data)] = bytes(12) + data
    bench.cable.port.rx_commit(12 + len(data))
    bench.cable.port.rx_done()
    return True


@pytest.mark.parametrize("ram_mib", [1, 2, 4, 16, 64])
def test_most_of_ram_is_left(ram_mib: int) -> None:
    memory = Bench(ram_bytes=ram_mib << 20).board.hypercalls.memory
    assert memory.free_bytes > memory.size_bytes * (0.5 if ram_mib == 1 else 0.6)


def test_too_little_ram() -> None:
    with pytest.raises(MemoryError):
        Bench(ram_bytes=512 << 10)


def test_run_returns_when_to_call_again() -> None:
    bench = Bench()
    clock = bench.board.hypercalls.clock
    assert bench.board.run() is None
    clock.set_alarm(bench.now_ns + 5 * MS + 1)
    due = bench.board.run()
    assert due == bench.now_ns + 5 * MS + 100, "rounded up to a tick"
    rang: list[int] = []
    clock.on_alarm(lambda: rang.append(bench.now_ns))
    bench.now_ns = due - 1
    assert bench.board.run() == due
    assert rang == []
    bench.now_ns = due
    assert bench.board.run() is None
    assert rang == [due]


def test_endless_work_leaves_the_host_its_turn() -> None:
    bench = Bench()
    softint = bench.board.hypercalls.threads.softint(lambda: softint.schedule())
    softint.schedule()
    assert bench.board.run() == 0


def test_no_receive_buffers_is_back_pressure() -> None:
    bench = Bench()
    net = bench.board.hypercalls.nets[0]
    port = bench.cable.port
    told: list[None] = []
    port.on_rx_space(lambda: told.append(None))
    count = 0
    while put(bench, b"f" * 60):
        count += 1
    assert 2 <= count <= 128
    assert bench.board.nic.counters["rx_starved"] == 1
    assert port.rx_buffer() is None
    assert told == []
    assert net.recv() is not None
    assert told == []
    assert net.recv() is not None, "which gives the first buffer back"
    assert told == [None]
    assert put(bench, b"g" * 60)


def test_interrupts_only_when_the_driver_waits() -> None:
    bench = Bench()
    net = bench.board.hypercalls.nets[0]
    bench.board.on_work = lambda: woken.append(None)
    woken: list[None] = []
    put(bench, b"f" * 60)
    assert woken == [None]
    bench.board.run()
    put(bench, b"f" * 60)
    bench.board.run()
    assert woken == [None], "the driver is polling"
    while net.recv() is not None:
        pass
    put(bench, b"f" * 60)
    assert woken == [None, None]


def test_long_kept_frames_are_replaced_in_the_ring() -> None:
    bench = Bench()
    net, memory = bench.board.hypercalls.nets[0], bench.board.hypercalls.memory
    before = memory.free_bytes
    put(bench, b"k" * 30_000)
    put(bench, b"s" * 100)
    frame = net.recv()
    held, offset, length = frame.keep()
    assert (offset, length) == (12, 30_000)
    assert held is frame.buffer
    assert before - memory.free_bytes == rounded(BUFFER)
    frame = net.recv()
    short = frame.keep()
    assert before - memory.free_bytes == rounded(BUFFER) + rounded(100)
    del held, short
    assert net.recv() is None
    frame.buffer = net._buffers[0]
    assert memory.free_bytes == before


def test_disks(tmp_path: Path) -> None:
    paths = []
    for n in range(3):
        path = tmp_path / f"disk{n}"
        path.write_bytes(bytes([n]) * 1024)
        paths.append((str(path), n == 2))
    bench = Bench(block=paths)
    files = bench.board.hypercalls.files
    assert files.open("vd1").size_bytes == 1024
    with pytest.raises(OSError, match="read-only"):
        files.open("vd2", write=True)
    file = files.open("/dev/vd2")
    assert file.block
    buffer = bench.board.hypercalls.memory.alloc(1024)
    done: list[tuple[int, int]] = []
    file.bio(False, buffer, 1024, 0, lambda transferred, errno: done.append((transferred, errno)))
    bench.board.run()
    assert done == [(1024, 0)]
    assert set(buffer.view) == {2}
    with pytest.raises(OSError, match="sectors"):
        file.bio(False, buffer, 100, 0, lambda transferred, errno: None)
    with pytest.raises(OSError, match="reading only"):
        file.bio(True, buffer, 512, 0, lambda transferred, errno: None)
    bench.board.close()


def test_a_disk_that_fails_is_eio(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(4096))
    bench = Bench(block=[(str(path), False)])
    path.write_bytes(b"")
    hypercalls = bench.board.hypercalls
    buffer = hypercalls.memory.alloc(512)
    done: list[tuple[int, int]] = []
    file = hypercalls.files.open("vd0", write=True)
    file.bio(False, buffer, 512, 0, lambda transferred, errno: done.append((transferred, errno)))
    bench.board.run()
    assert done == [(0, 5)]
    bench.board.close()


def test_everything_is_accounted() -> None:
    bench = Bench()
    hypercalls = bench.board.hypercalls
    hypercalls.console.write("one line\n")
    hypercalls.serial.write(b"12345")
    hypercalls.nets[0].send(b"e" * 60)
    hypercalls.nets[0].flush()
    put(bench, b"f" * 100)
    bench.board.uart1.receive(b"123")
    bench.board.run()
    table = bench.board.counters()
    assert table["uart0"]["tx_bytes"] == 9
    assert (table["line"]["tx_bytes"], table["line"]["rx_bytes"]) == (5, 3)
    assert (table["nic"]["tx_packets"], table["nic"]["tx_bytes"]) == (1, 60)
    assert (table["nic"]["rx_packets"], table["nic"]["rx_bytes"]) == (1, 100)
    assert table["interrupts"] == {"timer": 0, "virtio0": 1, "uart1": 1}
    assert table["memory"]["size_bytes"] == 4 << 20
    assert set(table) >= {"dma", "rng", "netdev"}


def test_the_console_writes_lines() -> None:
    bench = Bench()
    bench.board.hypercalls.console.write("ab\ncd")
    assert bench.written == ["ab\n"]
    bench.board.run()
    assert bench.written == ["ab\n", "cd"]


def test_power_off() -> None:
    bench = Bench()
    ended: list[str] = []

    async def main() -> None:
        try:
            await bench.board.hypercalls.clock.sleep(1)
        finally:
            ended.append("main")

    async def never_started() -> None:
        raise AssertionError

    bench.board.hypercalls.threads.create(main(), "main")
    bench.board.run()
    bench.board.hypercalls.threads.create(never_started(), "late")
    bench.board.close()
    assert ended == ["main"]
    assert bench.cable.closed
