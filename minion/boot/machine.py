"""The machine that machine code boots on: `virt` with a RISC-V hart and nothing else on it.

Theory of operation.  `run` is an idle function of the reactor: it lets the engine run for about a
millisecond, then the reactor looks at its descriptors (console, netdev, debugger) and calls again.
A hart that waits for interrupts is not run: the reactor sleeps until the timer is due or a device
has raised its line.  The finisher, HTIF and the debugger stop the engine within a slice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from minion.boot import loader, rom
from minion.boot.map import FINISHER, ROM, ROM_LENGTH
from minion.boot.tree import board_tree
from minion.devices import finisher
from minion.devices.finisher import Finisher
from minion.fdt import emit
from minion.hart import privilege
from minion.hart.config import RV64, Isa
from minion.hart.cost import DEFAULT, Cost
from minion.hart.csr import MCAUSE, MEPC, MTVAL, MTVEC
from minion.hart.fields import Cause, M
from minion.hart.htif import Htif
from minion.hart.state import Hart, Stop
from minion.hart.trace import NAMES
from minion.netdev.api import Netdev
from minion.virt import DISKS, Virt, with_mmio

SLICE_NS: Final = 1_000_000
"""How long the engine runs at a time: what a key, a packet and the timer may have to wait."""
SLICE_MIN: Final = 64
SLICE_MAX: Final = 1 << 20
OUTPUT_MAX: Final = 4096
UART_FIFO: Final = 16
"""What a driver that clears the FIFO may lose of what is typed ahead."""
STUCK_STATUS: Final = 70
"""EX_SOFTWARE."""
LIMIT_STATUS: Final = 124
"""As timeout(1) exits."""


class Engine(Protocol):
    def run(self, limit: int) -> Stop: ...


class Debugger(Protocol):
    """Who is told when the hart stops at a breakpoint."""

    def stopped(self) -> None: ...


@dataclass(slots=True)
class Setup:
    """What the machine is made of and what it boots."""

    image: bytes
    bios: bytes = b""
    """Firmware that starts first; the image is then its next stage, in S mode."""
    isa: Isa = RV64
    cost: Cost = DEFAULT
    ram_bytes: int = 64 << 20
    block: Sequence[tuple[str, bool]] = ()
    bootargs: str = ""
    limit: int | None = None
    """Instructions after which the machine ends."""
    terminal: tuple[int, int] = (0, 0)
    """Columns and rows, for the virtio console."""
    mac: bytes = b"\x52\x54\x00\x12\x34\x56"
    """QEMU's default."""
    mtu_bytes: int = 1500
    now_ns: Callable[[], int] = time.monotonic_ns
    getrandom: Callable[[int], bytes] = field(default=os.urandom)


