"""The contract between the rump kernel and whatever carries it, after rumpuser(3).

A rump kernel (here: `stack/`, and the server half of `minion/sysproxy/`) may call nothing but what
stands in this file, and in channels.py, which belongs to it.  Three packages implement it, with the
same file names: `bare/` on the modelled minion, `host/` straight on POSIX, and `sim/` in virtual
time.  One suite, `tests/hypercalls/`, runs against all three.

Rules that hold everywhere:

* There is one rump CPU and threads are cooperative: code runs until it awaits.  Only calls that are
  `async` may block; every other call returns at once.
* Handlers (`on_receive`, `on_alarm`, `ready`) are called in *interrupt context*: they may schedule
  softints and wake threads, and must not await.  Softints run before threads, never nested.
* Failures are `OSError` with an errno.  Calls whose docstring names no failure cannot fail.
* Times are integers of nanoseconds.  Monotonic time never goes back; wall time may.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hypercalls.channels import CLOSED as CLOSED
from hypercalls.channels import EOF as EOF
from hypercalls.channels import RESET as RESET
from hypercalls.channels import Copy as Copy
from hypercalls.channels import Ready as Ready

Main = Coroutine[Any, Any, None]


# -- memory ------------------------------------------------------------------------------------


class Buffer(Protocol):
    """A run of memory that devices can reach.  It belongs to whoever holds a reference.

    Dropping the last reference frees it (rumpuser_free without the call): nobody else can know when
    the last of the device, the retransmission queue and the reader has finished with it.
    """

    addr: int
    """Bus address of the first byte (0 where no device needs one)."""
    view: memoryview
    """The bytes: writable, format 'B', exactly as long as the buffer."""

    cost_bytes: int
    """What it takes from `Memory.free_bytes`: the length, rounded up."""


Slice = tuple[Buffer, int, int]
"""(buffer, offset, length): a part of a buffer, and a share in its ownership."""


class Memory(Protocol):
    """rumpuser_malloc, rumpuser_free."""

    @property
    def size_bytes(self) -> int:
        """All memory there is for buffers."""

    @property
    def free_bytes(self) -> int:
        """What is left of it now."""

    def alloc(self, size_bytes: int) -> Buffer | None:
        """A buffer of size_bytes (at least 1), contents undefined; None if there is no room.

        None is back-pressure: the caller leaves its work where it is and tries again later.
        """

    def when_freed(self, handler: Callable[[], None]) -> None:
        """Call handler once, in interrupt context, when something has been freed after this call.

        There may still be too little: who waits tries, and asks again.
        """


# -- threads and softints ----------------------------------------------------------------------


class Thread(Protocol):
    """rumpuser_thread_create's cookie."""

    name: str

    @property
    def finished(self) -> bool:
        """True once main returned or raised."""

    async def join(self) -> None:
        """Wait until the thread has finished.  Returns at once if it has."""


class Softint(Protocol):
    """Deferred interrupt work, after softint(9)."""

    def schedule(self) -> None:
        """Run the handler once, soon, outside interrupt context.  Scheduling twice runs it once."""


class Threads(Protocol):
    """rumpuser_thread_create, and the scheduler beneath it."""

    def create(self, main: Main, name: str) -> Thread:
        """Start a thread.  It first runs after the caller awaits or returns, in order of creation.

        An exception that leaves main ends the thread, is told to `crashed`, and harms nobody else.
        """

    def softint(self, handler: Callable[[], None]) -> Softint:
        """Establish a softint.  Handlers run in the order in which they were scheduled."""

    def yield_(self) -> Awaitable[None]:
        """Let every other runnable thread run once."""

    def pause(self) -> Awaitable[None]:
        """As yield_, after which the host looks at its devices: for a thread that computes long."""

    crashed: Callable[[str, BaseException], None]
    """Called with a name and an exception when a thread or a softint fails; may be replaced."""


class Mutex(Protocol):
    """rumpuser_mutex_*: not recursive, first come first served."""

    async def enter(self) -> None: ...

    def tryenter(self) -> bool:
        """Take it if it is free; False, at once, if it is not."""

    def exit(self) -> None:
        """Hand it to the longest-waiting thread.  RuntimeError unless the caller owns it."""

    @property
    def owner(self) -> Thread | None: ...


class Rwlock(Protocol):
    """rumpuser_rw_*: many readers or one writer; a waiting writer keeps new readers out."""

    async def enter(self, write: bool) -> None: ...

    def tryenter(self, write: bool) -> bool: ...

    def tryupgrade(self) -> bool:
        """From the only reader to the writer; False if there are other readers."""

    def downgrade(self) -> None:
        """From writer to reader, letting waiting readers in."""

    def exit(self) -> None: ...

    def held(self, write: bool) -> bool:
        """Whether anybody holds it that way."""


class Condvar(Protocol):
    """rumpuser_cv_*.  Waits may not wake spuriously."""

    async def wait(self, mutex: Mutex) -> None:
        """Leave mutex, wait for a signal, enter mutex again."""

    async def timedwait(self, mutex: Mutex, timeout_ns: int) -> bool:
        """As wait, but no longer than timeout_ns; False if the time ran out."""

    def signal(self) -> None:
        """Wake the longest-waiting thread, if any."""

    def broadcast(self) -> None: ...

    @property
    def has_waiters(self) -> bool: ...


