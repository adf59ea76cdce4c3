"""Two stacks talk over a link that does what it likes (model-based, Hypothesis)."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from pair import Pair

from hypercalls.sim.net import Fault
from stack.config import Config
from stack.socket.stream import StreamSocket

BASE = Config(msl_ns=1_000_000_000, orphan_ns=2_000_000_000)
HOSTS = {
    "plain": {},
    "offload": {"csum_offload": True},
    "gso": {"gso_max_bytes": 65535},
    "small": {"mtu_bytes": 576},
}
FAULTS = st.sampled_from(["drop", "duplicate", "reorder", "corrupt"])
WAYS = st.sampled_from(["forward", "backward"])


class End:
    """One end: what was written here, and what was read here."""

    def __init__(self, sock: StreamSocket) -> None:
        self.sock = sock
        self.sent = b""
        self.got = b""
        self.finished = False


class Conversation(RuleBasedStateMachine):
    """Whatever the link does, each reads a prefix of what the other wrote, and in the end all."""

    @initialize(
        seed=st.integers(0, 2**32),
        hosts=st.tuples(st.sampled_from(sorted(HOSTS)), st.sampled_from(sorted(HOSTS))),
        sndbuf=st.sampled_from([2000, 16384, 1 << 20]),
        rcvbuf=st.sampled_from([2000, 16384, 1 << 20]),
        nodelay=st.booleans(),
        segment=st.booleans(),
        room=st.sampled_from([None, 0, 700]),
    )
    def connect(
        self, seed: int, hosts: tuple[str, str], sndbuf: int, rcvbuf: int, nodelay: bool,
        segment: bool, room: int | None,
    ) -> None:  # fmt: skip
        config = replace(BASE, sndbuf_bytes=sndbuf, rcvbuf_bytes=rcvbuf)
        a, b = (dict(HOSTS[name]) for name in hosts)
        if a.get("mtu_bytes") != b.get("mtu_bytes"):
            a["mtu_bytes"] = b["mtu_bytes"] = 576
        self.pair = Pair(seed, config, link={"delay_ns": 5_000_000, "segment": segment}, a=a, b=b)
        near, far = self.pair.connect(room)
        self.ends = [End(near), End(far)]
        for end in self.ends:
            end.sock.configure("nodelay", nodelay)

    ENDS = st.sampled_from([0, 1])

    @rule(which=ENDS, data=st.binary(min_size=1, max_size=5000))
    def write(self, which: int, data: bytes) -> None:
        end = self.ends[which]
        if not end.finished:
            end.sent += data[: self.pair.write(end.sock, data)]

    @rule(which=ENDS, size=st.integers(10_000, 100_000))
    def write_much(self, which: int, size: int) -> None:
        self.write(which, bytes(n * 31 % 251 for n in range(256)) * (size // 256))

    @rule(which=ENDS, size=st.integers(1, 50_000))
    def read(self, which: int, size: int) -> None:
        self.ends[which].got += self.pair.read(self.ends[which].sock, size)

    @rule(which=ENDS)
    def finish(self, which: int) -> None:
        end = self.ends[which]
        if not end.finished:
            end.finished = True
            end.sock.finish_writing()

    @rule(which=ENDS, on=st.booleans())
    def cork(self, which: int, on: bool) -> None:
        self.ends[which].sock.configure("cork", on)
        if not on:
            self.ends[which].sock.push()

    @rule(fault=FAULTS, way=WAYS)
    def next_frame_suffers(self, fault: Fault, way: Literal["forward", "backward"]) -> None:
        self.pair.link.disturb(fault, way)

    @rule(loss=st.sampled_from([0.0, 0.1, 0.4]))
    def loss_becomes(self, loss: float) -> None:
        self.pair.link.forward.loss = self.pair.link.backward.loss = loss

    @rule()
    def cable_falls_out(self) -> None:
        self.pair.link.unplug()

    @rule()
    def heal(self) -> None:
        self.pair.link.heal()

    @rule(ms=st.integers(1, 3000))
    def time_passes(self, ms: int) -> None:
        self.pair.world.run_for(ms)

    @precondition(lambda self: hasattr(self, "ends"))
    @invariant()
    def reads_are_a_prefix_of_writes(self) -> None:
        self.pair.check_crashes()
        a, b = self.ends
        assert a.sent.startswith(b.got)
        assert b.sent.startswith(a.got)

    def teardown(self) -> None:
        if not hasattr(self, "ends"):
            return
        pair, (a, b) = self.pair, self.ends
        pair.link.heal()
        for end in self.ends:
            end.sock.configure("cork", 0)
            if not end.finished:
                end.sock.finish_writing()
        for _ in range(2000):
            pair.world.run_for(100)
            for end in self.ends:
                end.got += pair.read(end.sock)
            if a.sock.at_eof and b.sock.at_eof:
                break
        self.reads_are_a_prefix_of_writes()
        assert b.got == a.sent
        assert a.got == b.sent
        a.sock.close()
        b.sock.close()
        pair.world.run_for(700_000)
        for end in self.ends:
            assert end.sock.error == 0
        self.ends = []
        del a, b, end
        pair.check_clean()
        pair.close()
        del self.ends


TestConversation = pytest.mark.slow(Conversation.TestCase)
TestConversation.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True
)
