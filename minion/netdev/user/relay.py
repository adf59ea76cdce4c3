"""TCP between the minion and host sockets.

Theory of operation.  A SYN from the minion is held while the host connects: only then is it
answered, so that a refusal is a refusal and a silence is a silence.  After that a relay is a
session as on the minion, with a host socket for its channel: what that does not take closes the
window.

On the host's loopback, where a segment has 64 kB, the kernel lets a socket queue megabytes for a
peer that has read nothing.  A relay's host socket starts with less, and grows with a peer that
reads: nobody else is worth so much memory, there or here.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from functools import partial
from select import EPOLLOUT

from hypercalls.host.copy import SocketCopy
from hypercalls.host.reactor import Reactor
from minion.sysproxy.session import Session
from minion.sysproxy.work import SessionWork
from stack.netstack import Netstack
from stack.tcp.tcb import Key
from stack.wire import icmp
from stack.wire.ipv4 import Ipv4
from stack.wire.tcp import Tcp

Address = tuple[str, int]
SCRATCH_BYTES = 16 << 10
SNDBUF_FIRST_BYTES = 8 << 10
"""The kernel doubles it, and takes a segment of 64 kB all the same."""
SNDBUF_BYTES = 1 << 20
GROW_WAITS = 16
"""So often a full host socket has had room again: more than a peer takes that does not read."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
UNREACHABLE = {
    errno.ENETUNREACH: icmp.NET_UNREACHABLE,
    errno.EHOSTUNREACH: icmp.HOST_UNREACHABLE,
    errno.ETIMEDOUT: icmp.HOST_UNREACHABLE,
    errno.EACCES: icmp.ADMIN_PROHIBITED,
    errno.EPERM: icmp.ADMIN_PROHIBITED,
}


class Relay(Session):
    """A connection with a host socket at its far end."""

    __slots__ = ("host", "waits")
    host: socket.socket
    waits: int

    def carry(self, host: socket.socket, local: bool) -> None:
        """Take the host's side; local: it is on the host's loopback."""
        self.host = host
        self.waits = 0 if local else GROW_WAITS
        if local:
            host.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SNDBUF_FIRST_BYTES)

    def unblock(self) -> None:
        if self.waits < GROW_WAITS:
            self.waits += 1
            if self.waits == GROW_WAITS:
                self.host.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SNDBUF_BYTES)
        super().unblock()

    def closed(self, error: int) -> None:
        if error:
            self.reset_host()
        else:
            self.pump_out()
        self.server.work.later(self.release)

    def hang_up(self) -> None:
        """Both directions of the host's connection have ended, or it was reset."""
        if self.host.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.release(reset=True)
        elif not self._paused_in:
            self.pump_in()

    @property
    def undelivered(self) -> bool:
        """Bytes from the minion that the host socket has not taken yet."""
        tcb = self.sock.tcb
        return tcb is not None and bool(tcb.rcv.length)

    def reset_host(self) -> None:
        """The far end is to see what the minion saw: a reset."""
        try:
            self.host.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        except OSError:
            pass  # closed already


