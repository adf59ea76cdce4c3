"""What sessions leave to a softint: channels that are ready, buffers to try for again, the rest."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from hypercalls.api import Memory, Ready, Threads

IN: Final = int(Ready.IN)
OUT: Final = int(Ready.OUT)
HUP: Final = int(Ready.HUP)


class Served(Protocol):
    """What the queue needs of a session."""

    chan: int

    def unblock(self) -> None:
        """Its channel has room again."""

    def pump_in(self) -> None:
        """Its channel has data."""

    def hang_up(self) -> None:
        """Nobody holds the program's end of its channel any more."""

    def resume(self) -> None:
        """There may be memory again."""

    def release(self, reset: bool) -> None: ...


class SessionWork:
    """One queue per server of sessions."""

    def __init__(self, threads: Threads, memory: Memory) -> None:
        self._threads = threads
        self._memory = memory
        self._ready: dict[Served, int] = {}
        self._later: deque[Callable[[], None]] = deque()
        self._stalled: dict[Served, None] = {}
        """Without memory, in the order in which they asked."""
        self._softint = threads.softint(self._run)
        self._freed = threads.softint(self._resume_stalled)

    def ready(self, session: Served, events: Ready) -> None:
        """Serve a channel soon.  Callable in interrupt context."""
        self._ready[session] = self._ready.get(session, 0) | int(events)
        self._softint.schedule()

    def later(self, work: Callable[[], None]) -> None:
        """Call work soon, when nothing else is in the middle of something."""
        self._later.append(work)
        self._softint.schedule()

    def retry_later(self, session: Served) -> None:
        """Out of memory: resume the session when some has been freed."""
        if not self._stalled:
            self._memory.when_freed(self._freed.schedule)
        self._stalled[session] = None

    def forget(self, session: Served) -> None:
        self._ready.pop(session, None)
        self._stalled.pop(session, None)

    def _resume_stalled(self) -> None:
        """The softint of freed memory: in turn, until there is none again."""
        stalled, self._stalled = self._stalled, {}
        for session in stalled:
            if self._stalled:  # the one before was left without
                self._stalled[session] = None
                continue
            try:
                session.resume()
            except Exception as error:  # our fault: costs this connection
                self._threads.crashed(f"channel {session.chan}", error)
                session.release(reset=True)

    def catch_up(self) -> None:
        """A request has come: what was told before it is done before it."""
        if self._ready:
            self._run()

    def _run(self) -> None:
        """The softint."""
        ready, self._ready = self._ready, {}
        for session, events in ready.items():
            try:
                if events & OUT:
                    session.unblock()
                if events & HUP:
                    session.hang_up()
                elif events & IN:
                    session.pump_in()
            except Exception as error:  # our fault: costs this connection
                self._threads.crashed(f"channel {session.chan}", error)
                session.release(reset=True)
        for _ in range(len(self._later)):
            self._later.popleft()()
