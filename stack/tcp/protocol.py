"""TCP as its users see it: open, listen, write, consume, shut down, close, abort (3.9.1)."""

from __future__ import annotations

from collections.abc import Callable
from errno import ECONNABORTED, ECONNRESET

from hypercalls.api import Hypercalls
from stack.callout import Callouts
from stack.config import Config
from stack.ip.icmp import IcmpProtocol
from stack.ip.ip import Ip
from stack.tcp import hold
from stack.tcp.connections import Connections, Listener
from stack.tcp.input import Input
from stack.tcp.open import Opener
from stack.tcp.output import Output
from stack.tcp.pool import Pool
from stack.tcp.ports import Hold
from stack.tcp.state import MAY_OUTPUT, MAY_RECEIVE, On, State, step
from stack.tcp.tcb import NOBODY, Owner, Tcb
from stack.tcp.timers import Timers
from stack.wire import icmp, ipv4
from stack.wire.ipv4 import Ipv4
from stack.wire.tcp import Tcp

Local = tuple[int, int]


class TcpProtocol:
    def __init__(
        self, hyper: Hypercalls, config: Config, callouts: Callouts, ip: Ip,
        icmp_protocol: IcmpProtocol,
    ) -> None:  # fmt: skip
        self._config = config
        self._clock = hyper.clock
        self._ip = ip
        self.connections = Connections(hyper, config, callouts)
        self.pool = Pool(hyper.memory, config)
        self.output = Output(config, ip, self.pool)
        self.opener = Opener(config, ip, self.output, self.connections, self.pool)
        self.segments = Input(
            hyper, config, ip, self.output, self.connections, self.opener, self.pool
        )
        self.timers = Timers(config, callouts, self.output, self.connections)
        self.output.arm = self.timers.arm
        ip.protocols[ipv4.TCP] = self.segments.input
        icmp_protocol.transports[ipv4.TCP] = self._icmp_error
        icmp_protocol.mtu_reduced = self._mtu_reduced

    # -- opening

    def create(self, local: Local, remote: Local, owner: Owner, ports: Local = (0, 0)) -> Tcb:
        """A closed connection, to be given options and then to `connect`.

        ports: the range to choose from (IP_LOCAL_PORT_RANGE); a 0 is no bound.
        OSError: ENETUNREACH, EADDRINUSE, EADDRNOTAVAIL (no port left for local port 0).
        """
        address, port = local
        address = address or self._ip.path(remote[0]).src
        port = port or self.connections.free_port(remote, address, *ports)
        tcb = self.opener.create((address, port), remote, self._clock.monotonic_ns())
        tcb.owner = owner
        return tcb

    def connect(self, tcb: Tcb) -> None:
        """Start the handshake; the owner is told how it ends."""
        self.opener.active(tcb, self._clock.monotonic_ns())
        self.timers.arm(tcb)

    def listen(
        self, hold: Hold, backlog: int, acceptable: Callable[[], None],
        template: Callable[[Tcb], None],
    ) -> Listener:  # fmt: skip
        """OSError(EADDRINUSE)."""
        listener = Listener(hold, self.bounded(backlog), acceptable, template)
        self.connections.listen(listener)
        return listener

    def bounded(self, backlog: int) -> int:
        """As listen(2) has it: a negative backlog is a large one."""
        most = self._config.somaxconn
        return backlog if 0 <= backlog <= most else most

    def unlisten(self, listener: Listener) -> None:
        """Stop listening; connections nobody has accepted are reset (RFC 9293, 3.10.4)."""
        self.connections.unlisten(listener)
        for tcb in [*listener.half_open.values(), *listener.ready]:
            self.abort(tcb)

    def accept(self, listener: Listener, owner: Owner) -> Tcb | None:
        """The oldest connection that is ready, now owner's."""
        if not listener.ready:
            return None
        tcb = listener.ready.popleft()
        tcb.listener = None
        tcb.owner = owner
        return tcb

    def answer(
        self, header: Ipv4, segment: Tcp, owner: Owner, template: Callable[[Tcb], None]
    ) -> Tcb:
        """Accept a SYN that the forwarder took (a gateway); template gives it its options."""
        return self.opener.answer(header, segment, self._clock.monotonic_ns(), owner, template)

    def refuse(self, header: Ipv4, segment: Tcp) -> None:
        """Refuse a SYN that the forwarder took."""
        self.segments.refuse(header, segment)

    # -- data

    def push(self, tcb: Tcb, force: bool = False) -> None:
        """Send what may be sent now.  force: although Nagle or TCP_CORK would hold it back."""
        now = self._clock.monotonic_ns()
        if force:
            self.output.force(tcb, now)
        else:
            self.output.run(tcb, now)
        self.timers.arm(tcb)

    def consumed(self, tcb: Tcb) -> None:
        """The reader has made room: offer it if that is worth a segment (MUST-39)."""
        if tcb.state not in MAY_RECEIVE:
            return
        limit, pool = tcb.rcv_limit, self.pool
        if tcb.rcv_nxt >= tcb.rcv_grow_at:
            limit = pool.grow_receive(tcb)
        limit = pool.share(limit)
        grown = tcb.rcv_nxt + limit - tcb.rcv.charge - tcb.ooo_charge - tcb.rcv_adv
        worth = min(2 * tcb.mss, limit // 2)
        wide = grown >= worth and (grown >= limit // 4 or tcb.rcv_adv - tcb.rcv_nxt < worth)
        if wide or self.segments.data.acks.read(tcb):
            self.output.ack(tcb)

    def room(self) -> None:
        """An interface takes packets again."""
        self.output.resume(self._clock.monotonic_ns())

    def push_within(self, tcb: Tcb, delay_ns: int) -> None:
        """Send what is held back for more to come: now, or if none has come by then."""
        if not delay_ns:
            hold.write_ended(tcb)
            self.push(tcb)
        elif tcb.cork_at:
            tcb.cork_at = min(tcb.cork_at, self._clock.monotonic_ns() + delay_ns)
            self.timers.arm(tcb)

    def quickack(self, tcb: Tcb, value: int) -> None:
        """TCP_QUICKACK was set."""
        self.segments.data.acks.set_quick(tcb, value)

    def keepalive(self, tcb: Tcb) -> None:
        """SO_KEEPALIVE was switched (MUST-24)."""
        tcb.keep_sent = 0
        tcb.keep_at = self._clock.monotonic_ns() + tcb.keep_idle_ns if tcb.keepalive else 0
        self.timers.arm(tcb)

    # -- closing

    def shutdown(self, tcb: Tcb) -> None:
        """No more data will be written: FIN after what is queued (section 3.6)."""
        if tcb.fin_queued or tcb.state not in (
            State.SYN_RECEIVED, State.ESTABLISHED, State.CLOSE_WAIT,
        ):  # fmt: skip
            return
        tcb.fin_queued = True
        if tcb.state == State.SYN_RECEIVED:
            return  # section 3.10.4: the FIN is queued until ESTABLISHED
        step(tcb, On.CLOSE)
        self.push(tcb)

    def close(self, tcb: Tcb) -> None:
        """The program is done with the connection, both ways."""
        if tcb.rcv.length and tcb.state in MAY_OUTPUT:
            self.abort(tcb)  # RFC 2525, 2.17: what was not read is lost, and the peer must know
            return
        tcb.owner = NOBODY
        tcb.rcv.clear()
        if tcb.state == State.SYN_SENT:
            self.connections.finish(tcb, 0)
            return
        self.shutdown(tcb)
        if tcb.state == State.FIN_WAIT_1:
            tcb.orphan_at = -1  # starts with FIN-WAIT-2
        elif tcb.state == State.FIN_WAIT_2:
            if tcb.linger2_ns < 0:
                self.abort(tcb)
                return
            tcb.orphan_at = self._clock.monotonic_ns() + tcb.linger2_ns
            self.timers.arm(tcb)

    def abort(self, tcb: Tcb) -> None:
        """Reset the connection, if there is one."""
        tcb.owner = NOBODY
        tcb.rcv.clear()
        if tcb.state in MAY_OUTPUT or tcb.state == State.SYN_RECEIVED:
            self.output.reset(tcb)
        if tcb.state not in (State.CLOSED, State.TIME_WAIT):
            self.connections.finish(tcb, ECONNABORTED)

    def refuse_text(self, tcb: Tcb) -> None:
        """It has come for an owner that reads no more: reset the connection, and tell of it."""
        self.output.reset(tcb)
        self.connections.finish(tcb, ECONNRESET)

    # -- ICMP

    def _find(self, inner: Ipv4, ports: memoryview) -> Tcb | None:
        """The connection of a quoted segment, if its sequence number is in flight (RFC 5927)."""
        key = (inner.src, ports[0] << 8 | ports[1], inner.dst, ports[2] << 8 | ports[3])
        tcb = self.connections.table.get(key)
        if tcb is None:
            return None
        seq = int.from_bytes(ports[4:8], "big")
        if (seq - tcb.snd_una) & 0xFFFFFFFF > tcb.snd_max - tcb.snd_una:
            return None
        return tcb

    def _icmp_error(self, inner: Ipv4, ports: memoryview, error: int, kind: int, code: int) -> None:
        tcb = self._find(inner, ports)
        if tcb is None:
            return
        tcb.error = error  # MUST-56: soft for a connection that was open
        if tcb.state == State.SYN_SENT and kind != icmp.TIME_EXCEEDED:
            # RFC 5461: everybody gives up a connection attempt at once, for the user's sake
            self.connections.finish(tcb, error)
        elif kind == icmp.UNREACHABLE and code in (
            icmp.PROTOCOL_UNREACHABLE, icmp.PORT_UNREACHABLE,
        ) and tcb.state == State.SYN_RECEIVED:  # fmt: skip
            self.connections.finish(tcb, error)

    def _mtu_reduced(self, inner: Ipv4, ports: memoryview, mtu_bytes: int) -> None:
        """RFC 1191: smaller segments from now on, and what was lost again."""
        tcb = self._find(inner, ports)
        if tcb is None:
            return
        before = tcb.mss
        self._ip.path_mtus.reduce(inner.dst, mtu_bytes, tcb.path.mtu_bytes)
        self.output.refresh(tcb)
        if tcb.mss < before:
            tcb.snd_nxt = tcb.snd_una
            tcb.timed_at = 0  # Karn
            self.push(tcb)
