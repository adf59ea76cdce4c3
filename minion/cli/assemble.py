"""One minion: board, rump kernel, line and driver, put together in one reactor."""

from __future__ import annotations

import gc
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from hypercalls.host.reactor import Reactor
from minion.board import Board
from minion.cli.options import Options, UsageError, cidr, publication
from minion.cli.report import endpoint
from minion.cli.trace import TracedNetdev, Tracer
from minion.devices.dma import ChannelEnd
from minion.driver.control import ControlServer
from minion.driver.dma_copy import DmaCopyEngine
from minion.driver.driver import CopyEngine, Driver, Request
from minion.driver.serial_copy import SerialCopyEngine
from minion.line.link import Link
from minion.line.wire import Wire
from minion.netdev.api import Netdev
from minion.netdev.tap import TapNetdev
from minion.netdev.user.gateway import DNS, UserNetdev
from minion.sysproxy.port import LinePort
from minion.sysproxy.serial_copy import SerialCopy
from minion.sysproxy.server import Server
from stack.netstack import Netstack
from stack.services.dhcp import DhcpClient
from stack.services.resolver import Resolver
from stack.wire import dotted, undotted

if TYPE_CHECKING:
    from minion.cli.apps import Apps

TAP_HOST = "10.7.0.1/24"
COLLECT_AT = 20_000, 20, 100


