"""sim: virtual time, links and their faults, offload across a link, and determinism."""

from __future__ import annotations

import struct

import pytest

from hypercalls.api import Hypercalls
from hypercalls.sim.offload import ones_sum
from hypercalls.sim.world import SimWorld

MS = 1_000_000


def frame(n: int, length: int = 100) -> bytes:
    return b"\xff" * 12 + b"\x08\0" + bytes([n]) * (length - 14)


def receiver(host: Hypercalls) -> list[bytes]:
    """What arrives at a host from now on."""
    net = host.nets[0]
    got: list[bytes] = []

    def receive() -> None:
        while (one := net.recv()) is not None:
            got.append(bytes(one.view))

    net.on_receive(receive)
    return got


@pytest.fixture
def world() -> SimWorld:
    world = SimWorld(seed=7)
    world.host("a")
    world.host("b")
    return world


def test_a_frame_takes_the_delay_of_the_link(world: SimWorld) -> None:
    a, b = (world.hosts[name].hypercalls for name in "ab")
    world.link(a, "b", delay_ns=3 * MS)
    got = receiver(b)
    a.nets[0].send(frame(1))
    world.run_for(2)
    assert got == []
    world.run_for(1)
    assert got == [frame(1)]
    assert [(t.time_ns, t.way, t.event) for t in world.trace] == [
        (0, "a>b", "sent"),
        (3 * MS, "a>b", "received"),
    ]


def test_rate_and_queue(world: SimWorld) -> None:
    world.link("a", "b", delay_ns=0, rate_bps=8_000_000, queue_bytes=2500)
    got = receiver(world.hosts["b"].hypercalls)
    for n in range(6):
        world.hosts["a"].nets[0].send(frame(n, 1000))
    world.run_for(1)
    assert len(got) == 1, "1,000 bytes at 8 Mbit/s are a millisecond"
    world.settle()
    assert got == [frame(n, 1000) for n in range(3)]
    assert sum(t.event == "queue" for t in world.trace) == 3
    assert world.now_ns == 3 * MS


@pytest.mark.parametrize(
    ("fault", "expected"),
    [("drop", [2, 3]), ("duplicate", [1, 1, 2, 3]), ("reorder", [2, 3, 1])],
)
def test_faults_hit_the_next_frame(world: SimWorld, fault, expected: list[int]) -> None:
    link = world.link("a", "b")
    got = receiver(world.hosts["b"].hypercalls)
    link.disturb(fault)
    for n in (1, 2, 3):
        world.hosts["a"].nets[0].send(frame(n))
    world.settle()
    assert got == [frame(n) for n in expected]


def test_corruption_flips_one_bit(world: SimWorld) -> None:
    link = world.link("a", "b")
    got = receiver(world.hosts["b"].hypercalls)
    link.disturb("corrupt")
    world.hosts["a"].nets[0].send(frame(1))
    world.settle()
    (data,) = got
    assert data[:14] == frame(1)[:14]
    assert sum((x ^ y).bit_count() for x, y in zip(data, frame(1), strict=True)) == 1


def test_faults_have_a_direction_and_heal(world: SimWorld) -> None:
    link = world.link("a", "b")
    to_a, to_b = (receiver(world.hosts[name].hypercalls) for name in "ab")
    link.disturb("drop", "backward")
    link.forward.loss = 1.0
    world.hosts["a"].nets[0].send(frame(1))
    world.hosts["b"].nets[0].send(frame(2))
    world.settle()
    assert (to_a, to_b) == ([], [])
    link.unplug()
    link.heal()
    world.hosts["a"].nets[0].send(frame(3))
    world.hosts["b"].nets[0].send(frame(4))
    world.settle()
    assert (to_a, to_b) == ([frame(4)], [frame(3)])


def test_an_oversized_frame_does_not_arrive() -> None:
    world = SimWorld()
    world.host("a", mtu_bytes=9000)
    got = receiver(world.host("b", mtu_bytes=1500))
    world.link("a", "b")
    world.hosts["a"].nets[0].send(frame(1, 3000))
    world.settle()
    assert got == []
    assert world.trace[-1].event == "size"


def chatter(seed: int) -> SimWorld:
    """Two hosts that answer each other over a bad link."""
    world = SimWorld(seed)
    a, b = world.host("a"), world.host("b")
    world.link(a, b, loss=0.2, delay_ns=700_000)

    def talk(host: Hypercalls) -> None:
        net = host.nets[0]

        async def main() -> None:
            for _ in range(50):
                await host.clock.sleep(host.random.getrandom(1)[0] * 10_000)
                net.send(b"\xff" * 14 + host.random.getrandom(40))

        host.threads.create(main(), "talk")

    talk(a)
    talk(b)
    world.settle()
    return world


