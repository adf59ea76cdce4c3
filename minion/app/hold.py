"""A debugger's hold on an app: while it is paused none of its threads gets the hart."""

from __future__ import annotations

from collections.abc import Callable

from minion.app.process import App, Thread
from minion.app.sleep import Watcher


class Hold:
    """The app around the hart, as minion.gdb knows a machine; threads wait for it as for a file."""

    def __init__(self, app: App, on_work: Callable[[], None]) -> None:
        """on_work: have the rump kernel run soon.  The app is paused at first."""
        self._app = app
        self._on_work = on_work
        self._paused = True
        self.nonblocking = False
        self.watchers: dict[Watcher, None] = {}
        self.thread: Thread | None = None
        """Who was stopped: its registers are in the hart, and it goes on first."""
        self.stopped: Callable[[], None] = lambda: None
        """Tells the debugger."""
        self.signalled: Callable[[int], None] = lambda _signal: None
        """Tells it why, before that."""
        self.attached: Callable[[], bool] = lambda: False
        """Whether there is one."""
        self._shown: tuple[Thread, int, int] | None = None
        """A fault that it has seen: the thread, its pc, and the instructions retired by then."""

    @property
    def paused(self) -> bool:
        return self._paused

    @paused.setter
    def paused(self, on: bool) -> None:
        self._paused = on
        if not on:
            self._wake()

    @property
    def on_work(self) -> Callable[[], None] | None:
        return self._on_work

    def _wake(self) -> None:
        for watcher in tuple(self.watchers):
            watcher.wake()

    def finish(self, _status: int) -> None:
        """GDB's kill."""
        self._app.exit(128 + 9)

    def restart(self) -> None:
        """Nothing: an app is started by its command."""

    def fault(self, thread: Thread, signal: int) -> bool:
        """Show a thread that is about to die; once: who lets it go on means it."""
        here = (thread, thread.pc, thread.app.hart.instret)
        if here == self._shown or not self.attached():
            return False
        self._shown = here
        self.signalled(signal)
        self.stop(thread)
        return True

    async def signal(self, thread: Thread, signal: int) -> None:
        """Show a thread that a signal is about to kill; it is within a system call."""
        await self.enter(thread)  # another one may be stopped already
        if not self.attached():
            return
        app = thread.app
        hart = app.hart
        app.on_hart = thread
        hart.x, hart.f, hart.pc = thread.x, thread.f, thread.pc
        hart.fflags, hart.frm = thread.fcsr
        self.signalled(signal)
        self.stop(thread)
        await self.enter(thread)

    def stop(self, thread: Thread) -> None:
        self.thread = thread
        self._paused = True
        self.stopped()

    async def enter(self, thread: Thread) -> None:
        """Wait for a turn; the one that was stopped takes what the debugger has changed."""
        while self._paused or self.thread not in (None, thread):
            await thread.sleeper.watch([self])
        if self.thread is thread:
            hart = thread.app.hart
            thread.pc = hart.pc
            thread.fcsr = (hart.fflags, hart.frm)
            self.thread = None
            self._wake()
