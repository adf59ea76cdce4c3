"""Threads of apps on the hart: the way into user mode and out of it.

Theory of operation.  Each thread of an app is a rump thread.  In its turn it loads its registers
into the app's hart, which runs in user mode behind Sv39 with `monitor` on: every trap comes back
here, where M mode would be.  A system call is carried out and answered in a0; a page fault is
resolved from the app's areas, or is its death.  A turn is bounded (the timer tick): after it other
rump threads, interrupts and the host get theirs.  So an app in an endless loop stops nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EPIPE
from typing import Final, Protocol

from minion.app.calls.table import Calls, Dispatch
from minion.app.load import load, make_stack
from minion.app.process import (
    SIGBUS,
    SIGILL,
    SIGKILL,
    SIGPIPE,
    SIGSEGV,
    SIGTRAP,
    App,
    Kernel,
    Thread,
)
from minion.app.report import die
from minion.app.sleep import Killed
from minion.app.space import EXEC, READ, WRITE
from minion.elf.image import Image
from minion.hart.csr import MCOUNTEREN, SATP, SCOUNTEREN
from minion.hart.fields import FS, Cause, U
from minion.hart.state import Hart, Stop

TICK_NS: Final = 250_000
TURN_MIN: Final = 200
TURN_MAX: Final = 2_000_000
"""Instructions per turn of a thread: adapted so that a turn takes about a tick."""
ACCESS: Final[dict[int, int]] = {
    Cause.LOAD_PAGE: READ,
    Cause.STORE_PAGE: WRITE,
    Cause.FETCH_PAGE: EXEC,
}
SIGNALS: Final[dict[int, int]] = {
    Cause.ILLEGAL: SIGILL,
    Cause.BREAKPOINT: SIGTRAP,
    Cause.FETCH_MISALIGNED: SIGBUS,
    Cause.LOAD_MISALIGNED: SIGBUS,
    Cause.STORE_MISALIGNED: SIGBUS,
}
DOING: Final[dict[int, str]] = {
    Cause.LOAD_PAGE: "reading", Cause.STORE_PAGE: "writing", Cause.FETCH_PAGE: "executing",
    Cause.LOAD_MISALIGNED: "reading", Cause.STORE_MISALIGNED: "writing",
    Cause.LOAD_ACCESS: "reading", Cause.STORE_ACCESS: "writing", Cause.FETCH_ACCESS: "executing",
    Cause.ILLEGAL: "instruction",
}  # fmt: skip


PMPCFG0: Final = 0x3A0
PMPADDR0: Final = 0x3B0
ALL_OF_MEMORY: Final = (1 << 54) - 1
NAPOT_RWX: Final = 0x1F
"""One PMP entry that permits everything (privileged spec, "Physical Memory Protection")."""


def into_user_mode(hart: Hart, satp: int) -> None:
    """As M mode leaves it before mret: all counters readable, memory as the tables say, FP on."""
    csr = hart.csr
    hart.monitor = True
    for counters in (MCOUNTEREN, SCOUNTEREN):
        csr.write(counters, 7)
    csr.write(PMPADDR0, ALL_OF_MEMORY)
    csr.write(PMPCFG0, NAPOT_RWX)
    csr.write(SATP, satp)
    hart.mstatus |= FS
    hart.priv = U
    hart.mmu.flush()
    hart.context_changed()


class Engine(Protocol):
    def run(self, limit: int) -> Stop: ...


MakeHart = Callable[[], Hart]
MakeEngine = Callable[[Hart], Engine]


class Runner:
    """Starts and runs machine-code apps."""

    def __init__(
        self, kernel: Kernel, make_hart: MakeHart, make_engine: MakeEngine,
        around: Callable[[Dispatch], Dispatch] | None = None,
    ) -> None:  # fmt: skip
        """make_hart: a hart with monitor on; around: a tracer around system calls."""
        self.kernel = kernel
        self._make_hart = make_hart
        self._make_engine = make_engine
        self._engines: dict[App, Engine] = {}
        self._calls = Calls(self.spawn)
        self._call = self._calls.call if around is None else around(self._calls.call)

    def engine(self, app: App) -> Engine:
        return self._engines[app]

    def replace(self, app: App, engine: Engine) -> None:
        """Have an app run by an engine around its own."""
        self._engines[app] = engine

    def start(
        self, image: Image, name: str, argv: Sequence[bytes], environ: Sequence[bytes],
        make_engine: MakeEngine | None = None,
    ) -> App:  # fmt: skip
        """An app that runs when its caller returns; it has no files yet.  ElfError, OSError."""
        hart = self._make_hart()
        app = App(self.kernel, hart, name, argv)
        try:
            entry, heap, app.bias = load(app.space, image)
            random = self.kernel.hyper.random.getrandom(16)
            sp = make_stack(app.space, image, app.bias, argv, environ, random)
            into_user_mode(hart, app.space.satp)
            self._engines[app] = (make_engine or self._make_engine)(hart)
        except BaseException:
            app.space.close()
            del self.kernel.apps[app.pid]
            raise
        app.image, app.symbols = image, image.symbols
        app.heap_start = app.heap_end = heap
        thread = Thread(app, app.pid, entry)
        thread.x[2] = sp
        hart.x, hart.pc = thread.x, entry  # a debugger may look before it runs
        self.spawn(thread)
        return app

    def spawn(self, thread: Thread) -> None:
        """Have a thread run."""
        app = thread.app
        app.threads[thread.tid] = thread
        self.kernel.hyper.threads.create(self._run(thread), f"{app.name}:{thread.tid}")

    async def _run(self, thread: Thread) -> None:
        app = thread.app
        try:
            while not app.exiting and thread.tid in app.threads:
                await self._turn_of(thread)
        except Killed:
            pass  # the app ends; this thread was waiting for something
        except Exception as error:  # our fault: the scheduler tells it, with its traceback
            self._failed(thread, error)
            raise
        except BaseException:
            app.exit(128 + SIGKILL)
            raise
        finally:
            if not app.threads.keys() - {thread.tid}:
                self._engines.pop(app, None)
            app.thread_ended(thread)

    def _failed(self, thread: Thread, error: Exception) -> None:
        """It costs the app, which hears why, and nobody else."""
        app = thread.app
        if app.on_hart is thread:
            thread.pc = app.hart.pc
        try:
            die(thread, SIGKILL, f"internal error of the minion: {error!r}")
        finally:
            app.exit(128 + SIGKILL)

    async def _turn_of(self, thread: Thread) -> None:
        """One turn on the hart, and what ended it."""
        app, clock = thread.app, self.kernel.hyper.clock
        hart = app.hart
        if app.hold is not None:
            await app.hold.enter(thread)
        began, before = clock.monotonic_ns(), hart.instret
        if began - thread.sleeper.rested_ns > TICK_NS:  # calls and page faults take time, too
            await self._rest(thread)
            return
        if app.on_hart is not thread:
            app.on_hart = thread
            hart.reservation = None  # it was another thread's
        hart.x, hart.f, hart.pc = thread.x, thread.f, thread.pc
        hart.fflags, hart.frm = thread.fcsr
        stop = self._engines[app].run(thread.turn)
        thread.pc = hart.pc
        thread.fcsr = (hart.fflags, hart.frm)
        app.instructions += hart.instret - before
        if stop is Stop.MONITOR:
            await self._trapped(thread, hart.trap.cause, hart.trap.tval)
            return
        if stop is Stop.BREAK and app.hold is not None:
            app.hold.stop(thread)
            return
        took_ns = clock.monotonic_ns() - began
        if not TICK_NS // 2 <= took_ns <= 2 * TICK_NS:
            wanted = thread.turn * TICK_NS // max(took_ns, 1)
            thread.turn = max(TURN_MIN, min(TURN_MAX, wanted, 2 * thread.turn))
        await self._rest(thread)

    async def _rest(self, thread: Thread) -> None:
        """Others have their turn, and the host."""
        await self.kernel.hyper.threads.pause()
        thread.sleeper.rested_ns = self.kernel.hyper.clock.monotonic_ns()

    async def _trapped(self, thread: Thread, cause: int, tval: int) -> None:
        app = thread.app
        if cause == Cause.ECALL_U:
            thread.pc += 4
            app.hart.reservation = None
            thread.x[10] = await self._call(thread) & (1 << 64) - 1
            if thread.x[10] == (1 << 64) - EPIPE and self._calls.broken_pipe(thread):
                if app.hold is not None:
                    await app.hold.signal(thread, SIGPIPE)
                app.exit(128 + SIGPIPE)
            return
        access = ACCESS.get(cause)
        if access is not None:
            try:
                if app.space.fault(tval, access):
                    return
            except OSError:
                die(thread, SIGKILL, f"no memory left for apps, touching {tval:#x}")
                return
        signal = SIGNALS.get(cause, SIGSEGV)
        if app.hold is not None and app.hold.fault(thread, signal):
            return
        what = f"{DOING[cause]} {tval:#x}" if cause in DOING else f"at {thread.pc:#x}"
        die(thread, signal, what)
