"""Segments in (RFC 9293, 3.10.7), with the checks of RFC 5961.

Theory of operation.  `input` finds the connection.  `_synchronized` goes through the RFC's steps in
the RFC's order: sequence number, RST, SYN, ACK, text, FIN.  LISTEN and SYN-SENT have their own.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import ECONNREFUSED, ECONNRESET, EPIPE

from hypercalls.api import Frame, Hypercalls
from stack.config import Config
from stack.ip.ip import Ip
from stack.tcp.ack import AckInput
from stack.tcp.challenge import Challenges
from stack.tcp.connections import Connections, Listener, TimeWait
from stack.tcp.data import DataInput
from stack.tcp.delack import QUICK_ACKS
from stack.tcp.open import Opener
from stack.tcp.output import Output
from stack.tcp.pool import Pool
from stack.tcp.state import On, State, step
from stack.tcp.tcb import MASK, Tcb, unwrap
from stack.wire import ipv4
from stack.wire.checksum import pseudo_header
from stack.wire.ipv4 import Ipv4
from stack.wire.tcp import ACK, FIN, RST, SYN, Options, Tcp

AFTER_FIN = (State.CLOSE_WAIT, State.LAST_ACK, State.CLOSING)
"""Some send their RST with the number of the FIN before it, as if that had not been counted."""
Forwarder = Callable[[Ipv4, Tcp], bool]


class Input:
    def __init__(
        self, hyper: Hypercalls, config: Config, ip: Ip, output: Output,
        connections: Connections, opener: Opener, pool: Pool,
    ) -> None:  # fmt: skip
        self._config = config
        self._ip = ip
        self._output = output
        self._connections = connections
        self._opener = opener
        self._ack = AckInput(config, output, connections)
        self.data = DataInput(hyper, config, output, connections, pool)
        self.challenges = Challenges(hyper.random, config, output)
        self.forwarder: Forwarder = lambda _header, _segment: False
        """Offered SYNs that no listener takes; True: taken (a gateway relays them)."""
        self.counters = {"segments_in": 0, "no_connection": 0, "unacceptable": 0}

    def input(self, header: Ipv4, frame: Frame, start: int, end: int, now: int) -> None:
        src, dst = header.src, header.dst
        csum_ok = frame.csum_ok
        pseudo = 0 if csum_ok else pseudo_header(src, dst, ipv4.TCP, end - start)
        segment = Tcp.parse(frame.view, start, end, pseudo, csum_ok)
        self.counters["segments_in"] += 1
        tcb = self._connections.table.get((dst, segment.dst, src, segment.src))
        if tcb is None:
            self._unknown(header, segment, now)
            return
        if tcb.state == State.SYN_SENT:
            self._syn_sent(tcb, segment, now)
        else:
            self._synchronized(tcb, segment, frame, now)
        if not tcb.pending:
            self._output.arm(tcb)

    # -- no connection

    def _unknown(self, header: Ipv4, segment: Tcp, now: int) -> None:
        dst = header.dst
        if not header.src or not (self._ip.is_local(dst) or self._ip.forwarding_all):
            return  # MUST-57, MUST-63
        key = (dst, segment.dst, header.src, segment.src)
        waiting = self._connections.time_wait.get(key)
        if waiting is not None and not self._time_wait(key, waiting, segment, now):
            return
        flags = segment.flags
        listener = self._connections.listener_for(key)
        if listener is not None:
            self._listen(listener, header, segment, now)
            return
        if flags & (SYN | ACK | RST | FIN) == SYN and self.forwarder(header, segment):
            return
        self.counters["no_connection"] += 1
        if not flags & RST:
            self.refuse(header, segment)

    def refuse(self, header: Ipv4, segment: Tcp) -> None:
        """Answer with the RST of section 3.10.7.1."""
        if segment.flags & ACK:
            seq, ack, flags = segment.ack, 0, RST
        else:
            length = segment.length + bool(segment.flags & SYN) + bool(segment.flags & FIN)
            seq, ack, flags = 0, segment.seq + length, RST | ACK
        self._output.answer_with_reset(
            header.dst, segment.dst, header.src, segment.src, seq, ack, flags
        )

    def _time_wait(
        self, key: tuple[int, int, int, int], waiting: TimeWait, segment: Tcp, now: int
    ) -> bool:
        """True: the segment opens a new connection (RFC 9293, MAY-2; RFC 1337 for the rest)."""
        seq = unwrap(waiting.rcv_nxt, segment.seq)
        flags = segment.flags
        extent = segment.length + (flags & FIN) + (flags >> 1 & 1)
        if flags & RST:
            return False  # RFC 1337: TIME-WAIT is not to be assassinated
        if flags & SYN and not flags & ACK and seq > waiting.rcv_nxt:
            return True
        if seq == waiting.rcv_nxt and not extent:
            return False  # an acceptable acknowledgement is no question
        if flags & FIN and seq + extent == waiting.rcv_nxt:
            self._connections.prolong(key, waiting, now)
        elif now - waiting.answered_ns < self._config.oow_ack_ns:
            return False
        else:
            waiting.answered_ns = now
        self._output.answer_with_reset(
            key[0], key[1], key[2], key[3], waiting.snd_nxt, waiting.rcv_nxt, ACK
        )
        return False

    def _listen(self, listener: Listener, header: Ipv4, segment: Tcp, now: int) -> None:
        """Section 3.10.7.2."""
        flags = segment.flags
        if flags & RST:
            return
        if flags & ACK:
            self.refuse(header, segment)
        elif flags & (SYN | FIN) == SYN and not listener.full:  # full: the peer will try again
            self._opener.passive(listener, header, segment, now)

    # -- SYN-SENT

    def _syn_sent(self, tcb: Tcb, segment: Tcp, now: int) -> None:
        """Section 3.10.7.3."""
        flags = segment.flags
        ack = unwrap(tcb.snd_una, segment.ack)
        if flags & ACK and not tcb.iss < ack <= tcb.snd_max:
            if not flags & RST:
                local, port, remote, remote_port = tcb.key
                self._output.answer_with_reset(
                    local, port, remote, remote_port, segment.ack, 0, RST
                )
            return
        if flags & RST:
            if flags & ACK:
                self._connections.finish(tcb, ECONNREFUSED)
            return
        if not flags & SYN:
            return
        self._opener.synchronize(tcb, segment.seq, Options.parse(segment.options))
        tcb.snd_wl1 = tcb.irs
        if flags & ACK:
            step(tcb, On.RCV_SYN_ACK)
            if tcb.pingpong:  # TCP_QUICKACK was switched off: the first data is to carry it
                tcb.pingpong, tcb.quick = 0, QUICK_ACKS
                tcb.delack_at = now + self._config.delayed_ack_max_ns
            else:
                tcb.ack_now = True
            tcb.snd_wnd = tcb.max_snd_wnd = segment.window  # never scaled in a SYN
            self._opener.established(tcb, ack, now)
        else:
            step(tcb, On.RCV_SYN)
            tcb.snd_wnd = tcb.max_snd_wnd = segment.window
            tcb.retries = 0
            self._output.syn(tcb, now)

    # -- everything else

    def _synchronized(self, tcb: Tcb, segment: Tcp, frame: Frame, now: int) -> None:
        """Section 3.10.7.4."""
        seq = tcb.rcv_nxt
        if segment.seq != seq & MASK:
            seq = unwrap(seq, segment.seq)
        flags = segment.flags
        length = segment.length
        at = segment.at
        # first: is it in the window?  (table 6)
        extent = length + (flags & FIN) + (flags >> 1 & 1)
        window_end = tcb.rcv_adv
        if flags & (RST | SYN):  # by the number that they came with: nothing is trimmed off yet
            if flags & RST:
                self._rst(tcb, seq, extent, now)
                return
            if not self._syn(tcb, seq, flags, segment.ack, now):
                return
            flags, seq, extent = ACK, seq + 1, 0  # a SYN-ACK that is all right
            length = 0
        elif seq != tcb.rcv_nxt or seq + extent > window_end:
            if not self._acceptable(tcb, seq, extent, window_end):
                self._unacceptable(tcb, extent, now)
                return
            if seq < tcb.rcv_nxt:  # trim to the left edge
                skip = min(tcb.rcv_nxt - seq, length)
                at, length, seq = at + skip, length - skip, seq + skip
            if seq + length + (flags & FIN) > window_end:  # and to the right edge
                length = max(0, min(length, window_end - seq))
                flags &= ~FIN
                tcb.ack_now = True  # a window probe, perhaps: 3.8.6.1
                self._output.later(tcb)
        if not flags & ACK:
            return
        ack = tcb.snd_max
        if segment.ack != ack & MASK:
            ack = unwrap(tcb.snd_una, segment.ack)
        if tcb.state == State.SYN_RECEIVED and not self._opened(tcb, segment, ack, now):
            return
        if ack > tcb.snd_max or ack < tcb.snd_una - tcb.max_snd_wnd:  # RFC 5961, 5.2
            self.challenges.answer(tcb, now)
            return
        window = segment.window << tcb.snd_scale
        if not self._ack.input(tcb, seq, ack, window, extent, now):
            return
        if length or flags & FIN:
            self.data.input(tcb, frame, seq, at, length, flags, now)

    @staticmethod
    def _acceptable(tcb: Tcb, seq: int, extent: int, end: int) -> bool:
        """Table 6."""
        nxt = tcb.rcv_nxt
        if seq == nxt:
            return True  # MUST-66: ACK, RST and URG count even when the window is closed
        if extent:
            return seq < end and seq + extent > nxt
        return nxt <= seq <= end

    def _unacceptable(self, tcb: Tcb, extent: int, now: int) -> None:
        """Acknowledged and dropped; what has text is so each time, for it may be a probe."""
        self.counters["unacceptable"] += 1
        if extent:
            self._output.ack(tcb)
        else:
            self.challenges.answer(tcb, now)

    def _rst(self, tcb: Tcb, seq: int, extent: int, now: int) -> None:
        """Second (RFC 5961, 3.2): only the very number that is next ends a connection."""
        state = tcb.state
        if seq != tcb.rcv_nxt and not (seq == tcb.rcv_nxt - 1 and state in AFTER_FIN):
            if self._acceptable(tcb, seq, extent, tcb.rcv_adv):
                self.challenges.answer(tcb, now)
            else:
                self.counters["unacceptable"] += 1
            return
        error = ECONNRESET
        if state == State.SYN_RECEIVED and not tcb.passive:
            error = ECONNREFUSED
        elif state == State.CLOSE_WAIT:
            error = EPIPE  # as Linux and BSD: only the way out is lost
        elif state in (State.CLOSING, State.LAST_ACK):
            error = 0
        self._connections.finish(tcb, error)

    def _syn(self, tcb: Tcb, seq: int, flags: int, ack: int, now: int) -> bool:
        """Fourth (RFC 5961, 4.2).  True: a SYN-ACK that ends a simultaneous open (section 3.5)."""
        if tcb.state == State.SYN_RECEIVED and seq == tcb.rcv_nxt - 1:
            if flags & ACK:
                return not tcb.passive and ack == tcb.snd_max & MASK
            if now - tcb.challenged_at >= self._config.oow_ack_ns:
                tcb.challenged_at = now
                self._output.syn(tcb, now)  # our SYN-ACK was lost, or is late
            return False
        self.challenges.answer(tcb, now)
        return False

    def _opened(self, tcb: Tcb, segment: Tcp, ack: int, now: int) -> bool:
        """The acknowledgement that ends SYN-RECEIVED."""
        if not tcb.snd_una < ack <= tcb.snd_max:
            local, port, remote, remote_port = tcb.key
            self._output.answer_with_reset(
                local, port, remote, remote_port, segment.ack & MASK, 0, RST
            )
            return False
        listener = tcb.listener
        if isinstance(listener, Listener):
            if listener.full:
                return False  # no room to accept: the peer will send again
            if tcb.retries < listener.defer_accept and not (segment.length or segment.flags & FIN):
                listener.deferred.add(tcb.key)  # its text opens it, or the SYN-ACK's last ACK
                return False
        step(tcb, On.RCV_ACK_OF_SYN)
        tcb.snd_wnd = tcb.max_snd_wnd = segment.window << tcb.snd_scale
        tcb.snd_wl1 = unwrap(tcb.rcv_nxt, segment.seq)
        self._opener.established(tcb, ack, now)
        return tcb.state != State.CLOSED
