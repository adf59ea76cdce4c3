"""brk, mmap and their kin."""

from __future__ import annotations

from errno import EACCES, EINVAL, ENODEV, ENOMEM
from typing import TYPE_CHECKING, Final

from minion.app.frames import PAGE
from minion.app.process import Thread
from minion.app.space import READ, TOP, WRITE, rounded

if TYPE_CHECKING:
    from minion.app.calls.table import Call

MAP_FIXED: Final = 0x10
MAP_ANONYMOUS: Final = 0x20
MAP_FIXED_NOREPLACE: Final = 0x100000
MREMAP_MAYMOVE: Final = 1
MADV_DONTNEED: Final = 4
HEAP_MAX: Final = 8 << 30


def brk(thread: Thread, addr: int, *_: int) -> int:
    """The end of the heap, moved if it can be; never an error."""
    app = thread.app
    if not app.heap_start <= addr <= app.heap_start + HEAP_MAX:
        return app.heap_end
    old, new = rounded(app.heap_end), rounded(addr)
    try:
        if new > old:
            app.space.map(old, new - old, READ | WRITE, "heap", replace=False)
        elif new < old:
            app.space.unmap(new, old - new)
    except OSError:
        return app.heap_end
    app.heap_end = addr
    return addr


def mmap(
    thread: Thread, addr: int, length: int, prot: int, flags: int, fd: int, offset: int
) -> int:
    """Anonymous memory, or a private copy of a file's contents.  Shared files: ENODEV."""
    app = thread.app
    if not 0 < length <= TOP or offset % PAGE or prot > 7:
        raise OSError(EINVAL, "mmap")
    data = b""
    if not flags & MAP_ANONYMOUS:
        file = app.files.readable(fd & 0xFFFF_FFFF)
        if flags & 1 and prot & WRITE:
            raise OSError(EACCES, "files here are read-only")
        if not file.size_bytes:
            raise OSError(ENODEV, "nothing to map")
        data = file.pread(length, offset)
    if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE):
        app.space.map(addr, length, prot, "mmap", replace=not flags & MAP_FIXED_NOREPLACE)
    else:
        addr = addr & -PAGE
        try:
            app.space.map(addr, length, prot, "mmap", replace=False)
        except OSError:  # only a hint
            addr = app.space.hole(rounded(length))
            app.space.map(addr, length, prot, "mmap")
    if data:
        app.space.write(addr, data, force=True)
    return addr


def munmap(thread: Thread, addr: int, length: int, *_: int) -> int:
    if addr + length > TOP:
        raise OSError(EINVAL, "munmap")
    thread.app.space.unmap(addr, length)
    return 0


def mprotect(thread: Thread, addr: int, length: int, prot: int, *_: int) -> int:
    if prot & ~0x0100_0007 or addr + length > TOP:
        raise OSError(EINVAL, "mprotect")
    if length:
        thread.app.space.protect(addr, length, prot & 7)
    return 0


def mremap(
    thread: Thread, addr: int, old: int, new: int, flags: int, _target: int, _a5: int
) -> int:
    """Shrinks in place; grows in place, or moves by copying."""
    space = thread.app.space
    old, new = rounded(old), rounded(new)
    area = space.find(addr)
    if addr % PAGE or not new or not old or flags & ~MREMAP_MAYMOVE or new > TOP:
        raise OSError(EINVAL, "mremap")
    if area is None or addr + old > area.end:
        raise OSError(14, "not mapped")  # EFAULT
    if new <= old:
        if new < old:
            space.unmap(addr + new, old - new)
        return addr
    try:
        space.map(addr + old, new - old, area.prot, area.name, replace=False)
    except OSError:
        if not flags & MREMAP_MAYMOVE:
            raise OSError(ENOMEM, "no room to grow") from None
        to = space.hole(new)
        space.move(addr, old, to, new)
        return to
    return addr


def madvise(thread: Thread, addr: int, length: int, advice: int, *_: int) -> int:
    if addr % PAGE or addr + length > TOP:
        raise OSError(EINVAL, "madvise")
    if advice == MADV_DONTNEED and length:
        thread.app.space.forget(addr, length)
    return 0


def nothing(_thread: Thread, *_: int) -> int:
    """Locking and flushing: all memory is resident and coherent."""
    return 0


TABLE: Final[dict[int, Call]] = {
    214: brk,
    215: munmap,
    216: mremap,
    222: mmap,
    226: mprotect,
    227: nothing,  # msync
    228: nothing,  # mlock
    229: nothing,  # munlock
    233: madvise,
}
