"""In-order delivery and out-of-order reassembly (RFC 9293, 3.10.7.4, seventh and eighth).

Theory of operation.  What arrives in order is offered to the owner straight from the frame; only
what it does not take is queued, in memory of its own.  What arrives early waits in `tcb.ooo`,
sorted and without overlaps, until the gap before it is filled.  A frame is kept whole if at least
half of its buffer is payload; less is copied, small pieces into a buffer that they share.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from hypercalls.api import Frame, Hypercalls, Slice
from stack.config import Config
from stack.tcp.connections import Connections
from stack.tcp.delack import DelayedAck
from stack.tcp.output import Output
from stack.tcp.pool import Pool
from stack.tcp.state import MAY_RECEIVE, On, State, step
from stack.tcp.tcb import NOBODY, Tcb
from stack.wire.tcp import FIN, PSH

EARLY_ROOM_BYTES: Final = 2048
"""Early pieces of up to half of that share a buffer."""
EARLY_EACH_BYTES: Final = 64
"""What each of them is charged besides."""


def early_charge(item: Slice) -> int:
    """What an early run takes from memory, nearly: shared buffers are counted by their use."""
    cost = item[0].cost_bytes
    return item[2] + EARLY_EACH_BYTES if cost == EARLY_ROOM_BYTES else cost


class DataInput:
    def __init__(
        self, hyper: Hypercalls, config: Config, output: Output, connections: Connections,
        pool: Pool,
    ) -> None:  # fmt: skip
        self._memory = hyper.memory
        self._pool = pool
        self._reserve_bytes = pool.reserve_bytes
        self._config = config
        self._output = output
        self._connections = connections
        self.acks = DelayedAck(config, output)
        self.counters = {"out_of_order": 0, "no_memory": 0, "duplicate_bytes": 0}

    def input(
        self, tcb: Tcb, frame: Frame, seq: int, at: int, length: int, flags: int, now: int
    ) -> None:
        """Text frame.view[at : at + length] and FIN, already trimmed to the window."""
        fin = bool(flags & FIN)
        if tcb.state not in MAY_RECEIVE:
            return
        if tcb.owner is NOBODY and length:
            # RFC 1122, 4.2.2.13: data after close is lost, and the peer must know
            self._output.reset(tcb)
            self._connections.finish(tcb, 0)
            return
        if seq == tcb.rcv_nxt:
            before = tcb.rcv_nxt
            taken = self._deliver(tcb, frame, at, length)
            if tcb.state not in MAY_RECEIVE:
                return  # the owner has aborted
            tcb.rcv_nxt += taken
            fin = fin and taken == length
            if tcb.ooo:
                fin = self._fill(tcb) or fin
                tcb.ack_now = True  # RFC 5681, 4.2: at once when a gap closes
                if tcb.state not in MAY_RECEIVE:
                    return
            size = frame.gso_size or length
            self.acks.received(tcb, tcb.rcv_nxt - before, size, flags & PSH, now)
            if fin:
                self._fin(tcb, now)
        else:
            # RFC 5681, 4.2: duplicate ACKs at once; of a batch one for each span, as if it had been
            # one segment, and none if its gap closes meanwhile
            if tcb.pending and tcb.ack_now and tcb.early_end != seq:
                self._output.ack(tcb)
            tcb.early_end = seq + length
            self._early(tcb, frame, seq, at, length, fin)
            tcb.ack_now = True
            self._output.later(tcb)

    def _deliver(self, tcb: Tcb, frame: Frame, at: int, length: int) -> int:
        """Returns how many bytes have found a place."""
        if not length:
            return 0
        taken = 0
        if not tcb.rcv.length:
            taken = tcb.owner.received(frame.buffer, frame.offset + at, length)
            if taken == length:
                return length
        queued = self._hold(tcb, frame, at + taken, length - taken)
        if queued < length - taken and tcb.ooo:
            tcb.forget_early()  # what is next counts more than what comes later
            queued += self._hold(tcb, frame, at + taken + queued, length - taken - queued)
        if queued < length - taken:
            self.counters["no_memory"] += 1  # the peer will send the rest again
        if queued:
            tcb.owner.readable()
        return taken + queued

    def _hold(self, tcb: Tcb, frame: Frame, at: int, length: int) -> int:
        """Queue bytes for the reader: how many there was a place for."""
        if self._memory.free_bytes < self._reserve_bytes and not self._pool.may_hold(tcb):
            return 0
        kept = self._keep(frame, at, length)
        if kept is not None:
            tcb.rcv.append(kept)
            return length
        return tcb.rcv.append_copy(self._memory, frame.view[at : at + length])

    def _keep(self, frame: Frame, at: int, length: int) -> Slice | None:
        """The frame's own memory, if that is not a waste of it."""
        if length < self._config.copy_below_bytes or 2 * length < frame.buffer.cost_bytes:
            return None
        kept = frame.keep()
        return None if kept is None else (kept[0], kept[1] + at, length)

    def _early(self, tcb: Tcb, frame: Frame, seq: int, at: int, length: int, fin: bool) -> None:
        self.counters["out_of_order"] += 1
        queue = tcb.ooo
        end = seq + length
        index = bisect_left(queue, (seq + 1,))
        before = queue[index - 1] if index else None
        if before is not None and before[1] > seq:  # trim what is there already
            at, seq = at + before[1] - seq, before[1]
        while index < len(queue) and queue[index][0] <= seq < end:
            before = queue[index]
            index += 1
            at, seq = at + before[1] - seq, before[1]
        if index < len(queue) and queue[index][0] < end:
            end, fin = queue[index][0], False
        if seq > end or (seq == end and (not fin or (queue and queue[-1][3]))):
            self.counters["duplicate_bytes"] += length
            return
        joined = before is not None and before[1] == seq and not before[3] and end > seq
        if not joined and len(queue) >= self._config.reassembly_queue_segments:
            return
        if end == seq:
            queue.insert(index, (seq, end, None, fin))
            return
        item = self._early_item(tcb, frame, at, end - seq)
        if item is None:
            self.counters["no_memory"] += 1
            return
        tcb.ooo_bytes += end - seq
        if joined and before is not None and before[2] is not None:
            room, offset, count = before[2]
            if room is item[0] and offset + count == item[1]:  # one run of one buffer
                tcb.ooo_charge += item[2]
                queue[index - 1] = before[0], end, (room, offset, count + item[2]), fin
                return
        if len(queue) >= self._config.reassembly_queue_segments:
            tcb.ooo_bytes -= end - seq
            return
        tcb.ooo_charge += early_charge(item)
        queue.insert(index, (seq, end, item, fin))

    def _early_item(self, tcb: Tcb, frame: Frame, at: int, length: int) -> Slice | None:
        """Memory for bytes after a gap, and the bytes in it."""
        if not self._pool.may_hold(tcb):
            return None
        kept = self._keep(frame, at, length)
        if kept is not None:
            return kept
        if length > EARLY_ROOM_BYTES // 2:
            room = self._memory.alloc(length)
            if room is None:
                return None
            room.view[:length] = frame.view[at : at + length]
            return room, 0, length
        room, used = tcb.ooo_room, tcb.ooo_used
        if room is None or used + length > EARLY_ROOM_BYTES:
            room, used = self._memory.alloc(EARLY_ROOM_BYTES), 0
            if room is None:
                return None
            tcb.ooo_room = room
        room.view[used : used + length] = frame.view[at : at + length]
        tcb.ooo_used = used + length
        return room, used, length

    def _fill(self, tcb: Tcb) -> bool:
        """Move what has become in-order to the reader.  True if the FIN was among it."""
        queue = tcb.ooo
        done, finished = 0, False
        for seq, end, item, fin in queue:
            if seq > tcb.rcv_nxt or finished:
                break
            done += 1
            tcb.ooo_bytes -= end - seq
            if item is not None:
                tcb.ooo_charge -= early_charge(item)
            if end < tcb.rcv_nxt:
                continue
            if item is not None and end > tcb.rcv_nxt:
                self._move(tcb, item, tcb.rcv_nxt - seq)
                if tcb.rcv_nxt < end:  # no memory: this and what follows is sent again
                    tcb.forget_early()
                    break
            finished = fin and end == tcb.rcv_nxt
        del queue[:done]
        if not queue:
            tcb.ooo_room = None
        if done:
            tcb.owner.readable()
        return finished

    def _move(self, tcb: Tcb, item: Slice, skip: int) -> None:
        """An early run, less its first bytes, to the reader's queue."""
        buffer, offset, count = item
        if buffer.cost_bytes == EARLY_ROOM_BYTES:  # it may be shared
            view = buffer.view[offset + skip : offset + count]
            tcb.rcv_nxt += tcb.rcv.append_copy(self._memory, view)
        else:
            tcb.rcv.append((buffer, offset + skip, count - skip))
            tcb.rcv_nxt += count - skip

    def _fin(self, tcb: Tcb, now: int) -> None:
        tcb.rcv_nxt += 1
        tcb.rcv_adv = max(tcb.rcv_adv, tcb.rcv_nxt)
        tcb.fin_received = True
        tcb.pingpong = 1  # what is left is ours to say (Linux: tcp_fin())
        tcb.ack_now = True
        step(tcb, On.RCV_FIN)
        tcb.owner.readable()
        if tcb.state == State.TIME_WAIT:
            self._output.ack(tcb)
            self._connections.enter_time_wait(tcb, now)
        else:
            self._output.later(tcb)
