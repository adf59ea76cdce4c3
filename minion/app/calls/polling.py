"""poll, select and epoll."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EEXIST, EINVAL, ELOOP, ENOENT, EPERM
from struct import Struct
from typing import TYPE_CHECKING, Final

from minion.app.calls.time import timespec_ns
from minion.app.files import FILES_MAX, POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, File
from minion.app.process import Thread

if TYPE_CHECKING:
    from minion.app.calls.table import Call

ALWAYS: Final = POLLERR | POLLHUP
EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD = 1, 2, 3
EPOLLET: Final = 1 << 31
EPOLLONESHOT: Final = 1 << 30
EPOLL_CLOEXEC: Final = 0o2000000
POLLFD: Final = Struct("<ihh")
EVENT: Final = Struct("<IxxxxQ")
"""struct epoll_event: on riscv64 it is not packed."""
NESTS_MAX: Final = 4
"""Linux's EP_MAX_NESTS: how deep epolls may watch epolls."""
NESTED_MAX: Final = 16
"""Epolls that one epoll may watch: every look at it looks at those, too."""


class Interest:
    __slots__ = ("data", "events", "file", "news", "spent")

    def __init__(self, file: File, events: int, data: int) -> None:
        self.file = file
        self.events = events
        self.data = data
        self.news = -1
        """The file's news when it was last reported (EPOLLET)."""
        self.spent = False
        """Reported once (EPOLLONESHOT)."""

    def ready(self) -> int:
        if self.spent or (self.events & EPOLLET and self.news == self.file.news):
            return 0
        return self.file.poll() & (self.events | ALWAYS)


class EpollFile(File):
    """An interest list; it watches its files, and is readable when one of them is ready."""

    def __init__(self) -> None:
        super().__init__()
        self.interests: dict[tuple[int, File], Interest] = {}

    def wake(self) -> None:
        self.changed()

    def poll(self) -> int:
        self._forget_closed()
        return POLLIN if any(i.ready() for i in self.interests.values()) else 0

    def _forget_closed(self) -> None:
        """Closing the last descriptor of a file takes it off the list (epoll(7))."""
        for key in [key for key in self.interests if not key[1].users]:
            self._remove(key)

    def _remove(self, key: tuple[int, File]) -> None:
        del self.interests[key]
        if not any(file is key[1] for _, file in self.interests):
            key[1].watchers.pop(self, None)

    def control(self, op: int, fd: int, file: File, events: int, data: int) -> None:
        """EEXIST, ENOENT, EINVAL, ELOOP."""
        key = (fd, file)
        self._forget_closed()
        if op == EPOLL_CTL_ADD:
            if key in self.interests:
                raise OSError(EEXIST, "watched already")
            if isinstance(file, EpollFile):
                self._check_nesting(file)
            file.watchers[self] = None
        elif key not in self.interests:
            raise OSError(ENOENT, "not watched")
        if op == EPOLL_CTL_DEL:
            self._remove(key)
        elif op in (EPOLL_CTL_ADD, EPOLL_CTL_MOD):
            self.interests[key] = Interest(file, events, data)
            self.changed()
        else:
            raise OSError(EINVAL, "epoll_ctl")

    def _check_nesting(self, file: EpollFile) -> None:
        """ELOOP, EINVAL."""
        if file.reaches(self):
            raise OSError(ELOOP, "epoll in a circle")
        if self.height() + 1 + file.depth() > NESTS_MAX:
            raise OSError(ELOOP, "epolls too deep in each other")
        if len(self.nested()) >= NESTED_MAX:
            raise OSError(EINVAL, "too many epolls in one")

    def nested(self) -> list[EpollFile]:
        return [file for _, file in self.interests if isinstance(file, EpollFile)]

    def reaches(self, other: EpollFile) -> bool:
        return self is other or any(file.reaches(other) for file in self.nested())

    def depth(self) -> int:
        """Of the epolls in this one."""
        return max((1 + file.depth() for file in self.nested()), default=0)

    def height(self) -> int:
        """Of the epolls that this one is in."""
        outer = [watcher for watcher in self.watchers if isinstance(watcher, EpollFile)]
        return max((1 + file.height() for file in outer), default=0)

    def collect(self, limit: int) -> list[tuple[int, int]]:
        """(events, data) of at most limit files that are ready; those reported go to the end."""
        self._forget_closed()
        found: list[tuple[int, int]] = []
        for key, interest in list(self.interests.items()):
            ready = interest.ready()
            if not ready:
                continue
            interest.news = interest.file.news
            interest.spent = bool(interest.events & EPOLLONESHOT)
            found.append((ready, interest.data))
            self.interests[key] = self.interests.pop(key)
            if len(found) == limit:
                break
        return found

    def close(self) -> None:
        for key in list(self.interests):
            self._remove(key)


def deadline(thread: Thread, timeout_ns: int | None) -> int | None:
    return None if timeout_ns is None else thread.sleeper.now() + timeout_ns


def epoll_create1(thread: Thread, flags: int, *_: int) -> int:
    if flags & ~EPOLL_CLOEXEC:
        raise OSError(EINVAL, "epoll_create1")
    return thread.app.files.add(EpollFile(), bool(flags))


def epoll_of(thread: Thread, fd: int) -> EpollFile:
    file = thread.app.files.get(fd)
    if not isinstance(file, EpollFile):
        raise OSError(EINVAL, "not an epoll descriptor")
    return file