class TcpRelays:
    """sysproxy.session.SessionServer, for relays."""

    def __init__(
        self,
        reactor: Reactor,
        net: Netstack,
        target: Callable[[int, int], Address | None],
        wake: Callable[[], None],
    ) -> None:
        """target: where an address and port of the minion's network lies on the host, or None.

        wake: the gateway's stack has been given work outside of its softints.
        """
        scratch = net.hyper.memory.alloc(SCRATCH_BYTES)
        if scratch is None:
            raise MemoryError("user: no memory for the gateway")
        self.scratch = scratch
        self.net = net
        self.work = SessionWork(net.hyper.threads, net.hyper.memory)
        self.copy = SocketCopy(reactor)
        self.relays: dict[int, Relay] = {}
        self.counters = {"outgoing": 0, "incoming": 0, "refused": 0}
        self._reactor = reactor
        self._target = target
        self._wake = wake
        self._connecting: dict[Key, socket.socket] = {}
        self._number = 0
        net.tcp.segments.forwarder = self.forward

    # -- from the minion out

    def forward(self, header: Ipv4, segment: Tcp) -> bool:
        """A SYN from the minion."""
        key = (header.dst, segment.dst, header.src, segment.src)
        if key in self._connecting:
            return True  # sent again while the host is still connecting
        target = self._target(header.dst, segment.dst)
        if target is None:
            self._unreachable(header, segment, errno.EHOSTUNREACH)
            return True
        segment.options = bytes(segment.options)  # the frame is only borrowed
        try:
            host = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            self._failed(header, segment, error.errno or errno.ENETUNREACH)
            return True
        self._connecting[key] = host

        def finished(error: int) -> None:
            del self._connecting[key]
            if error:
                host.close()
                self._failed(header, segment, error)
            else:
                self._answer(header, segment, host, target[0])
            self._wake()

        status = host.connect_ex(target)
        if status == errno.EINPROGRESS:
            self._wait(host, finished)
        else:
            finished(status)
        return True

    def _wait(self, host: socket.socket, finished: Callable[[int], None]) -> None:
        fd = host.fileno()

        def event(_events: int) -> None:
            self._reactor.unregister(fd)
            finished(host.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))

        self._reactor.register(fd, EPOLLOUT, event)

    def _failed(self, header: Ipv4, segment: Tcp, error: int) -> None:
        self.counters["refused"] += 1
        if error in UNREACHABLE:
            self._unreachable(header, segment, error)
        else:
            self.net.tcp.refuse(header, segment)

    def _unreachable(self, header: Ipv4, segment: Tcp, error: int) -> None:
        start = struct.pack("!HHI", segment.src, segment.dst, segment.seq)
        packet = memoryview(header.emit() + start)
        code = UNREACHABLE[error]
        self.net.icmp.error(header, packet, icmp.UNREACHABLE, code, self.net.ethernet[0].address)

    def _answer(self, header: Ipv4, segment: Tcp, host: socket.socket, peer: str) -> None:
        relay = self._relay(host, peer)
        try:
            relay.sock.answer(header, segment)
        except OSError:  # its source is not on this network
            relay.reset_host()
            relay.release()
            return
        self.counters["outgoing"] += 1

    def _relay(self, host: socket.socket, peer: str) -> Relay:
        host.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._number += 1
        relay = Relay(self, self._number, None)
        relay.carry(host, peer.startswith("127."))
        relay.sock.configure("nodelay", 1)  # the program's own Nagle has decided already
        self.relays[relay.chan] = relay
        self.copy.plug(relay.chan, host)
        return relay

    # -- from the host in

    def publish(self, host: socket.socket, peer: str, minion: tuple[int, int]) -> None:
        """Connect an accepted host connection, from peer, to a port of the minion."""
        self.counters["incoming"] += 1
        relay = self._relay(host, peer)
        try:
            relay.sock.connect(minion)
        except OSError:
            relay.reset_host()
            relay.release()
        self._wake()

    # -- sessions

    def connected(self, session: Session) -> None:
        session.attach()

    def failed(self, session: Session, error: int, more: int) -> None:
        """Relays override `closed`."""

    def accept(self, session: Session) -> None:
        """Relays do not listen."""

    def forget(self, session: Session) -> None:
        relay = self.relays.pop(session.chan, None)
        self.work.forget(session)
        if relay is None:
            return
        if relay.attached:
            self.copy.detach(session.chan)
        else:
            self.copy.attach(
                session.chan, partial(self.work.ready, session)
            )  # only attached channels detach
            self.copy.detach(session.chan)

    def close(self) -> None:
        for host in self._connecting.values():
            self._reactor.unregister(host.fileno())
            host.close()
        self.copy.close()
