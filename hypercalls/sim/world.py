"""A world of simulated hosts in virtual time.

Theory of operation.  Time stands still while any host has an interrupt, a softint or a runnable
thread; then it jumps to the earliest deadline of a host's clock or of a frame on a link.  Hosts run
in the order in which they were made, events of one instant in the order in which they were planned,
and randomness comes from the seed: the same seed gives the same trace, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from hypercalls.api import Hypercalls
from hypercalls.common.timers import Timer, Timers
from hypercalls.sim.clock import clock
from hypercalls.sim.console import ListConsole
from hypercalls.sim.copy import SimCopy
from hypercalls.sim.files import SimFiles
from hypercalls.sim.memory import Memory
from hypercalls.sim.net import Direction, SimLink, SimNet, Traced
from hypercalls.sim.params import params as sim_params
from hypercalls.sim.random import SeededRandom
from hypercalls.sim.serial import SimSerial
from hypercalls.sim.sync import Sync
from hypercalls.sim.threads import Threads

RESTLESS: Final = 100_000
"""Rounds of all hosts at one instant after which somebody is taken to run for ever."""
BUSY: Final = 200
"""The same for one host's scheduler, each time with its whole bound used up."""


class SimHost:
    """One host, with its parts under their own types."""

    def __init__(
        self,
        world: SimWorld,
        name: str,
        memory_bytes: int = 64 << 20,
        nics: int = 1,
        mtu_bytes: int = 1500,
        gso_max_bytes: int = 0,
        csum_offload: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.scheduler = Threads()
        self._busy = 0
        self.memory = Memory(memory_bytes)
        self.clock = clock(self.scheduler, lambda: world.now_ns)
        self.console = ListConsole()
        self.files = SimFiles(self.scheduler.post)
        self.serial = SimSerial(self.scheduler.post)
        self.copy = SimCopy(self.scheduler.post)
        self.nets = [
            SimNet(
                self.memory,
                self.scheduler.post,
                b"\xb2\x0a" + bytes((0, n, 0, len(world.hosts) + 1)),
                mtu_bytes,
                gso_max_bytes,
                csum_offload or gso_max_bytes > 0,
            )
            for n in range(nics)
        ]
        self.hypercalls = Hypercalls(
            memory=self.memory,
            threads=self.scheduler,
            sync=Sync(self.scheduler, self.clock),
            clock=self.clock,
            random=SeededRandom(f"{world.seed}/{name}"),
            console=self.console,
            params=sim_params(params or {}, name),
            files=self.files,
            nets=self.nets,
            serial=self.serial,
            copy=self.copy,
        )

    def work(self, now_ns: int) -> bool:
        """Run what can be run now; False if there was nothing."""
        due = self.clock.next_ns()
        if due is not None and due <= now_ns:
            self.clock.tick()
        elif self.scheduler.idle:
            return False
        self._busy = self._busy + 1 if self.scheduler.run() else 0
        if self._busy > BUSY:
            raise RuntimeError(f"no rest: {self.name} runs for ever")
        return True


class SimWorld:
    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self.now_ns = 0
        self.hosts: dict[str, SimHost] = {}
        self.links: list[SimLink] = []
        self.trace: list[Traced] = []
        self.capture = True
        """Keep the frames' bytes in the trace."""
        self._timers = Timers()

    def host(
        self,
        name: str,
        memory_bytes: int = 64 << 20,
        nics: int = 1,
        mtu_bytes: int = 1500,
        gso_max_bytes: int = 0,
        csum_offload: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> Hypercalls:
        """A new host; `hosts[name]` has the far sides of its devices.

        gso_max_bytes is 0 or 65535, and implies checksum offload.
        """
        if name in self.hosts:
            raise ValueError(f"there is a host {name}")
        host = SimHost(
            self, name, memory_bytes, nics, mtu_bytes, gso_max_bytes, csum_offload, params
        )
        self.hosts[name] = host
        return host.hypercalls

    def link(
        self,
        a: str | Hypercalls,
        b: str | Hypercalls,
        delay_ns: int = 100_000,
        loss: float = 0.0,
        rate_bps: int = 0,
        queue_bytes: int = 256 * 1024,
        segment: bool = False,
    ) -> SimLink:
        """Connect the first free NIC of each; both directions get these properties."""
        one, other = self._free_net(a), self._free_net(b)
        ways = []
        for (name, source), (sink_name, sink) in ((one, other), (other, one)):
            way = f"{name}>{sink_name}"
            random = Random(f"{self.seed}/{len(self.links)}/{way}")
            direction = Direction(self, way, source, sink, random)
            direction.delay_ns = delay_ns
            direction.loss = loss
            direction.rate_bps = rate_bps
            direction.queue_bytes = queue_bytes
            direction.segment = segment
            ways.append(direction)
        link = SimLink(ways[0], ways[1])
        self.links.append(link)
        return link

    def _free_net(self, which: str | Hypercalls) -> tuple[str, SimNet]:
        for host in self.hosts.values():
            if host.name == which or host.hypercalls is which:
                for net in host.nets:
                    if net.output is None:
                        return host.name, net
                raise ValueError(f"{host.name} has no free NIC")
        raise ValueError("no such host")

    # -- time

    def call_at(self, deadline_ns: int, func: Callable[[], None]) -> Timer:
        """Plan something at a virtual time."""
        return self._timers.call_at(deadline_ns, func)

    def work(self) -> None:
        """Let everybody work until nobody can, without time passing."""
        for _ in range(RESTLESS):
            busy = False
            for host in self.hosts.values():
                busy |= host.work(self.now_ns)
            while (func := self._timers.pop_due(self.now_ns)) is not None:
                func()
                busy = True
            if not busy:
                return
        raise RuntimeError(f"no rest at {self.now_ns} ns: hosts keep each other busy for ever")

    def next_ns(self) -> int | None:
        """The earliest deadline anywhere."""
        deadlines = [host.clock.next_ns() for host in self.hosts.values()]
        deadlines.append(self._timers.next_ns())
        return min((due for due in deadlines if due is not None), default=None)

    def run_until(self, condition: Callable[[], bool], limit_ms: int = 600_000) -> None:
        """Let time pass until condition() holds; TimeoutError after limit_ms of virtual time."""
        end = self.now_ns + limit_ms * 1_000_000
        self.work()
        while not condition():
            if not self._advance(end):
                raise TimeoutError(f"not within {limit_ms} ms of virtual time")

    def run_for(self, ms: int) -> None:
        """Let that much time pass."""
        self.run_to(self.now_ns + ms * 1_000_000)

    def run_to(self, time_ns: int) -> None:
        """Let time pass until time_ns, events of that instant included."""
        self.work()
        while self._advance(time_ns):
            pass
        self.now_ns = max(self.now_ns, time_ns)

    def settle(self, limit_ms: int = 600_000) -> None:
        """Let time pass until nothing is planned any more, or limit_ms have passed."""
        end = self.now_ns + limit_ms * 1_000_000
        self.work()
        while self._advance(end):
            pass

    def _advance(self, end_ns: int) -> bool:
        """Jump to the next deadline and work; False if it lies behind end_ns."""
        due = self.next_ns()
        if due is None or due > end_ns:
            return False
        self.now_ns = max(self.now_ns, due)
        self.work()
        return True

    def close(self) -> None:
        for host in self.hosts.values():
            host.scheduler.close()