def epoll_ctl(thread: Thread, epfd: int, op: int, fd: int, event: int, *_: int) -> int:
    epoll = epoll_of(thread, epfd)
    file = thread.app.files.get(fd)
    if file is epoll:
        raise OSError(EINVAL, "epoll on itself")
    if file.size_bytes:
        raise OSError(EPERM, "files are always ready")
    events = data = 0
    if op != EPOLL_CTL_DEL:
        events, data = EVENT.unpack(thread.app.space.read(event, EVENT.size))
    epoll.control(op, fd, file, events, data)
    return 0


async def epoll_pwait(
    thread: Thread, epfd: int, events: int, limit: int, timeout_ms: int, _mask: int, _size: int
) -> int:
    timeout_ms &= 0xFFFF_FFFF
    span = None if timeout_ms >> 31 else timeout_ms * 1_000_000
    return await epoll_wait(thread, epfd, events, limit, span)


async def epoll_pwait2(
    thread: Thread, epfd: int, events: int, limit: int, timeout: int, *_: int
) -> int:
    span = timespec_ns(thread, timeout) if timeout else None
    return await epoll_wait(thread, epfd, events, limit, span)


async def epoll_wait(
    thread: Thread, epfd: int, events: int, limit: int, span_ns: int | None
) -> int:
    epoll = epoll_of(thread, epfd)
    if not 0 < limit < 1 << 20:
        raise OSError(EINVAL, "epoll_wait: maxevents")
    until = deadline(thread, span_ns)
    while not (found := epoll.collect(limit)):
        if span_ns == 0 or not await thread.sleeper.watch([epoll], until):
            found = epoll.collect(limit)
            break
    thread.app.space.write(events, b"".join(EVENT.pack(*event) for event in found))
    return len(found)


async def wait_for(
    thread: Thread, wanted: Sequence[tuple[int, int]], span_ns: int | None
) -> list[int]:
    """What is ready of (descriptor, events), in their order."""
    table = thread.app.files
    until = deadline(thread, span_ns)
    while True:
        files: list[File] = []
        ready: list[int] = []
        for fd, events in wanted:
            try:
                file = table.get(fd)
            except OSError:
                ready.append(POLLNVAL if fd >= 0 else 0)
                continue
            files.append(file)
            ready.append(file.poll() & (events | ALWAYS))
        if any(ready) or span_ns == 0:
            return ready
        if not await thread.sleeper.watch(files, until):
            span_ns = 0  # a last look


async def ppoll(thread: Thread, fds: int, count: int, timeout: int, *_: int) -> int:
    if count > FILES_MAX:
        raise OSError(EINVAL, "poll: too many descriptors")
    space = thread.app.space
    entries = list(POLLFD.iter_unpack(space.read(fds, count * POLLFD.size)))
    span = timespec_ns(thread, timeout) if timeout else None
    ready = await wait_for(thread, [(fd, events & 0xFFFF) for fd, events, _ in entries], span)
    packed = [
        POLLFD.pack(fd, events, found)
        for (fd, events, _), found in zip(entries, ready, strict=True)
    ]
    space.write(fds, b"".join(packed))
    return sum(found != 0 for found in ready)


async def pselect6(
    thread: Thread, count: int, readable: int, writable: int, errors: int, timeout: int, _mask: int
) -> int:
    count &= 0xFFFF_FFFF
    if count > FILES_MAX:
        raise OSError(EINVAL, "select: too many descriptors")
    space = thread.app.space
    size = -(-count // 64) * 8
    kinds = ((readable, POLLIN | ALWAYS), (writable, POLLOUT | POLLERR), (errors, 2))
    masks = [int.from_bytes(space.read(addr, size), "little") if addr else 0 for addr, _ in kinds]
    wanted = [
        (fd, sum(bits for mask, (_, bits) in zip(masks, kinds, strict=True) if mask >> fd & 1))
        for fd in range(count)
        if any(mask >> fd & 1 for mask in masks)
    ]
    for fd, _ in wanted:
        thread.app.files.get(fd)  # EBADF
    span = timespec_ns(thread, timeout) if timeout else None
    ready = await wait_for(thread, wanted, span)
    total = 0
    for (addr, bits), mask in zip(kinds, masks, strict=True):
        out = 0
        for (fd, _), found in zip(wanted, ready, strict=True):
            if mask >> fd & 1 and found & bits:
                out |= 1 << fd
                total += 1
        if addr:
            space.write(addr, out.to_bytes(size, "little"))
    return total


def eventfd2(thread: Thread, value: int, flags: int, *_: int) -> int:
    from minion.app.files import O_NONBLOCK, EventFile

    if flags & ~(EPOLL_CLOEXEC | O_NONBLOCK | 1):
        raise OSError(EINVAL, "eventfd2")
    file = EventFile(value & 0xFFFF_FFFF, bool(flags & 1))
    file.nonblocking = bool(flags & O_NONBLOCK)
    return thread.app.files.add(file, bool(flags & EPOLL_CLOEXEC))


TABLE: Final[dict[int, Call]] = {
    19: eventfd2,
    20: epoll_create1,
    21: epoll_ctl,
    22: epoll_pwait,
    72: pselect6,
    73: ppoll,
    441: epoll_pwait2,
}