def test_the_same_seed_gives_the_same_trace() -> None:
    assert chatter(5).trace == chatter(5).trace
    assert chatter(5).trace != chatter(6).trace
    assert {t.event for t in chatter(5).trace} == {
        "sent",
        "received",
        "loss",
    }


def test_run_until(world: SimWorld) -> None:
    host = world.hosts["a"].hypercalls
    woken: list[int] = []

    async def main() -> None:
        await host.clock.sleep(5 * MS)
        woken.append(host.clock.monotonic_ns())

    host.threads.create(main(), "main")
    world.run_until(lambda: bool(woken))
    assert woken == [5 * MS]
    with pytest.raises(TimeoutError):
        world.run_until(lambda: False, limit_ms=10)


def test_a_host_that_never_rests_is_found_out(world: SimWorld) -> None:
    host = world.hosts["a"].hypercalls

    async def main() -> None:
        while True:
            await host.threads.yield_()

    host.threads.create(main(), "main")
    with pytest.raises(RuntimeError, match="for ever"):
        world.work()
    world.close()


def tcp_frame(version: int, length: int) -> tuple[bytes, bytes]:
    """Headers with the pseudo-header's sum where the checksum belongs, and a payload."""
    tcp = struct.pack("!HHIIBBHHH", 1, 2, 0xFFFF_FF00, 7, 5 << 4, 0x99, 1000, 0, 0)
    tail = (20 + length).to_bytes(4, "big") + b"\0\0\0\6"
    if version == 4:
        ether, addresses = b"\xff" * 12 + b"\x08\0", b"\x0a\0\0\1\x0a\0\0\2"
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 40 + length, 9, 0, 64, 6, 0) + addresses
    else:
        ether, addresses = b"\xff" * 12 + b"\x86\xdd", bytes(range(32))
        ip = struct.pack("!IHBB", 6 << 28, 20 + length, 6, 64) + addresses
    tcp = tcp[:16] + ones_sum(addresses + tail).to_bytes(2, "big") + tcp[18:]
    return ether + ip + tcp, bytes(n % 251 for n in range(length))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("cut", ["link", "receiver"])
def test_super_segments_are_cut_for_who_cannot_take_them(version: int, cut: str) -> None:
    world = SimWorld()
    a = world.host("a", gso_max_bytes=65535)
    b = world.host("b", gso_max_bytes=65535 if cut == "link" else 0)
    world.link("a", "b", segment=cut == "link")
    got = receiver(b)
    header, payload = tcp_frame(version, 3000)
    buffer = a.memory.alloc(len(payload))
    buffer.view[:] = payload
    start = len(header) - 20
    a.nets[0].send(header, ((buffer, 0, 3000),), start, 16, gso_size=1400)
    world.settle()
    assert [len(data) - len(header) for data in got] == [1400, 1400, 200]
    assert b"".join(data[len(header) :] for data in got) == payload
    flags = [data[start + 13] for data in got]
    assert flags == [0x90, 0x10, 0x19], "CWR on the first, FIN and PSH on the last"
    for n, data in enumerate(got):
        assert struct.unpack_from("!I", data, start + 4)[0] == (0xFFFF_FF00 + 1400 * n) % 2**32
        tail = (len(data) - start).to_bytes(4, "big") + b"\0\0\0\6"
        if version == 4:
            assert ones_sum(data[14:34]) == 0xFFFF
            assert struct.unpack_from("!HH", data, 16) == (len(data) - 14, 9 + n)
            addresses = data[26:34]
        else:
            assert struct.unpack_from("!H", data, 18)[0] == len(data) - 54
            addresses = data[22:54]
        assert ones_sum(addresses + tail + data[start:]) == 0xFFFF


def test_super_segments_cross_whole_between_equals() -> None:
    world = SimWorld()
    a, b = world.host("a", gso_max_bytes=65535), world.host("b", gso_max_bytes=65535)
    world.link("a", "b")
    header, payload = tcp_frame(4, 3000)
    a.nets[0].send(header + payload, (), 34, 16, gso_size=1400)
    world.settle()
    got = b.nets[0].recv()
    assert got is not None
    assert (got.csum_ok, got.gso_size) == (True, 1400)
    assert bytes(got.view) == header + payload
