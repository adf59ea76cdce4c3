"""An app and its threads, as data; `runner` makes them run, `calls/` is what they can ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from hypercalls.api import Hypercalls
from minion.app.files import FileTable
from minion.app.frames import Frames
from minion.app.sleep import Killed, Sleeper
from minion.app.space import AddressSpace
from minion.elf.image import Image
from minion.elf.symbols import Symbols
from minion.hart.state import Hart
from stack.netstack import Netstack
from stack.services.resolver import Resolver

SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM = 4, 5, 6, 7, 9, 11, 13, 15
SIG_IGN: Final = 1
THREADS_MAX: Final = 128
TURN_FIRST: Final = 500


@dataclass(slots=True)
class Kernel:
    """What all apps of a minion share."""

    hyper: Hypercalls
    net: Netstack
    resolver: Resolver
    frames: Frames
    apps: dict[int, App] = field(default_factory=dict)
    """By process id."""
    next_pid: int = 1

    def pid(self) -> int:
        """A number that no app and no thread has."""
        used = {tid for app in self.apps.values() for tid in app.threads}
        while self.next_pid in used or self.next_pid in self.apps:
            self.next_pid += 1
        self.next_pid += 1
        return self.next_pid - 1


class Thread:
    """One thread of an app: the registers it has while another one has the hart."""

    __slots__ = ("app", "clear_tid", "f", "fcsr", "pc", "sigmask", "sleeper", "tid", "turn", "x")

    def __init__(self, app: App, tid: int, pc: int) -> None:
        self.app = app
        self.tid = tid
        self.pc = pc
        self.x = [0] * 33
        self.f = [0] * 32
        self.fcsr = (0, 0)
        """fflags, frm"""
        self.clear_tid = 0
        """CLONE_CHILD_CLEARTID: cleared, and its futex woken, when the thread ends."""
        self.sigmask = 0
        self.sleeper = Sleeper(app.kernel.hyper)
        self.turn = TURN_FIRST
        """Instructions that it may execute before others have their turn."""


class Entry(Protocol):
    """minion.app.hold.Hold, as its runner sees it."""

    async def enter(self, thread: Thread) -> None:
        """Wait until the thread may have the hart."""

    def stop(self, thread: Thread) -> None:
        """The engine has stopped for the debugger."""

    def fault(self, thread: Thread, signal: int) -> bool:
        """A fatal fault.  True: the debugger looks at it; False: it takes its course."""

    async def signal(self, thread: Thread, signal: int) -> None:
        """A fatal signal: it takes its course when the debugger has looked at it."""


class App:
    """A process.

    It has a hart's state of its own, as with an address space identifier each: nothing that is
    translated or decoded has to be forgotten when another app runs.
    """

    def __init__(self, kernel: Kernel, hart: Hart, name: str, argv: Sequence[bytes]) -> None:
        """OSError(ENOMEM)."""
        self.kernel = kernel
        self.hart = hart
        self.name = name
        self.argv = list(argv)
        self.pid = kernel.pid()
        self.space = AddressSpace(kernel.frames, hart.mmu.flush, self._largest)
        self.files = FileTable()
        self.threads: dict[int, Thread] = {}
        self.image: Image | None = None
        self.bias = 0
        self.symbols = Symbols(())
        self.heap_start = self.heap_end = 0
        self.signals: dict[int, bytes] = {}
        """sigaction(2)'s structures, as the app gave them; kept for it to read."""
        self.futexes: dict[int, list[tuple[Sleeper, int, list[bool]]]] = {}
        """Address -> (who waits, its bitset, where to note that it was woken)."""
        self.exit_status: int | None = None
        """As a shell shows it: 128 + signal for one that was killed."""
        self.ended: Callable[[int], None] = lambda _status: None
        """Called once, when nothing of the app is left."""
        self.log: Callable[[str], None] = lambda _line: None
        self.unknown: set[int] = set()
        """System calls that it has asked for and that are not there."""
        self.instructions = 0
        self.on_hart: Thread | None = None
        """Whose registers the hart has."""
        self.hold: Entry | None = None
        """A debugger's."""
        kernel.apps[self.pid] = self

    def _largest(self) -> bool:
        """So that who eats all memory dies of it, and not who asks for a page after that."""
        if self.pid not in self.kernel.apps:
            return False  # it begins: all that it wants is a root table
        apps = self.kernel.apps.values()
        return all(app.space.resident_bytes <= self.space.resident_bytes for app in apps)

    @property
    def exiting(self) -> bool:
        return self.exit_status is not None

    def exit(self, status: int) -> None:
        """exit_group(2), or a fatal signal: all threads end, at the latest where they next wait."""
        if self.exit_status is None:
            self.exit_status = status
        for thread in self.threads.values():
            thread.sleeper.kill()

    def ignores(self, signal: int) -> bool:
        return self._action(signal) == SIG_IGN

    def handles(self, signal: int) -> bool:
        return self._action(signal) > SIG_IGN

    def _action(self, signal: int) -> int:
        return int.from_bytes(self.signals.get(signal, b"")[:8], "little")

    def thread_ended(self, thread: Thread) -> None:
        """Its last act; the last thread's is the app's."""
        del self.threads[thread.tid]
        if thread.clear_tid and not self.exiting:
            try:
                self.space.put(thread.clear_tid, 0, 4)
            except OSError:
                pass  # the app has unmapped it: nobody waits there
            self.wake_futex(thread.clear_tid, 1)
        if not self.threads:
            self._close()

    def wake_futex(self, addr: int, count: int, bitset: int = 0xFFFF_FFFF) -> int:
        """FUTEX_WAKE: how many were woken."""
        waiting = self.futexes.get(addr, [])
        woken = 0
        for entry in list(waiting):
            if woken >= count:
                break
            sleeper, wanted, note = entry
            if wanted & bitset:
                waiting.remove(entry)
                note.append(True)
                sleeper.wake()
                woken += 1
        if not waiting:
            self.futexes.pop(addr, None)
        return woken

    def _close(self) -> None:
        self.files.close_all()
        self.space.close()
        del self.kernel.apps[self.pid]
        if self.exit_status is None:
            self.exit_status = 0
        self.ended(self.exit_status)


__all__ = ["App", "Kernel", "Killed", "Thread"]
