"""Block devices of the minion: virtio-blk disks named vd0, vd1, ...  There is no file system."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EBADF, EINVAL, EIO, ENOENT, EROFS
from typing import Final

from hypercalls.api import BioDone, Buffer, Memory
from hypercalls.bare.intr import Interrupts
from hypercalls.bare.machine import Machine
from hypercalls.bare.virtio import Device, Ring

RO: Final = 1 << 5
FLUSH: Final = 1 << 9
T_IN: Final = 0
T_OUT: Final = 1
T_FLUSH: Final = 4
SECTOR: Final = 512
REQUESTS: Final = 32
"""Under way at once; a request takes three descriptors of the ring."""
SLOT: Final = 32
"""Per request: a 16-byte header, and the status byte behind it."""


class Request:
    __slots__ = ("buffer", "done", "length")

    def __init__(self, buffer: Buffer | None, length: int, done: BioDone) -> None:
        self.buffer = buffer
        self.length = length
        self.done = done


class Disk:
    """One virtio-blk device.  Requests beyond REQUESTS wait in line."""

    def __init__(
        self, machine: Machine, memory: Memory, interrupts: Interrupts, device: Device
    ) -> None:
        features = device.negotiate(RO | FLUSH)
        self.read_only = bool(features & RO)
        self.size_bytes = device.config(0, 8) * SECTOR
        self._ring = Ring(machine, memory, device, 0, 4 * REQUESTS)
        slots = memory.alloc(SLOT * REQUESTS)
        if slots is None:
            raise MemoryError("files: no memory for requests")
        self._slots: Buffer = slots
        self._free = list(range(REQUESTS))
        self._running: dict[int, Request] = {}
        self._waiting: list[tuple[int, int, int, Request]] = []
        self._device = device
        device.start()
        interrupts.establish(device.irq, self._interrupt)

    def submit(self, kind: int, addr: int, sector: int, request: Request) -> None:
        if not self._free:
            self._waiting.append((kind, addr, sector, request))
            return
        slot = self._free.pop()
        at = SLOT * slot
        header = kind.to_bytes(8, "little") + sector.to_bytes(8, "little")
        self._slots.view[at : at + 17] = header + b"\xff"
        ring, head = self._ring, 3 * slot
        base = self._slots.addr + at
        ring.describe(head, base, 16, follow=head + 1 if request.length else head + 2)
        if request.length:
            ring.describe(head + 1, addr, request.length, kind == T_IN, head + 2)
        ring.describe(head + 2, base + 16, 1, writable=True)
        self._running[slot] = request
        ring.offer(head)
        ring.publish()
        self._device.notify(0)

    def reap(self) -> None:
        """Finish what the device is done with."""
        while (used := self._ring.used()) is not None:
            slot = used[0] // 3
            request = self._running.pop(slot, None)
            if request is None:
                continue
            status = self._slots.view[SLOT * slot + 16]
            self._free.append(slot)
            if self._waiting:
                self.submit(*self._waiting.pop(0))
            if status == 0:
                request.done(request.length, 0)
            else:
                request.done(0, EIO)

    def _interrupt(self) -> None:
        self._device.acknowledge()
        self.reap()


class BlockFile:
    """api.File on a disk."""

    block = True

    def __init__(self, disk: Disk, writable: bool) -> None:
        self.size_bytes = disk.size_bytes
        self._disk: Disk | None = disk
        self._writable = writable

    def bio(self, write: bool, buffer: Buffer, length: int, offset: int, done: BioDone) -> None:
        disk = self._open()
        if length % SECTOR or offset % SECTOR or not 0 <= length <= len(buffer.view):
            raise OSError(EINVAL, "bio: not in sectors")
        if write and not self._writable:
            raise OSError(EBADF, "bio: open for reading only")
        if write and offset + length > self.size_bytes:
            raise OSError(EINVAL, "bio: past the end")
        length = max(min(length, self.size_bytes - offset), 0)
        kind = T_OUT if write else T_IN
        if length:
            disk.submit(kind, buffer.addr, offset // SECTOR, Request(buffer, length, done))
        else:  # nothing to transfer: an empty flush still completes in interrupt context
            disk.submit(T_FLUSH, 0, 0, Request(None, 0, done))

    def sync(self) -> None:
        disk = self._open()
        errors: list[int] = []

        def done(transferred: int, errno: int) -> None:
            errors.append(errno or transferred)

        disk.submit(T_FLUSH, 0, 0, Request(None, 0, done))
        disk.reap()
        if errors != [0]:
            raise OSError(EIO, "sync")

    def close(self) -> None:
        self._disk = None

    def _open(self) -> Disk:
        if self._disk is None:
            raise OSError(EBADF, "file is closed")
        return self._disk


class BlockFiles:
    """api.Files."""

    def __init__(self, disks: Sequence[Disk]) -> None:
        self._disks = {f"vd{n}": disk for n, disk in enumerate(disks)}

    def open(self, path: str, write: bool = False, create: bool = False) -> BlockFile:
        disk = self._disks.get(path.removeprefix("/dev/"))
        if disk is None:
            raise OSError(EROFS if create else ENOENT, "no such device", path)
        if write and disk.read_only:
            raise OSError(EROFS, "read-only device", path)
        return BlockFile(disk, write)
