"""A proxied socket on the minion: between its stream socket and the program's channel.

Theory of operation.  Data flows by itself, without requests.  `ready(IN)` means that the program
has written: `pump_in` copies in as much as the send buffer takes, and stops asking when it is full
(back-pressure).  In-order segments are copied out straight from the received frame; what the
channel does not take waits in the receive queue, and the window closes, until `ready(OUT)`.  When
nobody holds the program's end any more, `ready(HUP)`, what it wrote is taken at once, as long as
memory is plentiful; else it goes on waiting in the channel, and the connection is told that nobody
waits for it, so that it ends even if its peer takes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import ECONNABORTED
from functools import partial
from typing import Protocol

from hypercalls.api import EOF, RESET, Buffer, Copy, Ready
from minion.sysproxy.messages import READ_ON_NS
from minion.sysproxy.work import SessionWork
from stack.netstack import Netstack
from stack.socket.stream import StreamSocket
from stack.socket.user import Phase
from stack.tcp.buffers import ReceiveQueue
from stack.tcp.state import MAY_SEND
from stack.tcp.tcb import Tcb

CHUNK_MIN_BYTES = 2048
CHUNK_MAX_BYTES = 128 << 10
SMALL_LIMIT_BYTES = 32 << 10
"""Of a send buffer whose pieces are not to be smaller still: each costs segments of its own."""


class SessionServer(Protocol):
    """What a session needs of its server."""

    net: Netstack
    scratch: Buffer
    work: SessionWork

    @property
    def copy(self) -> Copy: ...

    def accept(self, session: Session) -> None: ...

    def connected(self, session: Session) -> None: ...

    def failed(self, session: Session, error: int, more: int) -> None:
        """more: as in Note.FAILED."""

    def forget(self, session: Session) -> None: ...


class Session:
    """One channel and its socket; a stack.socket.stream.User."""

    __slots__ = (
        "_blocked_out", "_broken", "_copy", "_edge", "_end_sent", "_fill", "_hung_up", "_memory",
        "_paused_in", "_piece_bytes", "_pool", "_room", "_room_bytes", "_size", "attached", "chan",
        "eof_in", "failed", "held", "lingers", "outcome", "released", "server", "sock", "used",
        "waiters",
    )  # fmt: skip

    def __init__(self, server: SessionServer, chan: int, sock: StreamSocket | None) -> None:
        self.server = server
        self.chan = chan
        self.sock = sock if sock is not None else StreamSocket(server.net, self)
        self._copy = server.copy
        self._piece_bytes = server.copy.piece_bytes
        self._memory = server.net.hyper.memory
        self._pool = server.net.tcp.pool
        self._size = 0
        """Of _room."""
        self._room: Buffer | None = None
        self._room_bytes = CHUNK_MIN_BYTES
        self._fill = 0
        self._edge = False
        """The last bytes written ended where a buffer did: they may not be the end of a write."""
        self._paused_in = False
        self._blocked_out = False
        self._end_sent = False
        self._broken = False
        """The connection has failed, and what was received before is still to be copied out."""
        self._hung_up = False
        self.attached = False
        self.used = False
        """There was a connection or an attempt: the next one begins with a channel of its own."""
        self.eof_in = False
        self.held = False
        """A listener whose driver asked for no more connections at the moment."""
        self.released = False
        self.failed = False
        """The driver was told that the connection is gone, and has shut the channel."""
        self.waiters: dict[int, Callable[[int], None]] = {}
        """By request number: what answers the connects that wait for their end."""
        self.lingers: Callable[[], None] | None = None
        """Answers a close that waits for the end of the connection, if there is one."""
        self.outcome = 0
        """The errno that the last of them was answered with."""

    def attach(self) -> None:
        """Begin to serve the channel."""
        self.attached = True
        self._copy.attach(self.chan, partial(self.server.work.ready, self))

    def begin(self) -> None:
        """A connection attempt starts."""
        if self.used:
            self._room = None
            self._blocked_out = self._paused_in = self._end_sent = self._broken = False
            self.eof_in = self.failed = self._edge = False
            self.attach()
        self.used = True

    # -- program to network

    def pump_in(self) -> None:
        """Take what the program has written, as far as buffers allow."""
        sock, copyin, chan = self.sock, self._copy.copyin, self.chan
        burst = 0
        while not self.released:
            if self.eof_in:
                self._drained(copyin)  # the only news can be that it was closed
                return
            if not sock.was_connected:
                if self._drained(copyin):
                    return
                continue
            tcb = sock.tcb
            if tcb is None or tcb.state not in MAY_SEND:
                self._no_space()
                return
            room = self._room
            if room is None:
                room = self._new_room(tcb)
                if room is None:
                    if self._edge:
                        self._push(burst)
                    return
            fill = self._fill
            want = self._size - fill
            count = copyin(chan, room, fill, want)
            if count > 0:
                burst += count
                # The edge of a buffer is no end: what the program wrote may go on behind it
                self._edge = count == want or (
                    burst >= self._piece_bytes and self._copy.unfinished_ns(chan, burst) > 0
                )
                sock.write(room, fill, count, self._edge)
                self._fill = fill + count
                if fill + count == self._size:
                    self._room = None
                    self._room_bytes = min(self._room_bytes * 4, CHUNK_MAX_BYTES)
            elif count < 0:
                self._program_ended(count)
                continue
            if count < want:
                if count and self._hung_up:
                    continue  # until it ends: no event will tell of more
                if self._edge:
                    self._push(burst)
                if count and self._fill > CHUNK_MIN_BYTES:
                    # Bulk has paused: the rest of a large buffer is not worth pinning
                    self._room = None
                    self._room_bytes = max(CHUNK_MIN_BYTES, self._room_bytes // 2)
                return

    def _new_room(self, tcb: Tcb) -> Buffer | None:
        """A buffer to copy into.  None: as much waits as may, or memory is short; we are told."""
        space = self._pool.send_space(tcb)
        if self._hung_up and space < CHUNK_MAX_BYTES and self._pool.plentiful:
            space = CHUNK_MAX_BYTES
        if space <= 0:
            self._no_space()
            return None
        # Several make up the limit, or nothing could be written while one is under way
        limit = tcb.snd_limit
        part = limit >> (2 if limit > SMALL_LIMIT_BYTES else 1)
        size = min(self._room_bytes, max(CHUNK_MIN_BYTES, min(space, part)))
        room = self._memory.alloc(size)
        if room is None and size > CHUNK_MIN_BYTES:
            size = CHUNK_MIN_BYTES  # small ones are found when there is no large one
            room = self._memory.alloc(size)
        self._room = room
        self._fill = 0
        self._size = size
        if room is None:
            self._pause()
            self.server.work.retry_later(self)
        return room

    def _push(self, burst: int) -> None:
        """Nothing more is there: what was held back at an edge goes, now or, in a write, soon."""
        self._edge = False
        self.sock.push_within(self._copy.unfinished_ns(self.chan, burst))

    def more(self, length: int) -> None:
        """The program is about to write length bytes with MSG_MORE."""
        self.pump_in()
        self.sock.more(length)

    def _drained(self, copyin: Callable[[int, Buffer, int, int], int]) -> bool:
        """Nothing a program writes before it is connected counts; but its close does."""
        count = copyin(self.chan, self.server.scratch, 0, 1)
        if count < 0:
            self._program_ended(count)
        return count <= 0

    def _no_space(self) -> None:
        tcb = self.sock.tcb
        if tcb is not None and tcb.state in MAY_SEND:
            tcb.write_blocked = True
            self.sock.push()  # nothing can come that would make a short segment longer
            self._pause()
            return
        # Not open for writing any more: what the program still writes goes nowhere
        count = self._copy.copyin(self.chan, self.server.scratch, 0, len(self.server.scratch.view))
        while count > 0:
            count = self._copy.copyin(
                self.chan, self.server.scratch, 0, len(self.server.scratch.view)
            )
        if count < 0:
            self._program_ended(count)

    def _want(self, events: Ready) -> None:
        if not self._hung_up:
            self._copy.want(self.chan, events)

    def _pause(self) -> None:
        if not self._paused_in:
            self._paused_in = True
            self._want(Ready(0))

    def resume(self) -> None:
        """Buffers have been freed."""
        if self._paused_in and not self.released:
            self._paused_in = False
            self._want(Ready.IN)
            self.pump_in()

    def hang_up(self) -> None:
        """The program's descriptor is gone.  Told again each time that IN is wanted after it."""
        if self._paused_in:
            self._paused_in = False
            self._want(Ready.IN)
        self._hung_up = True
        if self.sock.tcb is not None:
            self.sock.tcb.abandoned = True
        self.pump_in()

    def _program_ended(self, how: int) -> None:
        if how == EOF:
            if not self.eof_in and self.sock.was_connected:
                self.sock.finish_writing()
            self.eof_in = True
        else:
            self.release(reset=how == RESET)

    # -- network to program: stack.socket.stream.User

    def received(self, buffer: Buffer, offset: int, length: int) -> int:
        if self._blocked_out:
            return 0
        count = self._copy.copyout(self.chan, buffer, offset, length)
        if count == length:
            return count
        if count < 0:
            return self._reader_gone(length)
        self._blocked_out = True
        return count

    def _reader_gone(self, length: int) -> int:
        """Data for a descriptor that is closed: RFC 1122, 4.2.2.13 wants a reset."""
        self.server.work.later(lambda: self.release(reset=True))
        return length

    def readable(self) -> None:
        if self.sock.listener is not None:
            self.server.accept(self)
        elif not self._blocked_out:
            self.pump_out()

    def pump_out(self) -> None:
        """Hand over what waits in the receive queue, and then its end."""
        tcb = self.sock.tcb
        if tcb is None or self.released or not self.attached:
            return
        queue, copyout, chan = tcb.rcv, self._copy.copyout, self.chan
        moved = False
        while (item := queue.peek()) is not None:
            count = copyout(chan, *item)
            if count < 0:
                self._reader_gone(item[2])
                return
            if count:
                queue.consume(count)
                moved = True
            if count < item[2]:
                self._blocked_out = True
                break
        if moved:
            self.sock.consumed()
        if self._broken and not queue.length:
            self._broken = False
            self.server.failed(self, self.sock.error, 0)
        elif tcb.fin_received and not queue.length and not self._end_sent:
            self._end_sent = True
            self._copy.end(chan)

    def unblock(self) -> None:
        """The channel has room again."""
        self._blocked_out = False
        self.pump_out()

    def writable(self) -> None:
        tcb = self.sock.tcb
        # Half the buffer free, or nothing under way: a wake-up per acknowledgement is too many
        if tcb is not None and (2 * tcb.snd.charge <= tcb.snd_limit or not tcb.flight):
            tcb.write_blocked = False
            self.server.work.later(self.resume)

    def connected(self) -> None:
        self.server.connected(self)
        if self.waiters:
            self.sock.phase = Phase.CONNECTED
            self.answer_waiters(0)

    def answer_waiters(self, error: int) -> None:
        waiters, self.waiters = self.waiters, {}
        self.outcome = error
        for answer in waiters.values():
            answer(error)

    def closed(self, error: int) -> None:
        if self.sock.tcb is not None:
            self.sock.tcb.write_blocked = False
        self.server.work.later(
            self.resume
        )  # nobody waits for room any more: the next news is a close
        if self.waiters:
            error = self.sock.take_error() or ECONNABORTED
            self.sock.disconnect()
            self.answer_waiters(error)
        elif error:
            self.failed = True
            self.pump_out()
            tcb = self.sock.tcb
            self._broken = tcb is not None and tcb.rcv.length > 0 and self.attached
            self.server.failed(self, error, int(self._broken))
            if tcb is not None and self._broken:
                self._read_on(tcb.rcv)
        else:
            self.pump_out()

    def _read_on(self, queue: ReceiveQueue) -> None:
        """Wait for the program to read what a lost connection had received, while it does."""
        left = queue.length
        callouts = self.server.net.callouts

        def look() -> None:
            if not self._broken or self.released:
                return
            if queue.length == left:
                queue.clear()
                self._broken = False
                self.server.failed(self, self.sock.error, 2)
            else:
                self._read_on(queue)

        callouts.at(callouts.now() + READ_ON_NS, look)

    # -- the end

    def release(self, reset: bool = False) -> None:
        """The program's descriptor is gone: close the socket and forget the channel."""
        if self.released:
            return
        self.released = True
        self._room = None
        if reset:
            self.sock.abort()
        else:
            self.sock.close()
        if self.lingers is not None:
            self.sock.when_sent(self.lingers)
        self.server.forget(self)