class Machine:
    def __init__(
        self,
        setup: Setup,
        engine: Callable[[Hart], Engine],
        output: Callable[[bytes], None],
        netdev: Netdev | None = None,
    ) -> None:
        """output: takes what the consoles write.  ElfError, OSError (a disk)."""
        if len(setup.block) >= DISKS:  # the console has the last slot
            raise ValueError(f"machine: at most {DISKS - 1} disks")
        self.setup = setup
        self.status: int | None = None
        """Exit status, once the machine has ended."""
        self.fault = ""
        """Why, if nobody asked for it."""
        self.debugger: Debugger | None = None
        self.paused = False
        """By the debugger: not run."""
        self._output = output
        self._on_work: Callable[[], None] | None = None
        self._pending = bytearray()
        self._slice = SLICE_MIN
        self._reset = False
        virt = self.virt = Virt(setup.ram_bytes, setup.now_ns, self._transmit)
        self.netdev = netdev
        self.nic = virt.add_net(netdev, setup.mac, setup.mtu_bytes) if netdev is not None else None
        self.rng = virt.add_rng(setup.getrandom)
        self.disks = virt.add_disks(setup.block)
        self.console = virt.add_console(self._transmit_all, *setup.terminal)
        virt.close_slots()
        self._rom = rom.Rom()
        virt.bus.attach(ROM, ROM_LENGTH, self._rom)
        virt.bus.attach(FINISHER, finisher.LENGTH, Finisher(self.finish, self.restart))
        self._read_programs()
        timer = virt.clint.mtime
        self.hart = Hart(virt.bus, virt.ram, virt.lines, setup.isa, time=timer, cost=setup.cost)
        self.engine = engine(self.hart)
        self._htif = self._find_htif()
        self.power_on()

    # -- power on

    def _read_programs(self) -> None:
        setup, ram = self.setup, self.virt.ram
        self.programs = [loader.read(setup.bios or setup.image, setup.isa, ram.base)]
        if setup.bios:
            addr = loader.next_stage(self.programs[0].end, setup.isa.xlen)
            self.programs.append(loader.read(setup.image, setup.isa, addr))
        for program in self.programs:
            loader.drop_headers(program, ram)
        loader.check(self.programs, ram)
        self.tree = emit(board_tree(setup.isa, ram.size, setup.bootargs))
        used_to = max(program.end for program in self.programs)
        self.tree_addr = loader.tree_address(ram, len(self.tree), used_to)
        first = self.programs[0]
        following = self.programs[1].start if setup.bios else first.start
        self._rom.data = rom.contents(setup.isa.xlen, first.entry, self.tree_addr, following)

    def _find_htif(self) -> Htif | None:
        """A program with a symbol `tohost` speaks to us through it, as to Spike."""
        for program in self.programs:
            tohost, fromhost = (program.physical(name) for name in ("tohost", "fromhost"))
            if tohost is not None:
                try:
                    return Htif(self.hart, tohost, fromhost, self._transmit_all)
                except ValueError:  # a symbol of the same name that is something else
                    return None
        return None

    def power_on(self) -> None:
        """The programs anew, as after QEMU's reset: the rest of RAM keeps what it holds."""
        ram = self.virt.ram
        for program in self.programs:
            loader.place(program, ram)
        tree = ram.span(self.tree_addr, len(self.tree))
        assert tree is not None
        tree[:] = self.tree
        self.virt.reset()
        self.hart.reset(ROM)
        self.hart.monitor = True
        self.hart.mmu.code_changed()

    def finish(self, status: int) -> None:
        """End the machine; also called within stores."""
        self.status = status
        self.hart.stop(Stop.HALT)

    def restart(self) -> None:
        """Reset; also called within stores."""
        if self.paused:
            self.power_on()
            return
        self._reset = True
        self.hart.stop(Stop.HALT)

    # -- run

    @property
    def on_work(self) -> Callable[[], None] | None:
        """Called when an interrupt rises outside of run: see to it that run is called."""
        return self._on_work

    @on_work.setter
    def on_work(self, function: Callable[[], None] | None) -> None:
        self._on_work = self.virt.lines.wake = function

    def run(self) -> int | None:
        """A slice.  When to call again: 0 at once, None not before something happens."""
        if self.status is not None or self.paused:
            return None
        limit = self._slice
        if self.setup.limit is not None:
            limit = min(limit, self.setup.limit - self.hart.instret)
            if limit <= 0:
                self.fault = f"the limit of {self.setup.limit} instructions is reached"
                self.status = LIMIT_STATUS
                return None
        timer = self.virt.clint
        timer.poll()
        retired = self.hart.instret
        before = time.monotonic_ns()
        self.virt.lines.wake = None
        try:
            stop = self.engine.run(limit)
        except OSError:  # of who takes what the consoles write
            raise
        except Exception as error:
            self.fault = (
                f"internal error at {self._where(self.hart.pc)}, "
                f"after {self.hart.instret} instructions: {error!r}"
            )
            self.finish(STUCK_STATUS)
            raise
        finally:
            self.virt.lines.wake = self._on_work
        if stop == Stop.LIMIT:
            self._adapt(time.monotonic_ns() - before)
            if self.hart.instret == retired and limit >= SLICE_MIN:
                self._check_stuck()
        if self._pending:
            self._flush()
        return self._stopped(stop)

    def _adapt(self, took_ns: int) -> None:
        """Keep a slice at about SLICE_NS, however fast the engine is on this code."""
        if took_ns > 2 * SLICE_NS:
            self._slice = max(self._slice // 2, SLICE_MIN)
        elif took_ns < SLICE_NS // 2:
            self._slice = min(self._slice * 2, SLICE_MAX)

    def _stopped(self, stop: Stop) -> int | None:
        """The engine has returned."""
        if stop == Stop.WFI:
            return self.virt.clint.deadline_ns()
        if stop == Stop.BREAK:
            self.paused = True
            if self.debugger is not None:
                self.debugger.stopped()
            return None
        if stop == Stop.MONITOR:
            self._first_trap()
        if self._reset:
            self._reset = False
            self.power_on()
        if self._htif is not None and self._htif.exit_code is not None:
            code = self._htif.exit_code
            self.status = code & 0xFF or int(code != 0)
        return None if self.status is not None else 0

    def _first_trap(self) -> None:
        """The first one into M mode: where it would be lost, for want of a handler, it is told."""
        hart = self.hart
        if hart.csr.read(MTVEC) >> 2:
            hart.monitor = False
            privilege.enter(hart, hart.trap)
            return
        cause, tval = hart.trap.cause, hart.trap.tval
        interrupt = cause >> hart.isa.xlen - 1
        name = f"interrupt {cause & 0xFF}" if interrupt else NAMES[Cause(cause)].replace("_", " ")
        came = f", ra {self._where(hart.x[1])}" if hart.pc == tval else ""
        self.fault = (
            f"a trap, and no handler (mtvec is 0): {name} at {self._where(hart.pc)}, "
            f"mtval {tval:#x}{came}"
        )
        if self.debugger is None:
            self.finish(STUCK_STATUS)
        else:  # which looks at it; to go on is to trap again
            self.paused = True
            self.debugger.stopped()

    def _where(self, addr: int) -> str:
        """An address, with its symbol."""
        for program in self.programs:
            if program.symbols.lookup(addr) is not None:
                return f"{addr:#x} {program.symbols.describe(addr)}"
        return f"{addr:#x}"

    def _check_stuck(self) -> None:
        """Nothing but traps: the handler traps itself, and in M mode nothing will change that."""
        hart = self.hart
        if hart.priv != M or hart.enabled:
            return
        self.fault = (
            f"stuck: the trap handler at {hart.pc:#x} traps itself "
            f"(mcause {hart.csr.read(MCAUSE)}, mepc {hart.csr.read(MEPC):#x}, "
            f"mtval {hart.csr.read(MTVAL):#x})"
        )
        self.finish(STUCK_STATUS)

    # -- consoles

    @property
    def room(self) -> int:
        """How many bytes UART0 would take now: as many as its FIFO had, were it hardware."""
        uart = self.virt.uart0
        return max(UART_FIFO - uart.waiting, 0) if uart.listening else 0

    def receive(self, data: bytes) -> None:
        """Somebody types at UART0.  No more than `room` bytes."""
        self.virt.uart0.receive(data)

    def _transmit(self, byte: int) -> None:
        self._pending.append(byte)
        if len(self._pending) >= OUTPUT_MAX:
            self._flush()

    def _transmit_all(self, data: bytes) -> None:
        self._pending += data
        if len(self._pending) >= OUTPUT_MAX:
            self._flush()

    def _flush(self) -> None:
        self._output(bytes(self._pending))
        self._pending.clear()

    # -- the end

    def close(self) -> None:
        """Power off."""
        if self._pending:
            self._flush()
        if self.netdev is not None:
            self.netdev.close()
        for disk in self.disks:
            disk.close()

    def counters(self) -> dict[str, dict[str, int]]:
        """Everything accounted, by device."""
        virt = self.virt
        table = {
            "hart": {"instructions": self.hart.instret, "cycles": self.hart.cycles},
            "uart0": virt.uart0.counters,
            "rng": with_mmio(self.rng),
            "console": with_mmio(self.console),
            "interrupts": virt.served(),
        }
        if self.nic is not None and self.netdev is not None:
            table["nic"] = self.nic.account()
            table["netdev"] = self.netdev.counters
        for n, disk in enumerate(self.disks):
            table[f"vd{n}"] = with_mmio(disk)
        return {name: dict(values) for name, values in table.items()}
