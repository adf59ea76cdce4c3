"""Randomness from the virtio entropy device; rumprun's clock bits are not good enough for keys."""

from __future__ import annotations

from typing import Final

from hypercalls.api import Memory
from hypercalls.bare.machine import Machine
from hypercalls.bare.virtio import Device, Ring

POOL: Final = 1024


class EntropyRandom:
    """api.Random.  Requests are served when the doorbell returns: no waiting."""

    def __init__(self, machine: Machine, memory: Memory, device: Device) -> None:
        device.negotiate(0)
        self._device = device
        self._ring = Ring(machine, memory, device, 0, 4)
        device.start()
        self._ring.silence(True)
        buffer = memory.alloc(POOL)
        if buffer is None:
            raise MemoryError("random: no memory for the pool")
        self._buffer = buffer
        self._left = b""

    def getrandom(self, length: int) -> bytes:
        while len(self._left) < length:
            self._left += self._refill()
        data, self._left = self._left[:length], self._left[length:]
        return data

    def _refill(self) -> bytes:
        ring = self._ring
        ring.describe(0, self._buffer.addr, POOL, writable=True)
        ring.offer(0)
        ring.publish()
        self._device.notify(0)
        used = ring.used()
        if used is None:
            raise OSError(5, "random: the entropy device did not answer")
        view = self._buffer.view[: used[1]]
        data = bytes(view)
        view[:] = bytes(len(view))  # nothing handed out stays in RAM
        return data
