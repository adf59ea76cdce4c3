"""A rump kernel's hypercalls straight on the host, as one idle function of the reactor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from hypercalls.api import Hypercalls
from hypercalls.host.clock import clock
from hypercalls.host.console import StreamConsole
from hypercalls.host.copy import SocketCopy
from hypercalls.host.files import HostFiles
from hypercalls.host.memory import Memory
from hypercalls.host.net import FdNet
from hypercalls.host.params import params
from hypercalls.host.random import OsRandom
from hypercalls.host.reactor import Reactor
from hypercalls.host.serial import FdSerial
from hypercalls.host.sync import Sync
from hypercalls.host.threads import Threads


class HostKernel:
    def __init__(
        self,
        reactor: Reactor,
        values: Mapping[str, str] | None = None,
        memory_bytes: int = 64 << 20,
        console: TextIO | None = None,
        serial_fd: int | None = None,
    ) -> None:
        """Descriptors given belong to the kernel from now on."""
        self.reactor = reactor
        self.scheduler = Threads()
        self.memory = Memory(memory_bytes)
        self.copy = SocketCopy(reactor)
        self.nets: list[FdNet] = []
        self._clock = clock(self.scheduler)
        self._serial = None if serial_fd is None else FdSerial(reactor, serial_fd)
        self.hypercalls = Hypercalls(
            memory=self.memory,
            threads=self.scheduler,
            sync=Sync(self.scheduler, self._clock),
            clock=self._clock,
            random=OsRandom(),
            console=StreamConsole(console),
            params=params(values or {}),
            files=HostFiles(self.scheduler.post),
            nets=self.nets,
            serial=self._serial,
            copy=self.copy,
        )
        reactor.add_idle(self.run)

    def add_net(self, fd: int, mac: bytes, mtu_bytes: int = 1500) -> FdNet:
        """A network device on a TAP or SOCK_SEQPACKET descriptor."""
        net = FdNet(self.reactor, self.memory, fd, mac, mtu_bytes)
        self.nets.append(net)
        return net

    def run(self) -> int | None:
        """As Board.run: until idle, and when to call again."""
        due = self._clock.next_ns()
        if due is not None and due <= self._clock.monotonic_ns():
            self._clock.tick()
        return 0 if self.scheduler.run() else self._clock.next_ns()

    def close(self) -> None:
        self.reactor.remove_idle(self.run)
        self.scheduler.close()
        self.copy.close()
        for net in self.nets:
            net.close()
        if self._serial is not None:
            self._serial.close()
