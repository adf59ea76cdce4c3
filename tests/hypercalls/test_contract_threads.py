"""api.Threads and api.Clock: order, isolation, time."""

from __future__ import annotations

from boxes import Box

from hypercalls.common.scheduler import Scheduler

MS = 1_000_000


def test_threads_start_in_order_of_creation_and_take_turns(box: Box) -> None:
    log: list[str] = []
    threads = box.hc.threads

    async def main(name: str) -> None:
        for n in range(3):
            log.append(f"{name}{n}")
            await threads.yield_()

    threads.create(main("a"), "a")
    threads.create(main("b"), "b")
    assert log == []
    box.run()
    assert log == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_join_waits_and_returns_at_once_afterwards(box: Box) -> None:
    log: list[str] = []
    threads = box.hc.threads

    async def worker() -> None:
        await box.hc.clock.sleep(MS)
        log.append("worked")

    async def boss() -> None:
        thread = threads.create(worker(), "worker")
        assert thread.name == "worker"
        assert not thread.finished
        await thread.join()
        assert thread.finished
        await thread.join()
        log.append("joined")

    threads.create(boss(), "boss")
    box.pass_time(3 * MS)
    assert log == ["worked", "joined"]


def test_a_crash_is_told_and_harms_nobody_else(box: Box) -> None:
    log: list[str] = []
    threads = box.hc.threads

    async def bad() -> None:
        await threads.yield_()
        raise ZeroDivisionError("bad")

    async def good() -> None:
        thread = threads.create(bad(), "bad")
        await thread.join()
        log.append("good")

    def bad_softint() -> None:
        raise ZeroDivisionError("softint")

    threads.create(good(), "good")
    threads.softint(bad_softint).schedule()
    threads.softint(lambda: log.append("softint")).schedule()
    box.run()
    assert log == ["softint", "good"]
    assert len(box.crashes) == 2
    assert "bad_softint" in box.crashes[0][0]
    assert box.crashes[1][0] == "thread bad"
    box.crashes.clear()


def test_a_softint_scheduled_twice_runs_once(box: Box) -> None:
    log: list[str] = []
    one = box.hc.threads.softint(lambda: log.append("one"))
    two = box.hc.threads.softint(lambda: log.append("two"))
    two.schedule()
    one.schedule()
    two.schedule()
    assert log == []
    box.run()
    assert log == ["two", "one"]
    two.schedule()
    box.run()
    assert log == ["two", "one", "two"]


def test_softints_run_before_threads_and_never_nested(box: Box) -> None:
    log: list[str] = []
    threads = box.hc.threads
    second = threads.softint(lambda: log.append("second"))

    def first_handler() -> None:
        second.schedule()
        log.append("first")

    first = threads.softint(first_handler)

    async def main() -> None:
        log.append("thread")
        first.schedule()
        log.append("scheduled")
        await threads.yield_()
        log.append("later")

    threads.create(main(), "main")
    first.schedule()
    box.run()
    assert log == ["first", "second", "thread", "scheduled", "first", "second", "later"]


def test_a_softint_may_schedule_itself(box: Box) -> None:
    count = 0

    def handler() -> None:
        nonlocal count
        count += 1
        if count < 3000:
            softint.schedule()

    softint = box.hc.threads.softint(handler)
    softint.schedule()
    for _ in range(10):
        box.run()
    assert count == 3000


def test_sleepers_wake_in_order_of_their_deadlines(box: Box) -> None:
    log: list[tuple[str, bool]] = []
    clock = box.hc.clock

    async def sleeper(name: str, duration_ns: int) -> None:
        start = clock.monotonic_ns()
        await clock.sleep(duration_ns)
        log.append((name, clock.monotonic_ns() - start >= duration_ns))

    for name, duration in (("c", 900_000), ("a", 100_000), ("b", 500_123), ("d", 900_000)):
        box.hc.threads.create(sleeper(name, duration), name)
    box.pass_time(2 * MS)
    assert log == [("a", True), ("b", True), ("c", True), ("d", True)]


def test_the_alarm_goes_off_once_not_early_and_can_be_moved(box: Box) -> None:
    clock = box.hc.clock
    rang: list[int] = []
    clock.on_alarm(lambda: rang.append(clock.monotonic_ns()))
    deadline = clock.monotonic_ns() + 2 * MS + 1
    clock.set_alarm(clock.monotonic_ns() + MS)
    clock.set_alarm(deadline)
    box.run()
    assert rang == []
    box.pass_time(3 * MS)
    assert len(rang) == 1
    assert rang[0] >= deadline
    clock.set_alarm(clock.monotonic_ns() + MS)
    clock.set_alarm(None)
    box.pass_time(2 * MS)
    assert len(rang) == 1


def test_an_alarm_in_the_past_goes_off_soon(box: Box) -> None:
    rang: list[None] = []
    box.hc.clock.on_alarm(lambda: rang.append(None))
    box.hc.clock.set_alarm(box.hc.clock.monotonic_ns() - 1)
    assert rang == []
    box.run()
    assert rang == [None]
    box.hc.clock.set_alarm(0)
    box.run()
    assert rang == [None, None]


def test_an_alarm_handler_may_set_the_next_alarm(box: Box) -> None:
    clock = box.hc.clock
    rang: list[int] = []

    def ring() -> None:
        rang.append(clock.monotonic_ns())
        if len(rang) < 5:
            clock.set_alarm(clock.monotonic_ns() + 200_000)

    clock.on_alarm(ring)
    clock.set_alarm(clock.monotonic_ns() + 200_000)
    for _ in range(1000):  # a busy host is late
        box.pass_time(3 * MS)
        if len(rang) >= 5:
            break
    box.pass_time(3 * MS)
    assert len(rang) == 5


def test_an_alarm_handler_that_fails_is_told(box: Box) -> None:
    box.hc.clock.on_alarm(lambda: 1 // 0)
    box.hc.clock.set_alarm(0)
    box.run()
    assert isinstance(box.crashes.pop()[1], ZeroDivisionError)


def test_time_goes_on(box: Box) -> None:
    clock = box.hc.clock
    monotonic, wall = clock.monotonic_ns(), clock.wall_ns()
    box.pass_time(MS)
    assert clock.monotonic_ns() - monotonic >= MS
    assert 0 < clock.wall_ns() - wall < 60_000 * MS
    assert clock.wall_ns() > 1_600_000_000 * 1_000 * MS


class Line:
    """An interrupt line, as Signals."""

    mip = 0


def test_an_interrupt_that_the_last_softint_raises_is_delivered() -> None:
    """Nobody calls run again for it: its device is in this process, and has spoken already."""
    line = Line()
    delivered: list[int] = []

    def deliver() -> bool:
        line.mip = 0
        delivered.append(1)
        return True

    def work() -> None:
        line.mip = 1

    scheduler = Scheduler(deliver)
    scheduler.signals = line
    scheduler.softint(work).schedule()
    assert not scheduler.run()
    assert delivered == [1]
