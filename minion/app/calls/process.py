"""Processes and threads: exit, clone, futex, signals as far as they go, and who am I."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from errno import EAGAIN, ECHILD, EINVAL, ENOSYS, EPERM, ESRCH, ETIMEDOUT
from struct import pack
from typing import TYPE_CHECKING, Any, Final

from minion.app.calls.time import timespec_ns
from minion.app.frames import PAGE
from minion.app.process import SIGKILL, SIGTERM, THREADS_MAX, App, Thread
from minion.app.report import die

if TYPE_CHECKING:
    from minion.app.calls.table import Call

CLONE: Final = 220
CLONE_VM: Final = 0x100
CLONE_THREAD: Final = 0x10000
CLONE_SETTLS: Final = 0x80000
CLONE_PARENT_SETTID: Final = 0x100000
CLONE_CHILD_CLEARTID: Final = 0x200000
CLONE_CHILD_SETTID: Final = 0x1000000
FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE = 0, 1, 3, 4
FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET = 9, 10
FUTEX_CLOCK_REALTIME: Final = 256
FUTEX_ANY: Final = 0xFFFF_FFFF
NSIG: Final = 64
SIGACTION_BYTES: Final = 24
"""handler, flags, mask: riscv64 has no restorer."""
RLIM_INFINITY: Final = (1 << 64) - 1
RLIMITS: Final = {3: 8 << 20, 7: 1024}
"""RLIMIT_STACK, RLIMIT_NOFILE; the others are infinite."""


def exit_group(thread: Thread, status: int, *_: int) -> int:
    thread.app.exit(status & 0xFF)
    return 0


def exit_thread(thread: Thread, status: int, *_: int) -> int:
    """The last thread's status is the app's."""
    if len(thread.app.threads) == 1:
        thread.app.exit(status & 0xFF)
    else:
        thread.sleeper.kill()
    return leave(thread)  # type: ignore[return-value]  # a coroutine: it never returns


async def leave(thread: Thread) -> int:
    while True:
        await thread.sleeper.sleep()


def clone(
    thread: Thread, spawn: Callable[[Thread], None],
    flags: int, stack: int, parent_tid: int, tls: int, child_tid: int, _a5: int,
) -> int:  # fmt: skip
    """A thread in the same memory.  Other processes (fork) are not to be had: ENOSYS."""
    app = thread.app
    if not flags & CLONE_VM or not flags & CLONE_THREAD:
        app.log(f"{app.name}: fork: an app has one process, with threads (ENOSYS)")
        raise OSError(ENOSYS, "no fork")
    if len(app.threads) >= THREADS_MAX:
        raise OSError(EAGAIN, "too many threads")
    child = Thread(app, app.kernel.pid(), thread.pc)
    child.x = list(thread.x)
    child.f = list(thread.f)
    child.fcsr = thread.fcsr
    child.sigmask = thread.sigmask
    child.x[10] = 0
    if stack:
        child.x[2] = stack
    if flags & CLONE_SETTLS:
        child.x[4] = tls
    if flags & CLONE_CHILD_CLEARTID:
        child.clear_tid = child_tid
    if flags & CLONE_PARENT_SETTID:
        app.space.put(parent_tid, child.tid, 4)
    if flags & CLONE_CHILD_SETTID:
        app.space.put(child_tid, child.tid, 4)
    spawn(child)
    return child.tid


def set_tid_address(thread: Thread, addr: int, *_: int) -> int:
    thread.clear_tid = addr
    return thread.tid


def futex(
    thread: Thread, addr: int, op: int, value: int, timeout: int, addr2: int, value3: int
) -> int | Coroutine[Any, Any, int]:
    """futex(2): private or not, there is one address space."""
    command = op & 0x7F
    value &= 0xFFFF_FFFF
    app = thread.app
    if addr % 4:
        raise OSError(EINVAL, "misaligned futex")
    if command in (FUTEX_WAIT, FUTEX_WAIT_BITSET):
        bitset = value3 & FUTEX_ANY if command == FUTEX_WAIT_BITSET else FUTEX_ANY
        if not bitset:
            raise OSError(EINVAL, "empty bitset")
        return futex_wait(thread, addr, value, futex_deadline(thread, op, timeout), bitset)
    if command in (FUTEX_WAKE, FUTEX_WAKE_BITSET):
        bitset = value3 & FUTEX_ANY if command == FUTEX_WAKE_BITSET else FUTEX_ANY
        return app.wake_futex(addr, value, bitset)
    if command in (FUTEX_REQUEUE, FUTEX_CMP_REQUEUE):
        if command == FUTEX_CMP_REQUEUE and app.space.word(addr, 4) != value3 & 0xFFFF_FFFF:
            raise OSError(EAGAIN, "changed meanwhile")
        woken = app.wake_futex(addr, value)
        waiting = app.futexes.pop(addr, [])
        count = timeout & 0xFFFF_FFFF  # val2 travels in its place
        moving, staying = waiting[:count], waiting[count:]
        if staying:
            app.futexes[addr] = staying
        if moving:
            app.futexes.setdefault(addr2, []).extend(moving)
        return woken + len(moving)
    raise OSError(ENOSYS, "no such futex operation")


def futex_deadline(thread: Thread, op: int, timeout: int) -> int | None:
    """FUTEX_WAIT counts from now; WAIT_BITSET gives a time of one of two clocks."""
    if not timeout:
        return None
    clock = thread.app.kernel.hyper.clock
    span = timespec_ns(thread, timeout)
    if op & 0x7F == FUTEX_WAIT:
        return clock.monotonic_ns() + span
    if op & FUTEX_CLOCK_REALTIME:
        return clock.monotonic_ns() + span - clock.wall_ns()
    return span


async def futex_wait(
    thread: Thread, addr: int, value: int, deadline_ns: int | None, bitset: int
) -> int:
    app = thread.app
    if app.space.word(addr, 4) != value:
        raise OSError(EAGAIN, "changed meanwhile")
    note: list[bool] = []
    entry = (thread.sleeper, bitset, note)
    app.futexes.setdefault(addr, []).append(entry)
    try:
        while not note:
            if not await thread.sleeper.sleep(deadline_ns):
                raise OSError(ETIMEDOUT, "futex")
        return 0
    finally:
        if not note:  # wherever it has been requeued to
            for queue in app.futexes.values():
                if entry in queue:
                    queue.remove(entry)


# -- signals: none is delivered to a handler; fatal ones are fatal


def rt_sigaction(thread: Thread, signal: int, new: int, old: int, size: int, *_: int) -> int:
    app = thread.app
    if not 1 <= signal <= NSIG or size != 8 or (new and signal in (9, 19)):
        raise OSError(EINVAL, "sigaction")
    before = app.signals.get(signal, bytes(SIGACTION_BYTES))
    if new:
        app.signals[signal] = app.space.read(new, SIGACTION_BYTES)
    if old:
        app.space.write(old, before)
    return 0


def rt_sigprocmask(thread: Thread, how: int, new: int, old: int, size: int, *_: int) -> int:
    if size != 8:
        raise OSError(EINVAL, "sigprocmask")
    before = thread.sigmask
    if new:
        bits = thread.app.space.word(new)
        masks = {0: before | bits, 1: before & ~bits, 2: bits}
        if how not in masks:
            raise OSError(EINVAL, "sigprocmask: how")
        thread.sigmask = masks[how]
    if old:
        thread.app.space.put(old, before)
    return 0


async def kill(thread: Thread, pid: int, signal: int, *_: int) -> int:
    """To itself, or to another app of this minion (they are all the same user's)."""
    return await send(thread, thread.app.kernel.apps.get(pid) if pid else thread.app, signal)


async def tgkill(thread: Thread, pid: int, tid: int, signal: int, *_: int) -> int:
    app = thread.app.kernel.apps.get(pid)
    return await send(thread, app if app is not None and tid in app.threads else None, signal)


async def tkill(thread: Thread, tid: int, signal: int, *_: int) -> int:
    return await send(thread, thread.app if tid in thread.app.threads else None, signal)


HARMLESS: Final = frozenset({17, 18, 23, 28})
"""SIGCHLD, SIGCONT, SIGURG, SIGWINCH: ignored by default."""


async def send(sender: Thread, app: App | None, signal: int) -> int:
    """ESRCH, EINVAL.  It waits only for a debugger, who sees what an app does to itself."""
    if app is None:
        raise OSError(ESRCH, "no such app")
    if not 0 <= signal <= NSIG:
        raise OSError(EINVAL, "no such signal")
    if not signal or signal in HARMLESS or (signal != SIGKILL and app.ignores(signal)):
        return 0
    if signal != SIGKILL and app.handles(signal):
        app.log(f"{app.name}: signal {signal} has a handler: handlers are not supported")
    if app is sender.app and app.hold is not None and signal != SIGKILL:
        await app.hold.signal(sender, signal)
    if app is sender.app and signal not in (SIGKILL, SIGTERM):
        die(sender, signal, "")
    else:
        app.exit(128 + signal)
    return 0


# -- who am I


def getpid(thread: Thread, *_: int) -> int:
    return thread.app.pid


def gettid(thread: Thread, *_: int) -> int:
    return thread.tid


def zero(_thread: Thread, *_: int) -> int:
    """Root's ids, and calls that have nothing to do here."""
    return 0


def no_child(_thread: Thread, *_: int) -> int:
    raise OSError(ECHILD, "an app has one process")


def one(_thread: Thread, *_: int) -> int:
    return 1


def uname(thread: Thread, addr: int, *_: int) -> int:
    host = (thread.app.kernel.hyper.params.getparam("_RUMPUSER_HOSTNAME") or "minion").encode()
    fields = (b"Linux", host, b"6.1.0-minion", b"#1 minion", b"riscv64", b"(none)")
    thread.app.space.write(addr, b"".join(field[:64].ljust(65, b"\0") for field in fields))
    return 0


def prlimit64(thread: Thread, pid: int, resource: int, new: int, old: int, *_: int) -> int:
    if pid not in (0, thread.app.pid):
        raise OSError(ESRCH, "no such app")
    if resource > 15:
        raise OSError(EINVAL, "no such limit")
    if new:
        raise OSError(EPERM, "limits are fixed")
    if old:
        limit = RLIMITS.get(resource, RLIM_INFINITY)
        thread.app.space.write(old, pack("<QQ", limit, limit))
    return 0


def sched_getaffinity(thread: Thread, _pid: int, size: int, addr: int, *_: int) -> int:
    if size < 8:
        raise OSError(EINVAL, "mask too short")
    thread.app.space.put(addr, 1)
    return 8


async def sched_yield(thread: Thread, *_: int) -> int:
    await thread.app.kernel.hyper.threads.yield_()
    return 0


def sysinfo(thread: Thread, addr: int, *_: int) -> int:
    kernel = thread.app.kernel
    up = kernel.hyper.clock.monotonic_ns() // 1_000_000_000
    size, free = kernel.frames.size_bytes, kernel.frames.free_bytes
    words = pack("<q3Q6QHxxxxxx2QI", up, 0, 0, 0, size, free, 0, 0, 0, 0, 1, 0, 0, 1)
    thread.app.space.write(addr, words.ljust(112, b"\0"))
    return 0


def getrandom(thread: Thread, addr: int, length: int, *_: int) -> int:
    length = min(length, 1 << 20)
    for at in range(0, length, PAGE):
        piece = thread.app.kernel.hyper.random.getrandom(min(PAGE, length - at))
        thread.app.space.write(addr + at, piece)
    return length


TABLE: Final[dict[int, Call]] = {
    93: exit_thread,
    94: exit_group,
    96: set_tid_address,
    98: futex,
    99: zero,  # set_robust_list: threads do not die alone
    124: sched_yield,
    123: sched_getaffinity,
    129: kill,
    130: tkill,
    131: tgkill,
    134: rt_sigaction,
    132: zero,  # sigaltstack
    135: rt_sigprocmask,
    160: uname,
    166: zero,  # umask
    167: zero,  # prctl: names and the like
    172: getpid,
    173: one,  # getppid
    174: zero,  # getuid
    175: zero,
    176: zero,
    177: zero,
    178: gettid,
    179: sysinfo,
    155: getpid,  # getpgid
    156: getpid,  # getsid
    158: zero,  # getgroups
    95: no_child,  # waitid
    260: no_child,  # wait4
    259: zero,  # riscv_flush_icache: the engines watch stores into code
    261: prlimit64,
    278: getrandom,
}
