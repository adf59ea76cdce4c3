"""What grows with the number of connections, fragments and segments, and what does not.

Counted in lines of Python, not in time: on a busy machine too, twice the work is twice as many.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from script import PEER, US, App, lab, script

from stack.config import Config
from stack.socket.stream import StreamSocket
from stack.tcp.connections import TimeWait
from stack.wire import ipv4
from stack.wire.ipv4 import MORE_FRAGMENTS, Ipv4


def lines(call: Callable[[], object]) -> int:
    """Lines of Python that a call executes."""
    count = 0

    def trace(_frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    gc.collect()
    gc.disable()  # what it finds runs lines of its own (__del__), whenever it comes
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
        gc.enable()
    return count


def bind_lines(connections: int) -> int:
    """To bind, to listen and to connect beside so many connections."""
    with lab() as t:
        table = t.net.tcp.connections
        for n in range(connections):
            key = (US, 30_000 + n % 1000, PEER, 1000 + n // 1000)
            table.time_wait[key] = TimeWait(0, 0, 0, 1 << 62)
            table.connected.add(key[0], key[1])

        def calls() -> None:
            for port in (0, 80):
                sock = StreamSocket(t.net, App())
                sock.bind((0, port))
                sock.listen(5)
            StreamSocket(t.net, App()).connect((PEER, 80))

        return lines(calls)


def test_bind_and_the_search_for_a_port_do_not_look_at_all_connections() -> None:
    assert bind_lines(20_000) == bind_lines(0)


def fragments_lines(count: int) -> int:
    """To put a datagram of so many fragments together, from its end to its beginning."""
    with lab(Config(reassembly_bytes=1 << 20)) as t:
        order = [n * 7919 % count for n in range(count)]

        def calls() -> None:
            for n in order:
                more = MORE_FRAGMENTS if n < count - 1 else 0
                piece = Ipv4(PEER, US, ipv4.UDP, 20, 28, 7, more | n)
                t.net.ip.reassembly.input(piece, memoryview(bytes(8)), 0)

        found = lines(calls)
        assert t.net.ip.reassembly.counters["reassembled"] == 1
        return found


def test_ip_reassembly_grows_with_the_fragments_only() -> None:
    assert fragments_lines(2000) < 2.2 * fragments_lines(1000)


def segments_lines(count: int) -> int:
    """To take in so many segments out of order, and then the one before them."""
    with script(Config(reassembly_queue_segments=1000)) as t:
        t.accept()
        order = [n * 101 % count for n in range(count)]

        def calls() -> None:
            for n in order:
                t.inject("A", 11 + 10 * n, 1, bytes(10))
            t.inject("A", 1, 1, bytes(10))

        found = lines(calls)
        assert t.sock.tcb is not None
        assert t.sock.tcb.rcv_nxt - t.sock.tcb.irs == 11 + 10 * count
        return found


def test_tcp_reassembly_grows_with_the_segments_only() -> None:
    assert segments_lines(400) < 2.2 * segments_lines(200)
