"""Segments out (RFC 9293, 3.8): what to send, and when to hold it back.

Theory of operation.  `run` sends as much as the peer's window, the congestion window, Nagle's
algorithm and the silly window avoidance of section 3.8.6.2.1 allow, in super-segments where the
interface takes them.  Input marks connections `pending`; they are run once per batch, so that one
acknowledgement answers many segments (MUST-58).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from hypercalls.api import Slice
from stack.config import Config
from stack.ip.ip import Ip, Path
from stack.tcp.pool import Pool
from stack.tcp.state import MAY_OUTPUT, State
from stack.tcp.tcb import MASK, Tcb
from stack.wire import ipv4
from stack.wire.checksum import fold, partial
from stack.wire.tcp import ACK, FIN, HEADER_BYTES, PSH, RST, SYN, Options, emit

IP_TCP_BYTES = ipv4.HEADER_BYTES + HEADER_BYTES
CHECKSUM_AT = 16
MAX_SLICES = 7  # with the header, a group of descriptors of hypercalls/bare/net.py


class Output:
    def __init__(self, config: Config, ip: Ip, pool: Pool) -> None:
        self._config = config
        self._pool = pool
        self._memory = pool.memory
        self._reserve_bytes = pool.reserve_bytes
        self._share_shift = pool.share_shift
        self._ip = ip
        self._routes = ip.routes
        self._pending: list[Tcb] = []
        self._waiting: deque[Tcb] = deque()
        self.arm: Callable[[Tcb], None] = lambda _tcb: None
        """Sets the timers of a connection after its output (see timers.py)."""
        self.counters = {"segments_out": 0, "retransmitted": 0, "resets_out": 0, "probes": 0}

    # -- batches

    def later(self, tcb: Tcb) -> None:
        """Run tcb at the end of this batch."""
        if not tcb.pending:
            tcb.pending = True
            self._pending.append(tcb)

    def flush(self, now: int) -> None:
        """The end of a batch."""
        while self._pending:
            pending, self._pending = self._pending, []
            for tcb in pending:
                tcb.pending = False
                self.run(tcb, now)
                self.arm(tcb)

    # -- segments

    def _send(
        self, tcb: Tcb, seq: int, flags: int, payload: Sequence[Slice], length: int,
        options: bytes = b"",
    ) -> None:  # fmt: skip
        src, sport, dst, dport = tcb.key
        path = tcb.path
        if path.generation != self._routes.generation:
            path = self.refresh(tcb)
        ack = 0
        if flags & ACK:
            ack = tcb.rcv_nxt & MASK
            tcb.ack_now = False
            tcb.delack_at = 0
            if tcb.ack_bytes:
                tcb.ack_bytes = tcb.small = 0
                if tcb.quick:
                    tcb.quick -= 1
        mss = tcb.mss
        self._transmit(
            path, src, dst, sport, dport, seq & MASK, ack, flags, self._window(tcb, flags),
            options, payload, length, mss if length > mss else 0, tcb.ttl, tcb.tos,
        )  # fmt: skip

    def _transmit(
        self, path: Path, src: int, dst: int, sport: int, dport: int, seq: int, ack: int,
        flags: int, window: int, options: bytes, payload: Sequence[Slice], length: int,
        gso_size: int, ttl: int = 0, tos: int = 0,
    ) -> None:  # fmt: skip
        header_bytes = HEADER_BYTES + len(options)
        total = (src >> 16) + (src & 0xFFFF) + (dst >> 16) + (dst & 0xFFFF)  # pseudo-header
        total += ipv4.TCP + header_bytes + length
        csum_offset = CHECKSUM_AT
        if path.interface.csum_offload:
            total = (total & 0xFFFF) + (total >> 16)
            total = (total & 0xFFFF) + (total >> 16)
        else:
            csum_offset = 0
            total += partial(emit(sport, dport, seq, ack, flags, window, 0, options))
            data = b"".join(bytes(b.view[o : o + n]) for b, o, n in payload)
            total = ~fold(total + partial(data)) & 0xFFFF
        header = emit(sport, dport, seq, ack, flags, window, total, options)
        self.counters["segments_out"] += 1
        self._ip.output(
            path, src, dst, ipv4.TCP, header, payload, length, csum_offset, gso_size, ttl, tos
        )

    def refresh(self, tcb: Tcb) -> Path:
        """The connection's path, asked for again if routes or path MTUs have changed."""
        path = tcb.path
        if path.generation != self._ip.routes.generation:
            try:
                path = tcb.path = self._ip.path(tcb.key[2], tcb.key[0])
            except OSError:
                return path  # no route now; the old way is as good as none
            tcb.mss = self.send_mss(tcb)  # RFC 1191: less, or after a while more again
        return path

    def _window(self, tcb: Tcb, flags: int) -> int:
        """The window field; never takes back what was offered (SHLD-14), and no silly windows.

        Nor does scaling: then it is rounded up, as Linux does.  So single bytes move the edge on,
        which ends where an eighth more than the limit would be held.
        """
        nxt = tcb.rcv_nxt
        limit = tcb.rcv_limit if nxt < tcb.rcv_grow_at else self._pool.grow_receive(tcb)
        spare = self._memory.free_bytes - self._reserve_bytes
        if spare < 0 or spare * spare >> self._share_shift < limit:
            limit = self._pool.share(limit)
        space = limit - tcb.rcv.charge - tcb.ooo_charge
        offered = tcb.rcv_adv - nxt
        silly = space < tcb.mss and space < limit // 2 and not flags & SYN
        if space < offered or silly:
            space = offered if offered > 0 else 0  # MUST-39
        scale = 0 if flags & SYN else tcb.rcv_scale
        field = space >> scale
        if field << scale < offered:
            most = tcb.rcv_limit
            if tcb.rcv.length + offered < most + (most >> 3):
                field = -(-offered >> scale)
        if field > 0xFFFF:
            field = 0xFFFF
        edge = nxt + (field << scale)
        if edge > tcb.rcv_adv:
            tcb.rcv_adv = edge
        return field

    def syn(self, tcb: Tcb, now: int) -> None:
        """Send, or send again, the SYN or SYN-ACK."""
        flags = SYN if tcb.state == State.SYN_SENT else SYN | ACK
        options = Options(self.our_mss(tcb))  # MUST-65: nowhere but here
        if flags == SYN or tcb.scaled:
            options.window_scale = tcb.rcv_scale
        tcb.timed_seq, tcb.timed_at = tcb.iss + 1, 0 if tcb.snd_max > tcb.iss else now  # Karn
        tcb.snd_nxt = tcb.snd_max = max(tcb.snd_max, tcb.iss + 1)
        tcb.rexmt_at = now + tcb.rto_ns
        self._send(tcb, tcb.iss, flags, (), 0, options.emit())

    @staticmethod
    def send_mss(tcb: Tcb) -> int:
        """MUST-16: what the peer takes, and what fits into the path."""
        mss = min(tcb.peer_mss, tcb.path.mtu_bytes - IP_TCP_BYTES)
        return min(mss, tcb.user_mss) if tcb.user_mss else mss

    def our_mss(self, tcb: Tcb) -> int:
        """MUST-67: what fits into a packet that this interface can take in."""
        mss = min(tcb.path.interface.mtu_bytes - IP_TCP_BYTES, self._config.max_mss)
        return min(mss, tcb.user_mss) if tcb.user_mss else mss

    def ack(self, tcb: Tcb) -> None:
        """An acknowledgement without data, at once."""
        self._send(tcb, self._acceptable(tcb), ACK, (), 0)

    @staticmethod
    def _acceptable(tcb: Tcb) -> int:
        """A sequence number for a segment without text that is in the peer's window.

        Not snd_nxt: after a time-out that is behind, and the peer may have received all.  And not
        beyond a window that has shrunk.
        """
        edge = max(tcb.snd_una, tcb.iss + 1) + tcb.snd_wnd
        return tcb.snd_max if tcb.snd_max < edge else edge

    def probe(self, tcb: Tcb) -> None:
        """A keep-alive or window probe without data: it is out of the window, so it is answered."""
        self.counters["probes"] += 1
        self._send(tcb, tcb.snd_una - 1, ACK, (), 0)

    def reset(self, tcb: Tcb) -> None:
        """Abort (section 3.10.5)."""
        self.counters["resets_out"] += 1
        self._send(tcb, self._acceptable(tcb), RST | ACK, (), 0)

    def answer_with_reset(
        self, src: int, sport: int, dst: int, dport: int, seq: int, ack: int, flags: int,
    ) -> None:  # fmt: skip
        """Refuse a segment for which there is no connection (section 3.10.7.1)."""
        try:
            path = self._ip.path(dst, src)
        except OSError:
            return
        self.counters["resets_out"] += 1
        self._transmit(
            path, src, dst, sport, dport, seq & MASK, ack & MASK, flags, 0, b"", (), 0, 0
        )

    # -- data

    def run(self, tcb: Tcb, now: int) -> None:
        """Send what may be sent now, and at least an acknowledgement if one is due."""
        if tcb.state not in MAY_OUTPUT:
            return
        snd = tcb.snd
        path = tcb.path
        if path.generation != self._routes.generation:
            path = self.refresh(tcb)
        interface = path.interface
        if interface.full:
            self._wait(tcb)
            return
        largest = tcb.mss
        if interface.gso_max_bytes:
            largest = self._largest(tcb, interface.gso_max_bytes)
        while True:
            seq = tcb.snd_nxt
            length = unsent = snd.end - seq
            if length > 0:
                window = tcb.cwnd + tcb.cwnd_extra
                usable = tcb.snd_una - seq + (tcb.snd_wnd if tcb.snd_wnd < window else window)
                if length > usable:
                    length = usable
                if length > largest:
                    length = largest
                if length > 0 and (
                    length < unsent or not tcb.nodelay or tcb.cork or tcb.snd_more >= snd.end
                ):
                    length = self._allowed(tcb, length, unsent)
            if length < 0:
                length = 0
            fin = tcb.fin_queued and seq + length == snd.end
            if not length and not fin:
                break
            length = self._data(tcb, seq, length, fin, now)
            tcb.cwnd_limited = tcb.snd_nxt - tcb.snd_una + tcb.mss > tcb.cwnd
            if fin and seq + length == snd.end:
                break
        if tcb.ack_now:
            self.ack(tcb)
        if snd.end == tcb.snd_nxt:
            tcb.cork_at = 0
        elif (tcb.cork or tcb.snd_more >= snd.end) and tcb.snd_wnd >= tcb.mss:
            tcb.cork_at = tcb.cork_at or now + self._config.cork_ns
        elif tcb.snd_nxt == tcb.snd_una and not tcb.persist_at and not tcb.rexmt_at:
            tcb.persist_at = now + max(tcb.rto_ns, self._config.persist_min_ns)
            tcb.persist_backoff = 0

    def _wait(self, tcb: Tcb) -> None:
        """The interface is full: data and FINs wait here, where no timer runs for them yet, and in
        front of nobody's acknowledgements."""
        if not tcb.waiting:
            tcb.waiting = True
            self._waiting.append(tcb)
        if tcb.ack_now:
            self.ack(tcb)

    def resume(self, now: int) -> None:
        """There is room: those that waited take turns, until it is used up."""
        for _ in range(len(self._waiting)):
            tcb = self._waiting.popleft()
            tcb.waiting = False
            self.run(tcb, now)
            self.arm(tcb)
            if tcb.waiting:
                self._waiting.rotate(1)  # full again: it stays the first
                break

    def force(self, tcb: Tcb, now: int) -> None:
        """Send what is queued, whatever but a window holds it back (Linux: TCP_NAGLE_PUSH)."""
        tcb.cork_at = 0
        tcb.snd_push = tcb.snd.end
        self.run(tcb, now)

    @staticmethod
    def _largest(tcb: Tcb, gso: int) -> int:
        """Most payload of one super-segment: whole segments only."""
        mss = tcb.mss
        if gso < mss + IP_TCP_BYTES:
            return mss
        return (gso - IP_TCP_BYTES) // mss * mss

    def _allowed(self, tcb: Tcb, length: int, unsent: int) -> int:
        """How much of length may go now: Nagle (SHLD-7), cork, and MUST-38.  0: hold it back.

        Nagle's algorithm is Minshall's: what holds a short segment back is an earlier short one
        that has not been acknowledged.  The tail of one long write waits for nothing.
        """
        mss = tcb.mss
        half = tcb.max_snd_wnd >> 1
        if half < mss:
            mss = half or 1  # as Linux: what the peer's buffer can hold twice is full enough
        tail = length % mss
        whole = length - tail
        if not tail or tcb.snd_nxt < tcb.snd_max:
            return length
        if length == unsent:  # the end of what there is
            end = tcb.snd.end
            if tcb.fin_queued or end <= tcb.snd_push:
                return length
            if tcb.cork or end <= tcb.snd_more:
                return whole
            held = tcb.snd_una < tcb.snd_sml <= tcb.snd_nxt
            if tcb.nodelay or tcb.write_blocked or not held:
                return length
            return whole
        if whole:
            return whole
        # The window ends within this segment: (3) of section 3.8.6.2.1.
        return length if length >= tcb.max_snd_wnd // 2 else 0

    def _data(self, tcb: Tcb, seq: int, length: int, fin: bool, now: int) -> int:
        """Send one segment of new data, or of old data after a time-out.  Returns its length."""
        payload: list[Slice] = []
        if length:
            payload = tcb.snd.gather(seq, length, MAX_SLICES)
            if len(payload) == MAX_SLICES:
                asked, length = length, self._whole(tcb, payload, length)
                if length < asked:
                    fin = False
                payload = tcb.snd.gather(seq, length, length)
        end = seq + length
        flags = ACK
        if end == tcb.snd.end:
            flags |= PSH  # MUST-61
        if fin:
            flags |= FIN
            end += 1
        if seq < tcb.snd_max:
            self.counters["retransmitted"] += 1
            tcb.retransmits += 1
        elif not tcb.timed_at:
            tcb.timed_seq, tcb.timed_at = end, now
        if length % tcb.mss:
            tcb.snd_sml = end
        if now - tcb.data_at < self._config.delayed_ack_ns:
            tcb.pingpong = 1
        tcb.snd_nxt = end
        if end > tcb.snd_max:
            tcb.snd_max = end
        if not tcb.rexmt_at:
            tcb.rexmt_at = now + tcb.rto_ns
        tcb.persist_at = 0
        self._send(tcb, seq, flags, payload, length)
        return length

    @staticmethod
    def _whole(tcb: Tcb, payload: list[Slice], length: int) -> int:
        """How much of length to send, if payload is what a device takes without copying: whole
        segments of it; or one, copied together.  No short one in the middle of what there is."""
        sent = sum(item[2] for item in payload)
        if sent == length:
            return length
        return min(length, max(1, sent // tcb.mss) * tcb.mss)

    def retransmit_first(self, tcb: Tcb) -> None:
        """Send the segment at snd_una again, and nothing else (RFC 6582)."""
        seq = tcb.snd_una
        # Nothing new goes out here: it might be acknowledged before snd_max knows of it
        length = min(tcb.mss, min(tcb.snd.end, tcb.snd_max) - seq)
        self.counters["retransmitted"] += 1
        tcb.retransmits += 1
        tcb.timed_at = 0  # Karn
        payload = tcb.snd.gather(seq, length, MAX_SLICES) if length > 0 else []
        length = sum(item[2] for item in payload)
        fin = seq + length == tcb.snd.end < tcb.snd_max
        self._send(tcb, seq, ACK | FIN if fin else ACK, payload, length)

    def window_probe(self, tcb: Tcb, now: int) -> None:
        """Make the peer repeat its window (3.8.6.1), or use up a small one (3.8.6.2.1, rule 4)."""
        length = min(tcb.snd_wnd, tcb.mss, tcb.snd.end - tcb.snd_una)
        if length > 0 and tcb.snd_nxt == tcb.snd_una:
            self._data(tcb, tcb.snd_nxt, length, False, now)
        else:
            self.probe(tcb)
