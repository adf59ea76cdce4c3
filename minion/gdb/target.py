"""A hart under a debugger: the stub's Target, and an engine around the machine's engine.

Theory of operation.  The machine runs this engine instead of its own and knows nothing else of the
debugger.  Breakpoints are the hart's (Hart.set_breakpoints): code between them runs at full speed.
Watchpoints take the place of the hart's load and store, which then raise a trap of a cause that no
hart has; with `monitor` set, traps for M mode end the engine's run, and this one hands all others
back to the hart.  The access has not happened when its watchpoint stops the hart: GDB expects that
of a RISC-V target, steps over the access itself and looks at the value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from minion.bus import Bus, BusError
from minion.gdb.registers import Registers
from minion.hart import privilege
from minion.hart.fields import Access
from minion.hart.state import Hart, Stop
from minion.hart.trap import Trap
from minion.ram import Ram

POINTS: Final = 256
"""Breakpoints, and watchpoints, a client may set."""
PAGE: Final = 4096
WATCHED: Final = 62
"""A cause that no exception has and medeleg cannot delegate."""
WATCH_LENGTH_MAX: Final = 1 << 16
SIGINT: Final = 2
SIGTRAP: Final = 5
WORDS: Final = {"write": "watch", "read": "rwatch", "access": "awatch"}
Watch = tuple[str, int, int]
"""Kind, first address, end."""


class Load(Protocol):
    def __call__(self, addr: int, size: int) -> int: ...


class Store(Protocol):
    def __call__(self, addr: int, size: int, value: int) -> None: ...


class Engine(Protocol):
    def run(self, limit: int) -> Stop: ...


class Control(Protocol):
    """The machine around the hart."""

    paused: bool

    @property
    def on_work(self) -> Callable[[], None] | None: ...

    def finish(self, status: int) -> None: ...

    def restart(self) -> None: ...


class HartTarget:
    def __init__(self, hart: Hart, engine: Engine, control: Control, bus: Bus, ram: Ram) -> None:
        self.hart = hart
        self._engine = engine
        self._control = control
        self._bus = bus
        self._ram = ram
        self._registers = Registers(hart)
        self._breaks: set[int] = set()
        self._watches: set[Watch] = set()
        self._stepping = False
        self._leaving: int | None = None
        """The pc that was stopped at: nothing stops the instruction there again."""
        self._trapped: int | None = None
        """The pc of a step that ended in a trap for the monitor, which may repeat it."""
        self._why = f"T{SIGTRAP:02x}thread:1;"

    # -- as an engine

    def run(self, limit: int) -> Stop:
        if self._stepping:
            self._stepping = False
            return self._step()
        leaving, self._leaving = self._leaving == self.hart.pc, None
        if leaving and (self._breaks or self._watches):
            stop = self._unwatched_step()
            if stop == Stop.MONITOR:  # a page fault: the same instruction comes again
                self._leaving = self.hart.pc
            if stop != Stop.LIMIT:
                return self._stopped(stop)
        return self._stopped(self._watched(limit) if self._watches else self._engine.run(limit))

    def _stopped(self, stop: Stop) -> Stop:
        if stop == Stop.BREAK and self.hart.pc in self._breaks:
            self._why = f"T{SIGTRAP:02x}thread:1;swbreak:;"
        return stop

    def _step(self) -> Stop:
        """One instruction, without interrupts, as in QEMU: a timer would be in each step's way."""
        hart = self.hart
        self._why = f"T{SIGTRAP:02x}thread:1;"
        trapped, self._trapped = self._trapped, None
        if trapped not in (None, hart.pc):  # a system call was carried out, or a trap was taken
            return Stop.BREAK
        hart.waiting = False  # wfi may end at any time
        hart.enabled = 0
        leaving, self._leaving = self._leaving == hart.pc, None
        if self._watches and not leaving:
            stop = self._watched(1)
        else:
            stop = self._unwatched_step()
        hart.context_changed()
        if stop == Stop.HALT:  # the end, or a reset: then the next instruction is the step
            self._stepping = True
            return stop
        if stop == Stop.MONITOR:
            self._stepping, self._trapped = True, hart.pc
            self._leaving = hart.pc if leaving else None
            return stop
        return Stop.BREAK

    def _unwatched_step(self) -> Stop:
        hart = self.hart
        hart.set_breakpoints(())
        stop = self._engine.run(1)
        hart.set_breakpoints(self._breaks)
        return stop

    def _watched(self, limit: int) -> Stop:
        """Run with watchpoints."""
        hart = self.hart
        load, store, monitor = hart.load, hart.store, hart.monitor
        end = hart.instret + limit
        hart.load, hart.store = self._watching(load, store)
        hart.monitor = True
        try:
            while True:
                stop = self._engine.run(max(end - hart.instret, 0))
                if stop != Stop.MONITOR:
                    return stop
                if hart.trap.cause == WATCHED:
                    return Stop.BREAK
                if monitor:  # somebody outside is M mode
                    return stop
                hart.monitor = False
                privilege.enter(hart, hart.trap)
                hart.monitor = True
                end -= 1
        finally:
            hart.monitor = monitor
            hart.load, hart.store = load, store

    def _watching(self, load: Load, store: Store) -> tuple[Load, Store]:
        reads = [w for w in self._watches if w[0] != "write"]
        writes = [w for w in self._watches if w[0] != "read"]

        def watched_load(addr: int, size: int) -> int:
            for watch in reads:
                if addr < watch[2] and addr + size > watch[1]:
                    self._hit(watch, addr)
            return load(addr, size)

        def watched_store(addr: int, size: int, value: int) -> None:
            for watch in writes:
                if addr < watch[2] and addr + size > watch[1]:
                    self._hit(watch, addr)
            store(addr, size, value)

        return watched_load, watched_store

    def _hit(self, watch: Watch, addr: int) -> None:
        kind, start, _ = watch
        self._why = f"T{SIGTRAP:02x}thread:1;{WORDS[kind]}:{max(addr, start):x};"
        raise Trap(WATCHED, addr)

    # -- Target: registers and memory

    def registers(self) -> str:
        return self._registers.get_general()

    def set_registers(self, data: bytes) -> bool:
        return self._registers.set_general(data)

    def register(self, number: int) -> str | None:
        return self._registers.get(number)

    def set_register(self, number: int, data: bytes) -> bool:
        return self._registers.set(number, data)

    def description(self) -> bytes:
        return self._registers.description()

    def read(self, addr: int, length: int) -> bytes | None:
        parts: list[bytes] = []
        for start, size in pages(addr, length):
            part = self._read_page(start, size)
            if part is None:
                break
            parts.append(part)
        return b"".join(parts) or None

    def _physical(self, addr: int, access: Access) -> int | None:
        try:
            return self.hart.mmu.translate(addr & self.hart.isa.mask, access, self.hart.priv)
        except Trap:
            return None

    def _read_page(self, addr: int, length: int) -> bytes | None:
        paddr = self._physical(addr, Access.LOAD)
        if paddr is None:
            return None
        span = self._ram.span(paddr, length)
        if span is not None:
            return bytes(span)
        size = length if length in (1, 2, 4, 8) and not paddr % length else 1
        try:
            parts = [self._bus.read(at, size) for at in range(paddr, paddr + length, size)]
        except BusError:
            return None
        return b"".join([(part & (1 << size * 8) - 1).to_bytes(size, "little") for part in parts])

    def write(self, addr: int, data: bytes) -> bool:
        at = 0
        for start, size in pages(addr, len(data)):
            if not self._write_page(start, data[at : at + size]):
                return False
            at += size
        self.hart.mmu.code_changed()
        return True

    def _write_page(self, addr: int, data: bytes) -> bool:
        paddr = self._physical(addr, Access.LOAD)  # also into code that is read-only for the hart
        if paddr is None:
            return False
        span = self._ram.span(paddr, len(data))
        if span is not None:
            span[:] = data
            return True
        size = len(data) if len(data) in (1, 2, 4, 8) and not paddr % len(data) else 1
        try:
            for at in range(0, len(data), size):
                value = int.from_bytes(data[at : at + size], "little")
                self._bus.write(paddr + at, size, value)
        except BusError:
            return False
        return True

    # -- Target: breakpoints

    def set_break(self, addr: int) -> bool:
        if addr not in self._breaks and len(self._breaks) >= POINTS:
            return False
        self._breaks.add(addr)
        self.hart.set_breakpoints(self._breaks)
        return True

    def clear_break(self, addr: int) -> None:
        self._breaks.discard(addr)
        self.hart.set_breakpoints(self._breaks)

    def set_watch(self, kind: str, addr: int, length: int) -> bool:
        watch = (kind, addr, addr + length)
        if not 0 < length <= WATCH_LENGTH_MAX or len(self._watches - {watch}) >= POINTS:
            return False
        self._watches.add(watch)
        return True

    def clear_watch(self, kind: str, addr: int, length: int) -> None:
        self._watches.discard((kind, addr, addr + length))

    # -- Target: running

    def resume(self, addr: int | None, step: bool) -> None:
        if addr is not None:
            self.set_register(32, addr.to_bytes(8, "little")[: self.hart.isa.xlen // 8])
        self._stepping, self._leaving, self._trapped = step, self.hart.pc, None
        self._control.paused = False
        self._wake()

    def _wake(self) -> None:
        if self._control.on_work is not None:
            self._control.on_work()

    def pause(self) -> None:
        if not self._control.paused:
            self._why = f"T{SIGINT:02x}thread:1;"
            self.hart.stop(Stop.BREAK)
            self._wake()

    def signalled(self, signal: int) -> None:
        """The next stop is due to a signal, by Linux's number."""
        self._why = f"T{signal:02x}thread:1;"

    def reason(self) -> str:
        return self._why

    def detach(self) -> None:
        self.disconnected()
        self._stepping = False
        self._control.paused = False
        self._wake()

    def disconnected(self) -> None:
        """Nobody is there who would hear of breakpoints: a paused hart stays so, for the next."""
        self._breaks.clear()
        self._watches.clear()
        self.hart.set_breakpoints(())

    def kill(self) -> None:
        self._control.finish(0)
        self._wake()

    def reset(self) -> None:
        """The hart is at its first instruction, and still stopped."""
        self._control.restart()


def pages(addr: int, length: int) -> list[tuple[int, int]]:
    """A range, cut where pages end."""
    parts = []
    while length:
        size = min(length, PAGE - addr % PAGE)
        parts.append((addr, size))
        addr += size
        length -= size
    return parts
