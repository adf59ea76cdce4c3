"""Opening connections, actively and passively (RFC 9293, 3.5)."""

from __future__ import annotations

from collections.abc import Callable
from errno import EADDRINUSE

from stack.config import Config
from stack.ip.ip import Ip
from stack.tcp import newreno, rto
from stack.tcp.connections import Connections, Listener
from stack.tcp.output import Output
from stack.tcp.pool import Pool
from stack.tcp.state import On, step
from stack.tcp.tcb import NOBODY, WAITING, Key, Owner, Tcb, Trace
from stack.wire.ipv4 import Ipv4
from stack.wire.tcp import Options, Tcp


class Opener:
    def __init__(
        self, config: Config, ip: Ip, output: Output, connections: Connections, pool: Pool
    ) -> None:
        self._config = config
        self._pool = pool
        self._ip = ip
        self._output = output
        self._connections = connections
        self.trace: Trace | None = None
        """Given to every new connection."""
        self.counters = {
            "active_opens": 0,
            "passive_opens": 0,
            "half_open_dropped": 0,
            "no_way_back": 0,
        }

    def _create(self, key: Key, now: int) -> Tcb:
        path = self._ip.path(key[2], key[0])
        iss = self._connections.isn(key, now)
        tcb = Tcb(key, path, iss, self._config)
        tcb.trace = self.trace
        return tcb

    def _scale(self, tcb: Tcb) -> None:
        """Scale so far that the whole buffer can be offered (RFC 7323, 2.3); start small."""
        self._pool.open(tcb, len(self._connections.table))
        tcb.rcv_scale = max(0, min(14, (tcb.rcvbuf_bytes >> 16).bit_length()))

    def create(self, local: tuple[int, int], remote: tuple[int, int], now: int) -> Tcb:
        """A closed connection between two addresses.  OSError(EADDRINUSE)."""
        key = (*local, *remote)
        if key in self._connections.table:
            raise OSError(EADDRINUSE, "connection exists")
        return self._create(key, now)

    def active(self, tcb: Tcb, now: int) -> None:
        """Send a SYN."""
        self.counters["active_opens"] += 1
        self._scale(tcb)
        self._connections.insert(tcb)
        step(tcb, On.ACTIVE_OPEN)
        self._output.syn(tcb, now)

    def passive(self, listener: Listener, header: Ipv4, segment: Tcp, now: int) -> None:
        """Answer a SYN for a listener; the oldest half-open connection makes room if need be."""
        half_open = listener.half_open
        if len(half_open) >= self._config.syn_backlog:
            victim = half_open[next(iter(half_open))]
            self.counters["half_open_dropped"] += 1
            self._connections.finish(victim, 0)
        try:
            tcb = self.answer(header, segment, now, WAITING, listener.template, listener)
        except OSError:
            self.counters["no_way_back"] += 1  # as for a segment lost on its way
            return
        half_open[tcb.key] = tcb

    def answer(
        self, header: Ipv4, segment: Tcp, now: int, owner: Owner,
        template: Callable[[Tcb], None], listener: Listener | None = None,
    ) -> Tcb:  # fmt: skip
        """Send a SYN-ACK; template gives the connection its options.

        Text in the SYN is not taken: the peer will send it again.  OSError(ENETUNREACH).
        """
        options = Options.parse(segment.options)
        key = (header.dst, segment.dst, header.src, segment.src)
        tcb = self._create(key, now)
        tcb.passive = True
        tcb.listener = listener
        tcb.owner = owner
        template(tcb)
        self._scale(tcb)
        self.counters["passive_opens"] += 1
        self._connections.insert(tcb)
        step(tcb, On.PASSIVE_OPEN)
        self.synchronize(tcb, segment.seq, options)
        tcb.snd_wnd = tcb.max_snd_wnd = segment.window
        self._output.syn(tcb, now)
        self._output.arm(tcb)
        return tcb

    def synchronize(self, tcb: Tcb, seq: int, options: Options) -> None:
        """Take the peer's SYN: its sequence number and options."""
        tcb.irs = seq
        tcb.rcv_nxt = seq + 1
        tcb.rcv_grow_at = tcb.rcv_nxt + self._config.grow_first_bytes
        tcb.rcv_adv = max(tcb.rcv_adv, tcb.rcv_nxt + min(tcb.rcv_space, 0xFFFF))
        tcb.peer_mss = max(options.mss if options.mss is not None else 536, 64)
        tcb.mss = self._output.send_mss(tcb)
        if options.window_scale is None:  # RFC 7323, 2.2: both or none
            tcb.rcv_scale = tcb.snd_scale = 0
        else:
            tcb.scaled = True
            tcb.snd_scale = options.window_scale

    def established(self, tcb: Tcb, ack: int, now: int) -> None:
        """The handshake is complete; the state is ESTABLISHED."""
        tcb.snd_una = ack
        tcb.snd_nxt = max(tcb.snd_nxt, ack)
        tcb.rexmt_at = 0
        lost = not tcb.timed_at  # a SYN of ours was sent again
        if tcb.timed_at:
            rto.sample(tcb, max(1, now - tcb.timed_at), self._config)
            tcb.timed_at = 0
        else:
            tcb.rto_ns = max(self._config.rto_initial_ns, 3_000_000_000)  # RFC 6298, 5.7
        tcb.retries = 0
        newreno.start(tcb, self._config, lost)
        if tcb.keepalive:
            tcb.keep_at = now + tcb.keep_idle_ns
        if tcb.fin_queued:  # closed while in SYN-RECEIVED
            step(tcb, On.CLOSE)
            tcb.orphan_at = -1 if tcb.owner is NOBODY else 0
        self._output.later(tcb)
        listener = tcb.listener
        if isinstance(listener, Listener):
            listener.half_open.pop(tcb.key, None)
            listener.deferred.discard(tcb.key)
            listener.ready.append(tcb)
            listener.acceptable()
        else:
            tcb.owner.connected()
