"""virtio-blk (VIRTIO 1.2, 5.2): a disk kept in a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from struct import Struct
from typing import Final

from minion.devices.virtio_mmio import VirtioMmio
from minion.devices.virtqueue import RingError
from minion.ram import Ram

RO: Final = 1 << 5
FLUSH: Final = 1 << 9
T_IN: Final = 0
T_OUT: Final = 1
T_FLUSH: Final = 4
T_GET_ID: Final = 8
S_OK: Final = b"\0"
S_IOERR: Final = b"\1"
S_UNSUPP: Final = b"\2"
SECTOR: Final = 512
REQUEST = Struct("<IIQ")  # type, reserved, sector


class VirtioBlk:
    device_id = 2
    modern = False
    queue_sizes = (128,)

    def __init__(
        self, ram: Ram, path: str, read_only: bool, name: str, irq: Callable[[bool], None]
    ) -> None:
        self._fd = os.open(path, (os.O_RDONLY if read_only else os.O_RDWR) | os.O_CLOEXEC)
        self._sectors = os.fstat(self._fd).st_size // SECTOR
        self._read_only = read_only
        self._name = name
        self.features = FLUSH | (RO if read_only else 0)
        self.counters = {"reads": 0, "writes": 0, "errors": 0}
        self.mmio = VirtioMmio(ram, self, irq)

    def close(self) -> None:
        os.close(self._fd)

    def config(self) -> bytes:
        return self._sectors.to_bytes(8, "little")

    def started(self, features: int) -> None:
        """Nothing to prepare."""

    def stopped(self) -> None:
        """Nothing is under way: requests are done when their doorbell returns."""

    def notify(self, queue: int) -> None:
        requests = self.mmio.queues[queue]
        while (head := requests.take()) >= 0:
            readable, writable = requests.split(head)
            if not writable or not len(writable[-1]):
                raise RingError("no room for the status")
            status = writable[-1][-1:]
            writable[-1] = writable[-1][:-1]
            try:
                written, code = self._serve(readable, writable)
            except OSError:
                written, code = 0, S_IOERR
            if code != S_OK:
                self.counters["errors"] += 1
            status[:] = code
            requests.give(head, written + 1)
        self.mmio.interrupt(requests)

    def _serve(self, readable: list[memoryview], writable: list[memoryview]) -> tuple[int, bytes]:
        if not readable or len(readable[0]) < REQUEST.size:
            return 0, S_IOERR
        kind, _, sector = REQUEST.unpack_from(readable[0])
        readable[0] = readable[0][REQUEST.size :]
        if kind == T_FLUSH:
            os.fsync(self._fd)
            return 0, S_OK
        if kind == T_GET_ID:
            name = self._name.encode()[:20].ljust(20, b"\0")[: len(writable[0])]
            writable[0][: len(name)] = name
            return len(name), S_OK
        if kind not in (T_IN, T_OUT):
            return 0, S_UNSUPP
        views = [view for view in (writable if kind == T_IN else readable) if len(view)]
        length = sum(map(len, views))
        if length % SECTOR or sector + length // SECTOR > self._sectors:
            return 0, S_IOERR
        if kind == T_IN:
            self.counters["reads"] += 1
            moved = self._vector(os.preadv, views, sector * SECTOR)
            return moved, S_OK if moved == length else S_IOERR
        if self._read_only:
            return 0, S_IOERR
        self.counters["writes"] += 1
        moved = self._vector(os.pwritev, views, sector * SECTOR)
        return 0, S_OK if moved == length else S_IOERR

    def _vector(
        self,
        call: Callable[[int, list[memoryview], int], int],
        views: list[memoryview],
        offset: int,
    ) -> int:
        """preadv or pwritev of everything, within IOV_MAX."""
        moved = 0
        for view in views:
            while len(view):
                count = call(self._fd, [view], offset + moved)
                if not count:
                    return moved
                moved += count
                view = view[count:]
        return moved
