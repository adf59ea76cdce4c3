"""host.reactor: order, deadlines, descriptors that change hands within a turn."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from hypercalls.host.reactor import IN, OUT, Reactor


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    made = Reactor()
    made.run_once(False)
    yield made
    made.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for fd in (read, write):
        try:
            os.close(fd)
        except OSError:
            pass  # the test closed it


def test_an_event_reaches_its_handler_until_unregistered(reactor: Reactor, pipe) -> None:
    read, write = pipe
    masks: list[int] = []
    reactor.register(read, IN, masks.append)
    reactor.run_once(False)
    assert masks == []
    os.write(write, b"x")
    reactor.run_once(True)
    reactor.run_once(True)
    assert masks == [IN, IN], "level triggered"
    reactor.modify(read, 0)
    reactor.run_once(False)
    reactor.unregister(read)
    reactor.unregister(read)
    reactor.run_once(False)
    assert len(masks) == 2


def test_a_handler_that_fails_takes_nobody_along(reactor: Reactor, pipe) -> None:
    crashes: list[str] = []
    reactor.crashed = lambda name, exc: crashes.append(name)
    calls: list[str] = []

    def bad(mask: int) -> None:
        raise ValueError

    reactor.register(pipe[1], OUT, bad)
    reactor.call_at(0, lambda: 1 // 0)
    reactor.call_at(0, lambda: calls.append("timer"))
    reactor.add_idle(lambda: 1 // 0)
    reactor.add_idle(lambda: calls.append("idle"))
    reactor.run_once(False)
    assert calls == ["timer", "idle"]
    assert len(crashes) == 3
    assert "bad" in crashes[0]


def test_an_event_of_a_removed_handler_is_dropped_even_if_its_number_is_reused(
    reactor: Reactor,
) -> None:
    ours, theirs = os.pipe(), os.pipe()
    log: list[str] = []
    reused: list[int] = []

    def replace(victim: int) -> None:
        """Close the other descriptor, and open one that gets its number."""
        if reused:
            return
        reactor.unregister(victim)
        os.close(victim)
        fresh = os.pipe()
        assert victim in fresh
        reused.extend(fresh)
        reactor.register(victim, IN, lambda mask: log.append("reused"))

    reactor.register(ours[0], IN, lambda mask: (log.append("ours"), replace(theirs[0])))
    reactor.register(theirs[0], IN, lambda mask: (log.append("theirs"), replace(ours[0])))
    os.write(ours[1], b"x")
    os.write(theirs[1], b"x")
    reactor.run_once(True)
    assert log in (["ours"], ["theirs"])
    for fd in {*ours, *theirs, *reused}:
        os.close(fd)


def test_timers_in_order_never_early_and_cancelled_never(reactor: Reactor) -> None:
    now = time.monotonic_ns()
    rang: list[tuple[str, bool]] = []

    def at(name: str, delay_ns: int):
        due = now + delay_ns
        return reactor.call_at(due, lambda: rang.append((name, time.monotonic_ns() >= due)))

    at("c", 1_500_001)
    at("a", 200_000)
    gone = at("b", 700_000)
    gone.cancel()
    gone.cancel()
    while len(rang) < 2:
        reactor.run_once(True)
    assert rang == [("a", True), ("c", True)]


def test_a_wait_neither_spins_nor_oversleeps_by_a_millisecond(reactor: Reactor) -> None:
    late: list[int] = []
    dues: list[int] = []
    turns = 0
    for _ in range(5):
        due = time.monotonic_ns() + 300_000
        reactor.call_at(due, lambda: late.append(time.monotonic_ns()))
        while len(late) == len(dues):
            reactor.run_once(True)
            turns += 1
        dues.append(due)
    assert min(time_ns - due for time_ns, due in zip(late, dues, strict=True)) < 600_000
    assert turns <= 10


def test_cancelled_timers_do_not_pile_up(reactor: Reactor) -> None:
    far = time.monotonic_ns() + 3_600_000_000_000
    for _ in range(10_000):
        reactor.call_at(far, lambda: None).cancel()
    assert len(reactor._timers) < 200


def test_idle_functions_run_after_every_batch_and_bound_the_wait(reactor: Reactor) -> None:
    deadlines = [0, None]
    calls: list[None] = []

    def idle() -> int | None:
        calls.append(None)
        return deadlines.pop(0) if deadlines else time.monotonic_ns() + 500_000

    reactor.add_idle(idle)
    for _ in range(2):
        reactor.run_once(True)
    assert len(calls) == 2
    reactor.call_at(0, lambda: None)
    reactor.run_once(True)
    reactor.run_once(True)
    assert len(calls) == 4


def test_work_made_for_an_earlier_idle_function_is_done_before_waiting(reactor: Reactor) -> None:
    inbox: list[str] = []
    done: list[str] = []

    def first() -> None:
        done.extend(inbox)
        inbox.clear()

    def second() -> None:
        if not done:
            inbox.append("frame")
            reactor.again()

    reactor.add_idle(first)
    reactor.add_idle(second)
    reactor.run_once(False)
    assert done == ["frame"]


def test_other_threads_may_call_and_stop(reactor: Reactor) -> None:
    log: list[str] = []

    def from_outside() -> None:
        reactor.call_soon_threadsafe(lambda: log.append("called"))
        reactor.call_soon_threadsafe(reactor.stop)

    thread = threading.Thread(target=from_outside)
    thread.start()
    reactor.run()
    thread.join()
    assert log == ["called"]
