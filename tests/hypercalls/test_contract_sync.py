"""api.Sync: who gets a lock, and when."""

from __future__ import annotations

import pytest
from boxes import Box

MS = 1_000_000


def test_a_mutex_is_first_come_first_served(box: Box) -> None:
    threads, mutex = box.hc.threads, box.hc.sync.mutex()
    log: list[str] = []

    async def main(name: str) -> None:
        await mutex.enter()
        log.append(f"+{name}")
        assert mutex.owner is not None
        assert mutex.owner.name == name
        assert not mutex.tryenter()
        await threads.yield_()
        log.append(f"-{name}")
        mutex.exit()
        if name == "a":
            assert not mutex.tryenter(), "handed over, not up for grabs"

    for name in "abc":
        threads.create(main(name), name)
    box.run()
    assert log == ["+a", "-a", "+b", "-b", "+c", "-c"]
    assert mutex.owner is None


def test_only_the_owner_may_leave_a_mutex(box: Box) -> None:
    threads, mutex = box.hc.threads, box.hc.sync.mutex()
    failed: list[str] = []

    async def owner() -> None:
        assert mutex.tryenter()
        await threads.yield_()
        await threads.yield_()
        mutex.exit()

    async def thief() -> None:
        with pytest.raises(RuntimeError):
            mutex.exit()
        failed.append("thief")

    threads.create(owner(), "owner")
    threads.create(thief(), "thief")
    box.run()
    assert failed == ["thief"]
    with pytest.raises(RuntimeError):
        mutex.exit()


def test_readers_share_and_a_waiting_writer_keeps_new_ones_out(box: Box) -> None:
    threads, lock = box.hc.threads, box.hc.sync.rwlock()
    log: list[str] = []

    async def reader(name: str, turns: int) -> None:
        await lock.enter(False)
        log.append(f"+{name}")
        assert lock.held(False)
        assert not lock.held(True)
        for _ in range(turns):
            await threads.yield_()
        log.append(f"-{name}")
        lock.exit()

    async def writer() -> None:
        await lock.enter(True)
        log.append("+w")
        assert lock.held(True)
        assert not lock.held(False)
        await threads.yield_()
        log.append("-w")
        lock.exit()

    async def late() -> None:
        assert not lock.tryenter(False), "a writer waits"
        await reader("late", 0)

    threads.create(reader("r1", 3), "r1")
    threads.create(reader("r2", 3), "r2")
    threads.create(writer(), "w")
    threads.create(late(), "late")
    box.run()
    assert log == ["+r1", "+r2", "-r1", "-r2", "+w", "-w", "+late", "-late"]
    assert not lock.held(False)
    assert not lock.held(True)


def test_upgrade_and_downgrade(box: Box) -> None:
    threads, lock = box.hc.threads, box.hc.sync.rwlock()
    log: list[str] = []

    async def first() -> None:
        await lock.enter(False)
        await threads.yield_()
        assert not lock.tryupgrade(), "second reads too"
        await threads.yield_()
        assert lock.tryupgrade()
        log.append("upgraded")
        await threads.yield_()
        lock.downgrade()
        log.append("downgraded")
        await threads.yield_()
        lock.exit()
        with pytest.raises(RuntimeError):
            lock.exit()

    async def second() -> None:
        await lock.enter(False)
        await threads.yield_()
        lock.exit()
        await threads.yield_()
        await lock.enter(False)
        log.append("reads beside")
        lock.exit()
        assert lock.held(False)

    threads.create(first(), "first")
    threads.create(second(), "second")
    box.run()
    assert log == ["upgraded", "downgraded", "reads beside"]
    assert not lock.held(False)


def test_signal_wakes_the_longest_waiting_and_broadcast_all(box: Box) -> None:
    threads, mutex, cv = box.hc.threads, box.hc.sync.mutex(), box.hc.sync.condvar()
    log: list[str] = []

    async def waiter(name: str) -> None:
        await mutex.enter()
        await cv.wait(mutex)
        assert mutex.owner is not None
        assert mutex.owner.name == name
        log.append(name)
        mutex.exit()

    for name in "abcd":
        threads.create(waiter(name), name)
    cv.signal()
    box.run()
    assert log == []
    assert cv.has_waiters
    cv.signal()
    box.run()
    assert log == ["a"]
    cv.broadcast()
    box.run()
    assert log == ["a", "b", "c", "d"]
    assert not cv.has_waiters


def test_timedwait_tells_signal_from_timeout(box: Box) -> None:
    threads, mutex, cv = box.hc.threads, box.hc.sync.mutex(), box.hc.sync.condvar()
    log: list[tuple[str, bool]] = []

    async def waiter(name: str, timeout_ns: int) -> None:
        await mutex.enter()
        log.append((name, await cv.timedwait(mutex, timeout_ns)))
        assert mutex.owner is not None
        mutex.exit()

    threads.create(waiter("short", MS), "short")
    threads.create(waiter("long", 3_600_000 * MS), "long")
    box.run()
    box.pass_time(2 * MS)
    assert log == [("short", False)]
    cv.signal()
    box.run()
    assert log == [("short", False), ("long", True)]
    assert not cv.has_waiters


def test_a_timed_out_waiter_gets_no_signal(box: Box) -> None:
    threads, mutex, cv = box.hc.threads, box.hc.sync.mutex(), box.hc.sync.condvar()
    log: list[object] = []

    async def timed() -> None:
        await mutex.enter()
        log.append(await cv.timedwait(mutex, MS))
        mutex.exit()

    async def patient() -> None:
        await mutex.enter()
        await cv.wait(mutex)
        log.append("patient")
        mutex.exit()

    threads.create(timed(), "timed")
    threads.create(patient(), "patient")
    box.run()
    box.pass_time(2 * MS)
    cv.signal()
    box.run()
    assert log == [False, "patient"]


def test_a_signalled_waiter_is_not_woken_by_its_old_timeout(box: Box) -> None:
    threads, mutex, cv = box.hc.threads, box.hc.sync.mutex(), box.hc.sync.condvar()
    log: list[object] = []

    async def main() -> None:
        await mutex.enter()
        log.append(await cv.timedwait(mutex, MS))
        await cv.wait(mutex)
        log.append("signalled")
        mutex.exit()

    threads.create(main(), "main")
    box.run()
    cv.signal()
    box.run()
    box.pass_time(2 * MS)
    assert log == [True]
    cv.signal()
    box.run()
    assert log == [True, "signalled"]
