"""virtio-rng (VIRTIO 1.2, 5.4): fills buffers with the host's randomness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from minion.devices.virtio_mmio import VirtioMmio
from minion.ram import Ram

REQUEST_MAX: Final = 4096
"""A device may give less than asked: one request cannot make the host produce megabytes."""


class VirtioRng:
    device_id = 4
    modern = False
    features = 0
    queue_sizes = (16,)

    def __init__(
        self, ram: Ram, getrandom: Callable[[int], bytes], irq: Callable[[bool], None]
    ) -> None:
        self.counters = {"bytes": 0}
        self.mmio = VirtioMmio(ram, self, irq)
        self._getrandom = getrandom

    def config(self) -> bytes:
        return b""

    def started(self, features: int) -> None:
        """Nothing to prepare."""

    def stopped(self) -> None:
        """Nothing is under way."""

    def notify(self, queue: int) -> None:
        requests = self.mmio.queues[queue]
        while (head := requests.take()) >= 0:
            total = 0
            for view in requests.writable(head):
                length = min(len(view), REQUEST_MAX - total)
                view[:length] = self._getrandom(length)
                total += length
            requests.give(head, total)
            self.counters["bytes"] += total
        self.mmio.interrupt(requests)