class Sync(Protocol):
    def mutex(self) -> Mutex: ...

    def rwlock(self) -> Rwlock: ...

    def condvar(self) -> Condvar: ...


# -- time, randomness, console, parameters -----------------------------------------------------


class Clock(Protocol):
    """rumpuser_clock_gettime, rumpuser_clock_sleep, and the timer interrupt."""

    def monotonic_ns(self) -> int: ...

    def wall_ns(self) -> int:
        """Nanoseconds since the Unix epoch."""

    def sleep(self, duration_ns: int) -> Awaitable[None]:
        """Suspend the calling thread for at least duration_ns."""

    def on_alarm(self, handler: Callable[[], None]) -> None:
        """Call handler, in interrupt context, each time the alarm goes off."""

    def set_alarm(self, deadline_ns: int | None) -> None:
        """Set the one alarm to a monotonic time (one in the past goes off soon); None: off."""


class Random(Protocol):
    def getrandom(self, length: int) -> bytes:
        """length bytes fit for keys and secrets (except in sim/, where a seed decides)."""


class Console(Protocol):
    def write(self, text: str) -> None:
        """Print on the console: rumpuser_putchar and rumpuser_dprintf.  Lines end in a newline."""


class Params(Protocol):
    def getparam(self, name: str) -> str | None:
        """rumpuser_getparam.  `_RUMPUSER_NCPU` and `_RUMPUSER_HOSTNAME` always have a value."""


# -- files and block I/O -----------------------------------------------------------------------


class BioDone(Protocol):
    def __call__(self, transferred: int, errno: int) -> None: ...


class File(Protocol):
    """rumpuser_open's descriptor."""

    size_bytes: int
    block: bool
    """True for a block device: offsets and lengths are then multiples of 512 bytes."""

    def bio(self, write: bool, buffer: Buffer, length: int, offset: int, done: BioDone) -> None:
        """Read or write length bytes at offset; done is called once, in interrupt context.

        The buffer belongs to the transfer until then.  A read past the end transfers what there is.
        """

    def sync(self) -> None:
        """Return when all finished writes are on stable storage.  OSError(EIO)."""

    def close(self) -> None: ...


class Files(Protocol):
    def open(self, path: str, write: bool = False, create: bool = False) -> File:
        """Open a file or block device.  OSError: ENOENT, EACCES, EROFS, EISDIR, EMFILE."""


# -- network and serial ------------------------------------------------------------------------


class Frame(Protocol):
    """A received Ethernet frame, valid until the next `recv` unless kept."""

    view: memoryview
    """The whole frame from its Ethernet header on, without FCS."""
    buffer: Buffer
    """Where the frame lies; borrowed, like view."""
    offset: int
    """view[0] is buffer.view[offset]."""
    csum_ok: bool
    """The transport checksum needs no check (verified by the device, or never put on a wire)."""
    gso_size: int
    """0, or the segment size of a TCP super-segment."""

    def keep(self) -> Slice | None:
        """Take the frame's memory over: (buffer, offset of view[0], length).

        None without memory to replace it with; the frame can then only be copied or dropped.
        """


class Net(Protocol):
    """One Ethernet device, after VIFHYPER.  mtu_bytes excludes the 14-byte Ethernet header."""

    mac: bytes
    mtu_bytes: int
    gso_max_bytes: int
    """Largest IP packet that may be given to send as a super-segment; 0: no TCP segmentation."""
    csum_offload: bool
    """The device completes transport checksums (see send)."""

    def send(
        self,
        header: bytes,
        payload: Sequence[Slice] = (),
        csum_start: int = 0,
        csum_offset: int = 0,
        gso_size: int = 0,
    ) -> None:
        """Queue one frame: header (Ethernet header first, any length) and then payload.

        With csum_start > 0, the Internet checksum from csum_start to the end is to be written at
        csum_start + csum_offset, where the pseudo-header's partial sum stands.  With gso_size > 0
        the frame is a TCP super-segment to be cut into segments of gso_size payload bytes.
        Never blocks, never fails; a frame may be lost.  Payload memory is shared until it is sent.
        """

    def flush(self) -> None:
        """Tell the device about what was queued since the last flush (one doorbell for many)."""

    def on_full(self, handler: Callable[[bool], None]) -> None:
        """Call handler(True) when frames begin to wait for the device, and handler(False), in
        interrupt context, when none waits any more: who has much to send should wait meanwhile."""

    def recv(self) -> Frame | None:
        """The oldest waiting frame, or None.  Never blocks."""

    def on_receive(self, handler: Callable[[], None]) -> None:
        """Call handler, in interrupt context, when frames have come since recv returned None."""


class Serial(Protocol):
    """A byte line without any promise about what arrives: the sysproxy's transport."""

    def write(self, data: bytes) -> None:
        """Send all of data, in order."""

    def read(self) -> bytes:
        """What has come since the last read; empty if nothing has."""

    def on_receive(self, handler: Callable[[], None]) -> None:
        """Call handler, in interrupt context, when bytes have come since read returned empty."""


# -- all of it ---------------------------------------------------------------------------------


@dataclass(slots=True)
class Hypercalls:
    """What one rump kernel is given at boot.  Absent devices are None or missing from the list."""

    memory: Memory
    threads: Threads
    sync: Sync
    clock: Clock
    random: Random
    console: Console
    params: Params
    files: Files
    nets: Sequence[Net] = ()
    serial: Serial | None = None
    copy: Copy | None = None
