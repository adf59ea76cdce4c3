"""In-order delivery and out-of-order reassembly (RFC 9293, 3.10.7.4, seventh and eighth).

Theory of operation.  What arrives in order is offered to the owner straight from the frame; only
what it does not take is queued, in memory of its own.  What arrives early waits in `tcb.ooo`,
sorted and without overlaps, until the gap before it is filled.
"""

from __future__ import annotations

from bisect import bisect_right

from hypercalls.api import Frame, Hypercalls, Slice
from stack.config import Config
from stack.tcp.connections import Connections
from stack.tcp.delack import DelayedAck
from stack.tcp.output import Output
from stack.tcp.state import MAY_RECEIVE, On, State, step
from stack.tcp.tcb import NOBODY, Tcb
from stack.wire.tcp import FIN, PSH


def begin(entry: tuple[int, int, Slice | None, bool]) -> int:
    return entry[0]


class DataInput:
    def __init__(
        self, hyper: Hypercalls, config: Config, output: Output, connections: Connections
    ) -> None:
        self._memory = hyper.memory
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
        rest = self._own(frame, at + taken, length - taken)
        if rest is None and tcb.ooo:
            tcb.ooo.clear()  # what is next counts more than what comes later
            tcb.ooo_bytes = 0
            rest = self._own(frame, at + taken, length - taken)
        if rest is None:
            self.counters["no_memory"] += 1
            return taken  # the peer will send the rest again
        tcb.rcv.append(rest)
        tcb.owner.readable()
        return length

    def _own(self, frame: Frame, at: int, length: int) -> Slice | None:
        """Memory that may be kept: the frame's own, or a copy of a small payload."""
        if length >= self._config.copy_below_bytes:
            kept = frame.keep()
            if kept is not None:
                return kept[0], kept[1] + at, length
        buffer = self._memory.alloc(length)
        if buffer is None:
            return None
        buffer.view[:] = frame.view[at : at + length]
        return buffer, 0, length

    def _early(self, tcb: Tcb, frame: Frame, seq: int, at: int, length: int, fin: bool) -> None:
        self.counters["out_of_order"] += 1
        queue = tcb.ooo
        if len(queue) >= self._config.reassembly_queue_segments:
            return
        end = seq + length
        # only the neighbours can overlap: the one that begins at or before seq, and the next
        place = bisect_right(queue, seq, key=begin)
        if place and queue[place - 1][1] > seq:
            at, seq = at + queue[place - 1][1] - seq, queue[place - 1][1]
        if place < len(queue) and queue[place][0] < end:
            end, fin = queue[place][0], False
        if seq > end or (seq == end and (not fin or (queue and queue[-1][3]))):
            self.counters["duplicate_bytes"] += length
            return
        item = self._own(frame, at, end - seq) if end > seq else None
        if item is None and end > seq:
            self.counters["no_memory"] += 1
            return
        queue.insert(place, (seq, end, item, fin))
        tcb.ooo_bytes += end - seq

    def _fill(self, tcb: Tcb) -> bool:
        """Move what has become in-order to the reader.  True if the FIN was among it."""
        queue = tcb.ooo
        count = 0
        ended = False
        for seq, end, item, fin in queue:
            if seq > tcb.rcv_nxt or ended:
                break
            count += 1
            tcb.ooo_bytes -= end - seq
            if item is not None and end > tcb.rcv_nxt:
                skip = tcb.rcv_nxt - seq
                tcb.rcv.append((item[0], item[1] + skip, item[2] - skip))
                tcb.rcv_nxt = end
            ended = fin and end == tcb.rcv_nxt
        del queue[:count]
        if count:
            tcb.owner.readable()
        return ended

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
