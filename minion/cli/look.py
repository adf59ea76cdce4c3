"""Looking closely at an app: GDB, commit log, profile."""

from __future__ import annotations

import argparse
import os
import sys

from hypercalls.host.reactor import Reactor
from minion.app.hold import Hold
from minion.app.process import App
from minion.app.runner import Engine, Runner
from minion.bus import Bus
from minion.cli.options import UsageError
from minion.cli.profile import by_function, report
from minion.cli.streams import Log
from minion.gdb.server import Server
from minion.gdb.target import HartTarget
from minion.hart.interpreter import Interpreter
from minion.hart.profile import Profiler
from minion.hart.state import Hart
from minion.hart.trace import Tracer
from minion.ram import Ram

UNWRITTEN = 1
"""The exit status where the log cannot be written."""


class Look:
    """What `minion app` was asked to look at.  All of it is the interpreter's."""

    def __init__(self, args: argparse.Namespace, reactor: Reactor, bus: Bus, ram: Ram) -> None:
        """UsageError."""
        wanted = [name for name, on in (
            ("--gdb", args.gdb is not None), ("--commit-log", args.commit_log is not None),
            ("--profile", args.profile),
        ) if on]  # fmt: skip
        if len(wanted) > 1:
            raise UsageError(f"{wanted[0]} and {wanted[1]}: one at a time")
        if args.engine not in ("", "interpreter"):
            raise UsageError(f"{wanted[0]} works with --engine interpreter")
        if args.gdb is not None and not 0 < args.gdb < 65536:
            raise UsageError(f"--gdb {args.gdb}: a port from 1 to 65535")
        self._reactor = reactor
        self._bus = bus
        self._ram = ram
        self._port: int | None = args.gdb
        self._profile: bool = args.profile
        self._log: Log | None = None
        self._server: Server | None = None
        self._profiler: Profiler | None = None
        self._app: App | None = None
        self.unwritten = False
        """The log is not whole."""
        if args.commit_log is not None:
            self._log = Log("--commit-log", args.commit_log)
            self._log.failed = self._unwritten

    def _unwritten(self, message: str) -> None:
        self.unwritten = True
        print(f"minion: {message}", file=sys.stderr)
        if self._app is not None:
            self._app.exit(UNWRITTEN)

    def engine(self, hart: Hart) -> Engine:
        if self._log is not None:
            return Tracer(hart, self._log.write)
        if self._profile:
            self._profiler = Profiler(hart)
            return self._profiler
        return Interpreter(hart)

    def attach(self, runner: Runner, app: App) -> None:
        """OSError if the port cannot be had."""
        self._app = app
        if self._port is None:
            return
        for area in app.space.areas():
            if area.name == "image":
                app.space.populate(area)
        hold = Hold(app, self._reactor.again)
        target = HartTarget(app.hart, runner.engine(app), hold, self._bus, self._ram)
        try:
            self._server = Server(self._reactor, target, target.disconnected, self._port)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise UsageError(f"--gdb {self._port}: {reason}") from None
        hold.stopped = self._server.stopped
        hold.signalled = target.signalled
        hold.attached = self._server.attached
        app.hold = hold
        runner.replace(app, target)
        print(f"minion: waiting for gdb: target remote 127.0.0.1:{self._port}", file=sys.stderr)

    def close(self, status: int) -> None:
        """The app has ended: what there is to say."""
        if self._server is not None:
            self._server.close(status)
        if self._log is not None:
            self._log.close()
        if self._profiler is not None and self._app is not None:
            bias = self._app.bias
            counts = (count._replace(pc=count.pc - bias) for count in self._profiler.counts())
            for line in report(by_function(counts, [self._app.symbols])):
                print(line, file=sys.stderr)
