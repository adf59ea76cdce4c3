"""A peer that sends anything: no assertion is its to reach, and nothing of it stays."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from script import PEER, PORT, US, App, Script, script

from stack.config import SECOND, Config
from stack.socket.stream import StreamSocket
from stack.wire import ipv4
from stack.wire.icmp import Icmp
from stack.wire.ipv4 import Ipv4

CONFIG = Config(
    rcvbuf_bytes=8000, sndbuf_bytes=8000, msl_ns=SECOND, orphan_ns=5 * SECOND, retries=5
)
NEAR = st.one_of(
    st.integers(-3, 3), st.integers(-3000, 12_000), st.integers(-(1 << 31), (1 << 31) - 1)
)
SEGMENTS = st.tuples(
    st.just("segment"),
    st.sampled_from(["A", "A", "A", "AP", "AF", "S", "SA", "R", "RA", "F", "AU", "SF", "SFRPAU"]),
    NEAR, st.one_of(st.none(), NEAR), st.integers(0, 1400), st.sampled_from([0, 1, 500, 65535]),
    st.sampled_from([b"", b"", b"\2\4\1\0", b"\3\3\16\0", b"\2\0", b"\1\1\1\1\1\1\1\2"]),
)  # fmt: skip
CALLS = st.tuples(
    st.sampled_from(["write", "read", "finish", "close", "abort", "push", "cork"]),
    st.integers(1, 5000),
)
ICMP = st.tuples(
    st.just("icmp"), st.sampled_from([(3, 1), (3, 3), (3, 4), (3, 4), (4, 0), (11, 0), (12, 0)]),
    NEAR, st.one_of(st.sampled_from([0, 1, 40, 67, 68, 551, 552, 1400]), st.integers(0, 65535)),
    st.integers(0, 28),
)  # fmt: skip
TIMES = st.tuples(st.just("time"), st.sampled_from([1, 40, 200, 1000, 60_000]))
STEPS = st.lists(st.one_of(SEGMENTS, SEGMENTS, SEGMENTS, ICMP, CALLS, TIMES), max_size=30)


def call(t: Script, name: str, amount: int) -> None:
    sock = t.sock
    if sock.tcb is None:
        return
    if name == "write" and not sock.shut_write:
        t.write(bytes(amount))
    elif name == "read":
        t.read(amount)
    elif name == "finish":
        t.finish_writing()
    elif name == "push":
        sock.push()
    elif name == "cork":
        sock.configure("cork", amount % 2)
    elif name in ("close", "abort"):
        getattr(sock, name)()
    t.world.work()


def report(t: Script, kind: int, code: int, seq: int, rest: int, short: int) -> None:
    """An ICMP error that quotes a segment of ours, or less than one."""
    ports = t.port.to_bytes(2, "big") + t.peer_port.to_bytes(2, "big")
    number = (t.iss + seq & 0xFFFFFFFF).to_bytes(4, "big")
    quoted = Ipv4(US, PEER, ipv4.TCP, 20, 40).emit() + ports + number
    message = Icmp(kind, code, rest, quoted[: len(quoted) - short]).emit()
    header = Ipv4(PEER, US, ipv4.ICMP, 20, 20 + len(message))
    t.wire.send_ip(header.emit() + message)


def check(t: Script) -> None:
    t.crashes.check()
    for tcb in t.net.tcp.connections.table.values():
        assert tcb.snd_una <= tcb.snd_nxt <= tcb.snd_max <= tcb.snd.end + 1
        assert tcb.rcv.length + tcb.ooo_bytes <= tcb.rcvbuf_bytes
        assert tcb.rcv_nxt <= tcb.rcv_adv
        assert tcb.ooo_bytes == sum(end - seq for seq, end, _item, _fin in tcb.ooo)
        if tcb.snd_max > tcb.snd_una:
            assert tcb.rexmt_at
            assert tcb.callout is not None
            assert tcb.callout.when_ns <= tcb.rexmt_at


def run(start: str, steps: list[tuple[object, ...]]) -> None:
    with script(CONFIG) as t:
        free = t.hyper.memory.free_bytes
        t.app.room = 3000
        if start == "connecting":
            t.peer_port, t.port = PORT, 0
            t.sock.connect((PEER, PORT))
            t.port = t.expect("S").port
        elif start == "connected":
            t.connect(scale=2)
        elif start == "accepted":
            t.accept()
        else:
            t.listen(backlog=2)
        for step in steps:
            if step[0] == "segment":
                _, flags, seq, ack, length, win, options = step
                t.inject(flags, seq, ack, bytes(length), win, options)  # type: ignore[arg-type]
            elif step[0] == "icmp":
                _, (kind, code), seq, rest, short = step  # type: ignore[misc]
                report(t, kind, code, seq, rest, short)  # type: ignore[has-type, arg-type]
            elif step[0] == "time":
                t.run_ms(step[1])  # type: ignore[arg-type]
            else:
                call(t, step[0], step[1])  # type: ignore[arg-type]
            check(t)
            t.wire.take()
        if t.listener is not None:
            while t.listener.listener is not None and t.listener.listener.ready:
                t.listener.accept(lambda _sock: App()).abort()
            t.listener.close()
        t.sock.close()
        t.run_ms(2_000_000)
        check(t)
        assert t.gone
        assert len(t.net.callouts) == 0
        t.sock = StreamSocket(t.net, t.app)
        assert t.hyper.memory.free_bytes == free


@pytest.mark.slow
@pytest.mark.parametrize("start", ["listening", "connecting", "connected", "accepted"])
def test_any_segments(start: str) -> None:
    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(STEPS)
    def attempt(steps: list[tuple[object, ...]]) -> None:
        run(start, steps)

    attempt()
