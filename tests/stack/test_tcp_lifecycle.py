"""Connections come and go in any order, over a bad link and in little memory; nothing stays."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from pair import PORT, B, Pair, pair, transfer
from script import App

from stack.config import SECOND, Config
from stack.socket.stream import StreamSocket

CONFIG = Config(msl_ns=1 * SECOND, orphan_ns=5 * SECOND, retries=6, syn_backlog=4)


class Lifecycle(RuleBasedStateMachine):
    """Whatever happens to connections, in the end there is no trace of them."""

    @initialize(
        seed=st.integers(0, 2**32),
        memory=st.sampled_from([30_000, 100_000, 64 << 20]),
        gso=st.booleans(),
        backlog=st.sampled_from([0, 2, 100]),
    )
    def start(self, seed: int, memory: int, gso: bool, backlog: int) -> None:
        host = {"memory_bytes": memory}
        if gso and memory > 1 << 20:
            host["gso_max_bytes"] = 65535
        self.pair = Pair(seed, replace(CONFIG), link={"delay_ns": 3_000_000}, a=host, b=host)
        self.listener = StreamSocket(self.pair.nets[1], App())
        self.listener.bind((0, PORT))
        self.listener.listen(backlog)
        self.socks: list[StreamSocket] = []

    PICK = st.integers(0, 1000)
    some = precondition(lambda self: bool(self.socks))

    def pick(self, number: int) -> StreamSocket:
        return self.socks[number % len(self.socks)]

    @rule()
    def connect(self) -> None:
        if len(self.socks) < 12:
            sock = StreamSocket(self.pair.nets[0], App(0))
            sock.connect((B, PORT))
            self.socks.append(sock)

    @rule()
    def accept(self) -> None:
        assert self.listener.listener is not None
        while self.listener.listener.ready:
            self.socks.append(self.listener.accept(lambda _sock: App(None)))

    @some
    @rule(which=PICK, size=st.integers(1, 20_000))
    def write(self, which: int, size: int) -> None:
        sock = self.pick(which)
        if not sock.shut_write:
            self.pair.write(sock, bytes(size))

    @some
    @rule(which=PICK)
    def read(self, which: int) -> None:
        sock = self.pick(which)
        if sock.tcb is not None:
            self.pair.read(sock)

    @some
    @rule(which=PICK)
    def finish(self, which: int) -> None:
        sock = self.pick(which)
        if sock.was_connected:
            sock.finish_writing()

    @some
    @rule(which=PICK, linger=st.sampled_from([None, 0]))
    def close(self, which: int, linger: int | None) -> None:
        sock = self.pick(which)
        sock.linger_s = linger
        sock.close()
        self.socks.remove(sock)

    @some
    @rule(which=PICK)
    def abort(self, which: int) -> None:
        sock = self.pick(which)
        sock.abort()
        self.socks.remove(sock)

    @rule(loss=st.sampled_from([0.0, 0.0, 0.3, 1.0]))
    def loss_becomes(self, loss: float) -> None:
        self.pair.link.forward.loss = self.pair.link.backward.loss = loss

    @rule(ms=st.sampled_from([1, 5, 50, 500, 5000]))
    def time_passes(self, ms: int) -> None:
        self.pair.world.run_for(ms)

    @invariant()
    def no_crash(self) -> None:
        if hasattr(self, "pair"):
            self.pair.check_crashes()
            for net in self.pair.nets:
                for tcb in net.tcp.connections.table.values():
                    assert tcb.snd_una <= tcb.snd_nxt <= tcb.snd_max <= tcb.snd.end + 1
                    assert tcb.rcv.length + tcb.ooo_bytes <= tcb.rcvbuf_bytes
                    assert tcb.rcv_adv >= tcb.rcv_nxt

    def teardown(self) -> None:
        if not hasattr(self, "pair"):
            return
        self.pair.link.heal()
        self.pair.world.run_for(100)
        self.accept()
        self.listener.close()
        for sock in self.socks:
            sock.close()
        self.socks.clear()
        del self.listener
        self.pair.world.run_for(2_000_000)
        self.pair.check_clean()
        self.pair.close()


TestLifecycle = pytest.mark.slow(Lifecycle.TestCase)
TestLifecycle.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True
)


# -- memory pressure: back-pressure, never a crash and never a stand-still

DATA = bytes(n * 7 % 251 for n in range(200_000))


@pytest.mark.parametrize("memory", [4_000, 10_000, 40_000])
@pytest.mark.parametrize("loss", [0.0, 0.03])
@pytest.mark.parametrize("room", [None, 0], ids=["direct", "queued"])
def test_transfers_complete_in_tiny_memory(memory: int, loss: float, room: int | None) -> None:
    host = {"memory_bytes": memory + 1514}  # the NIC keeps a frame for itself
    with pair(5, CONFIG, link={"delay_ns": 1_000_000}, a=host, b=host) as p:
        near, far = p.connect(room)
        p.link.forward.loss = p.link.backward.loss = loss
        transfer(p, near, far, DATA)
        transfer(p, far, near, DATA[:50_000])
        near.close()
        far.close()
        p.world.run_for(200_000)
        del near, far
        p.check_clean()


def test_many_connections_share_tiny_memory() -> None:
    host = {"memory_bytes": 30_000}
    with pair(5, CONFIG, link={"delay_ns": 1_000_000}, a=host, b=host) as p:
        ends = [p.connect(0) for _ in range(5)]
        data = DATA[:40_000]
        sent, got = [0] * 5, [bytearray() for _ in ends]
        for _ in range(20_000):
            for n, (near, far) in enumerate(ends):
                sent[n] += p.write(near, data[sent[n] : sent[n] + 3000])
                got[n] += p.read(far)
            if all(len(one) == len(data) for one in got):
                break
            p.world.run_for(5)
        assert all(one == data for one in got)
        for near, far in ends:
            near.close()
            far.close()
        p.world.run_for(200_000)
        del near, far, ends
        p.check_clean()


def test_what_waits_out_of_order_gives_way_to_what_is_next() -> None:
    """Else the memory it holds would keep the hole before it open for ever."""
    host = {"memory_bytes": 12_000 + 1514}
    with pair(1, CONFIG, link={"delay_ns": 1_000_000}, b=host) as p:
        near, far = p.connect(0)
        near.configure("nodelay", 1)
        p.link.disturb("drop")
        p.write(near, DATA[:14_600])
        p.world.run_for(2)
        assert far.tcb is not None
        assert far.tcb.ooo_bytes > 1000
        got = b""
        for _ in range(1000):
            p.world.run_for(50)
            got += p.read(far)
            if len(got) == 14_600:
                break
        assert got == DATA[:14_600]


# -- the callouts


def test_cancelled_callouts_do_not_pile_up() -> None:
    """Keep-alive's lie two hours ahead; they must not be kept until then."""
    with pair(1, CONFIG) as p:
        net = p.nets[0]
        for _ in range(5000):
            net.callouts.at(net.callouts.now() + 7200 * SECOND, lambda: None).cancel()
        assert len(net.callouts._heap) < 3000


def test_a_failing_callout_stops_no_other() -> None:
    with pair(1, CONFIG) as p:
        net, told = p.nets[0], []
        now = net.callouts.now()

        def fail() -> None:
            raise ZeroDivisionError

        net.callouts.at(now + 1000, fail)
        net.callouts.at(now + 1000, lambda: told.append(1))
        net.callouts.at(now + 2000, lambda: told.append(2))
        p.world.run_for(1)
        assert told == [1, 2]
        assert [name for name, _ in p.crashes[0].seen] == ["callout"]
        p.crashes[0].seen.clear()


def test_a_callout_may_plan_others_before_itself() -> None:
    with pair(1, CONFIG) as p:
        net, told = p.nets[0], []
        now = net.callouts.now()
        net.callouts.at(now + 5_000_000, lambda: told.append("late"))

        def first() -> None:
            net.callouts.at(now + 3_000_000, lambda: told.append("second"))
            net.callouts.at(now, lambda: told.append("past"))

        net.callouts.at(now + 1_000_000, first)
        p.world.run_for(10)
        assert told == ["past", "second", "late"]
