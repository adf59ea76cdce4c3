"""From reset to a rump kernel's hypercalls: find the devices, share out the RAM."""

from __future__ import annotations

from collections.abc import Mapping

from hypercalls.api import Hypercalls
from hypercalls.bare import virtio
from hypercalls.bare.clock import ClintClock
from hypercalls.bare.console import UartConsole
from hypercalls.bare.copy import DmaCopy
from hypercalls.bare.files import BlockFiles, Disk
from hypercalls.bare.intr import Interrupts
from hypercalls.bare.machine import Machine
from hypercalls.bare.memory import BuddyMemory, rounded
from hypercalls.bare.net import BUFFER, VirtioNet
from hypercalls.bare.params import params
from hypercalls.bare.random import EntropyRandom
from hypercalls.bare.serial import LineSerial
from hypercalls.bare.sync import Sync
from hypercalls.bare.threads import threads

RAM_MIN = 1 << 20


class Kernel:
    """The booted machine, less the rump kernel."""

    def __init__(
        self,
        machine: Machine,
        values: Mapping[str, str],
        boot_wall_ns: int,
        reserved_bytes: int = 0,
    ) -> None:
        """reserved_bytes at the start of RAM are left alone."""
        ram_bytes = len(machine.ram)
        if ram_bytes - reserved_bytes < RAM_MIN:
            raise MemoryError("the rump kernel needs 1 MiB of RAM")
        memory = BuddyMemory(machine.ram, machine.ram_base, reserved_bytes, ram_bytes)
        interrupts = Interrupts(machine)
        scheduler = threads(interrupts)
        scheduler.signals = machine.hart
        clock = ClintClock(machine, scheduler, boot_wall_ns)
        interrupts.on_timer = clock.interrupt
        devices = virtio.probe(machine)
        entropy = [device for device in devices if device.device_id == virtio.ENTROPY]
        if not entropy:
            raise OSError(19, "no entropy device")  # keys must not be made from a clock
        disks = [
            Disk(machine, memory, interrupts, device)
            for device in devices
            if device.device_id == virtio.BLOCK
        ]
        self.scheduler = scheduler
        self.interrupts = interrupts
        self.memory = memory
        self.clock = clock
        # A quarter of RAM to the line and the receive buffers, if they can use it.
        share = memory.size_bytes // 4
        self.hypercalls = Hypercalls(
            memory=memory,
            threads=scheduler,
            sync=Sync(scheduler, clock),
            clock=clock,
            random=EntropyRandom(machine, memory, entropy[0]),
            console=UartConsole(machine),
            params=params(values),
            files=BlockFiles(disks),
            serial=LineSerial(
                machine, memory, interrupts, 1 << 16 if share >= 1 << 20 else 1 << 13
            ),
            copy=DmaCopy(machine, memory, interrupts),
        )
        self.hypercalls.nets = [
            VirtioNet(machine, memory, interrupts, device, *ring_sizes(share))
            for device in devices
            if device.device_id == virtio.NET
        ]


def ring_sizes(share_bytes: int) -> tuple[int, int]:
    """(frames to send, receive buffers) under way at most: powers of two."""
    buffers = min(max(share_bytes // rounded(BUFFER), 2), 128)
    buffers = 1 << buffers.bit_length() - 1
    return max(buffers, 16), buffers