def settle_collector() -> None:
    """What is here when the minion is up stays; of what comes and goes little is in cycles.

    Looking for those as often as Python does by itself is an eighth of the time that a connection
    takes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AT)


class Minion:
    """A booted minion that serves the control socket `listener`."""

    def __init__(
        self,
        reactor: Reactor,
        options: Options,
        listener: socket.socket,
        control_path: str,
        name: str,
        log: Callable[[str], None],
    ) -> None:
        options.check()
        self.reactor = reactor
        self.options = options
        self.name = name
        self.started_ns = time.monotonic_ns()
        self.errors = 0
        self._log = log
        reactor.crashed = self._crashed
        self.tracer = Tracer(log) if options.trace else None
        self.netdev = make_netdev(reactor, options)

        def console(text: str) -> None:
            return log(f"console: {text.rstrip()}")

        self.board = Board(
            self.netdev if self.tracer is None else TracedNetdev(self.netdev, self.tracer),
            console,
            options.ram_mib + options.app_ram_mib << 20,
            params={"_RUMPUSER_HOSTNAME": name},
            mtu_bytes=options.mtu,
            reserved_bytes=options.app_ram_mib << 20,
        )
        if isinstance(self.netdev, UserNetdev):  # a second machine in this reactor
            self.board.on_work = reactor.again
        hyper = self.board.hypercalls
        hyper.threads.crashed = self._crashed
        self.net = Netstack(hyper)
        if isinstance(self.netdev, UserNetdev):
            self.netdev.net.hyper.threads.crashed = self._crashed
        if self.tracer is not None:
            self.net.tcp.opener.trace = self.tracer.state
        self.resolver = Resolver(self.net, [])
        self._configure()
        self._connect_line(control_path)
        request: Request = self.driver.request
        if self.tracer is not None:
            request = self.tracer.request(request)
        self.control = ControlServer(
            reactor, listener, request, self.driver.abandon, self._status_bytes, reactor.stop,
            self._check_idle, lambda data, fds, done: self.apps.request(data, fds, done),
        )  # fmt: skip
        self._apps: Apps | None = None
        self.idle: Callable[[], None] = lambda: None
        """Called when the last client and the last socket have gone."""
        self.driver.forgotten = self._check_idle
        reactor.add_idle(self.board.run)

    @property
    def apps(self) -> Apps:
        """Made when first asked for: most minions have none, and need no hart."""
        if self._apps is None:
            from minion.cli.apps import Apps

            self._apps = Apps(
                self.reactor, self.board, self.net, self.resolver, self._log, self.options,
                self.tracer,
            )  # fmt: skip
        return self._apps

    # -- network

    def _configure(self) -> None:
        options = self.options
        self.resolver.servers = [undotted(text) for text in options.dns]
        if options.netdev == "user":
            self.dhcp = DhcpClient(self.net, self._bound)
            self.dhcp.start()
            return
        _name, _, host = options.netdev.removeprefix("tap:").partition(",")
        host_address, length = cidr(host or TAP_HOST, "--netdev tap")
        netmask = (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
        gateway = undotted(host_address)
        address = gateway + 1
        if options.address:
            text, length = cidr(options.address, "--address")
            address, netmask = undotted(text), (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
        self.net.configure(address, netmask, gateway)
        self._log(f"address {dotted(address)}, gateway {dotted(gateway)}")

    def _bound(self) -> None:
        if not self.options.dns:
            self.resolver.servers = self.dhcp.dns or [DNS]
        self._log(f"dhcp: address {dotted(self.dhcp.address)}")

    # -- the line

    def _connect_line(self, control_path: str) -> None:
        options, board, reactor = self.options, self.board, self.reactor
        now = time.monotonic_ns
        wire = partial(Wire, baud=options.baud, bit_error_rate=options.noise, now=now,
                       call_at=reactor.call_at)  # fmt: skip
        self.to_minion = wire(self._traced("core > minion", board.uart1.receive), seed=options.seed)
        self.link = Link(
            int.from_bytes(os.urandom(4), "big"),
            self.to_minion.transmit,
            lambda message: self.driver.input(message),
            lambda: self.driver.restarted(),
            now,
            reactor.call_at,
        )
        receive = self._traced("minion > core", self.link.input)
        self.from_minion = wire(receive, seed=options.seed + 1)
        if not options.baud and not options.noise:  # no copper in between
            board.uart1.on_transmit = receive
        else:
            board.uart1.on_transmit = self.from_minion.transmit
        self.port = LinePort(board.hypercalls, self.net.callouts)
        engine: CopyEngine
        if options.copy == "dma":
            plug: Callable[[int, ChannelEnd], None] = board.dma.plug
            if self.tracer is not None:
                plug = self.tracer.plug(plug)
            engine = DmaCopyEngine(board.dma, plug)
            copy = board.hypercalls.copy
            assert copy is not None
        else:
            engine = SerialCopyEngine(self.link, reactor)
            copy = SerialCopy(self.port.link)
        self.driver = Driver(reactor, control_path, engine, self.link.send)
        self.server = Server(board.hypercalls, self.net, self.resolver, copy, self.port.link.send)
        if isinstance(copy, SerialCopy):
            self.server.copy_note = copy.input
        self.port.deliver = self.server.input
        self.port.restarted = self.server.restarted
        self.port.link.start()
        self.link.start()

    def _traced(self, arrow: str, receive: Callable[[bytes], None]) -> Callable[[bytes], None]:
        return receive if self.tracer is None else self.tracer.wire(arrow, receive)

    # -- life

    def ready(self) -> bool:
        """The line is up and the interface has its address."""
        return self.link.up and self.port.link.up and bool(self.net.ethernet[0].address)

    def wait_ready(self, timeout_s: float = 10.0) -> None:
        """UsageError if the minion does not come up."""
        deadline = time.monotonic() + timeout_s
        while not self.ready():
            if time.monotonic() > deadline:
                raise UsageError("the minion did not come up: no answer on the line or from DHCP")
            self.reactor.call_at(time.monotonic_ns() + 1_000_000_000, lambda: None)
            self.reactor.run_once(True)
        settle_collector()

    def busy(self) -> bool:
        """Whether connections without an owner still have something to deliver."""
        return any(not tcb.all_sent for tcb in self.net.tcp.connections.table.values())

    def drain(self, timeout_s: float = 10.0) -> None:
        """Let connections that their programs have closed finish."""
        deadline = time.monotonic() + timeout_s
        while (self.busy() or self._gateway_busy()) and time.monotonic() < deadline:
            self.reactor.call_at(time.monotonic_ns() + 50_000_000, lambda: None)
            self.reactor.run_once(True)

    def _gateway_busy(self) -> bool:
        return isinstance(self.netdev, UserNetdev) and self.netdev.busy()

    def _check_idle(self) -> None:
        if not self.control.clients and not self.driver.channels:
            self.idle()

    def _crashed(self, name: str, error: BaseException) -> None:
        """Our fault: costs one connection or packet; counted, and logged with its traceback."""
        import traceback

        self.errors += 1
        self._log(f"internal error in {name}:")
        for line in traceback.format_exception(error):
            self._log(line.rstrip())

    def close(self) -> None:
        if self._apps is not None:
            self._apps.close()
        self.control.close()
        self.driver.close()
        self.board.close()

    # -- status

    def status(self) -> dict[str, object]:
        interface = self.net.ethernet[0]
        sockets = []
        for number, channel in self.driver.channels.items():
            session = self.server.sessions.get(number)
            entry: dict[str, object] = {"id": channel.program.ident, "pid": channel.pid,
                                        "channel": channel.state.name.lower()}  # fmt: skip
            if session is not None:
                sock = session.sock
                entry["local"] = endpoint(sock.local)
                entry["remote"] = endpoint(sock.remote) if sock.remote else None
                if sock.listener is not None:
                    entry["state"] = "LISTEN"
                else:
                    entry["state"] = sock.tcb.state.name if sock.tcb is not None else "CLOSED"
            sockets.append(entry)
        return {
            "name": self.name,
            "pid": os.getpid(),
            "uptime_s": (time.monotonic_ns() - self.started_ns) / 1e9,
            "options": self.options.as_json(),
            "address": dotted(interface.address),
            "clients": [{"pid": client.pid} for client in self.control.clients.values()],
            "sockets": sockets,
            "internal_errors": self.errors,
            "control": self.control.counters,
            "driver": self.driver.counters,
            "line": {"driver": self.link.account(), "minion": self.port.link.account(),
                     "bits_flipped": self.to_minion.counters["bits_flipped"]
                     + self.from_minion.counters["bits_flipped"]},
            "apps": [] if self._apps is None else self._apps.status(),
            "sysproxy": self.server.counters | {"sessions": len(self.server.sessions)},
            "stack": self.net.counters(),
            "board": self.board.counters(),
        }  # fmt: skip

    def _status_bytes(self) -> bytes:
        return json.dumps(self.status()).encode()


def make_netdev(reactor: Reactor, options: Options) -> Netdev:
    """UsageError, with what to do, if the host does not let us."""
    try:
        if options.netdev == "user":
            return UserNetdev(reactor, [publication(text) for text in options.publish])
        name, _, host = options.netdev.removeprefix("tap:").partition(",")
        return TapNetdev(reactor, name, *cidr(host or TAP_HOST, "--netdev tap"))
    except OSError as error:
        raise UsageError(error.strerror or str(error)) from None


def log_to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
