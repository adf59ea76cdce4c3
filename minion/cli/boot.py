"""`minion boot`: machine code on the board."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from hypercalls.host.reactor import Reactor
from minion.boot.machine import Engine, Machine, Setup
from minion.boot.tree import board_tree
from minion.cli import terminal
from minion.cli.boot_options import ISAS
from minion.cli.engines import engine
from minion.cli.options import RAM_MAX_MIB, RAM_MIN_MIB, Options, UsageError
from minion.cli.profile import by_function, report
from minion.cli.streams import Line, Log
from minion.cli.terminal import Terminal
from minion.elf.image import ElfError
from minion.fdt import emit
from minion.gdb.server import Server
from minion.gdb.target import HartTarget
from minion.hart.config import Isa
from minion.hart.cost import COSTS
from minion.hart.profile import Profiler
from minion.hart.state import Hart
from minion.hart.trace import Tracer
from minion.netdev.api import Netdev
from minion.virt import DISKS

FILE_MAX = 256 << 20
"""An image may be larger than RAM by what is not loaded: its debugging information."""
UNWRITTEN = 1
"""Output or log cannot be written."""
INTERNAL = 70
"""EX_SOFTWARE."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def boot(args: argparse.Namespace) -> int:
    check(args)
    isa = ISAS[args.isa]
    if args.dump_dtb:
        return dump_tree(args, isa)
    if args.image is None:
        raise UsageError("boot: which image? e.g. minion boot program.elf")
    return Run(args, isa).run()


def check(args: argparse.Namespace) -> None:
    if not RAM_MIN_MIB <= args.ram_mib <= RAM_MAX_MIB:
        raise UsageError(f"--ram {args.ram_mib}: from {RAM_MIN_MIB} to {RAM_MAX_MIB} MiB")
    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit {args.limit}: at least one instruction")
    if args.gdb is not None and not 0 < args.gdb < 65536:
        raise UsageError(f"--gdb {args.gdb}: a port from 1 to 65535")
    if len(args.disk) >= DISKS:
        raise UsageError(f"--disk: at most {DISKS - 1}")
    if "\0" in args.append:
        raise UsageError("--append: text without zero bytes")
    if args.netdev == "none":
        if args.publish:
            raise UsageError("-p works with --netdev user")
    else:
        net_options(args).check()


def net_options(args: argparse.Namespace) -> Options:
    return Options(netdev=args.netdev, publish=args.publish)


def dump_tree(args: argparse.Namespace, isa: Isa) -> int:
    tree = board_tree(isa, args.ram_mib << 20, args.append)
    try:
        Path(args.dump_dtb).write_bytes(emit(tree))
    except OSError as error:
        raise UsageError(f"{args.dump_dtb}: {error.strerror}") from None
    return 0


def load_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(FILE_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if len(data) > FILE_MAX:
        raise UsageError(f"{path}: too large for an image")
    return data


def choose_engine(args: argparse.Namespace, log: Log | None) -> Callable[[Hart], Engine]:
    """Counting and logging are the interpreter's; else the fastest engine, or the one named."""
    if log is not None and args.profile:
        raise UsageError("--trace and --profile: one at a time")
    if (log is not None or args.profile) and args.engine not in ("", "interpreter"):
        option = "--profile" if args.profile else "--trace"
        raise UsageError(f"{option} works with --engine interpreter")
    if log is not None:
        return lambda hart: Tracer(hart, log.write)
    return Profiler if args.profile else engine(args.engine)


def disk(text: str) -> tuple[str, bool]:
    """FILE or FILE,ro."""
    path, comma, mode = text.rpartition(",")
    if comma and mode == "ro":
        return path, True
    return text, False


class Run:
    """One machine from power-on to its end."""

    def __init__(self, args: argparse.Namespace, isa: Isa) -> None:
        self.args = args
        self.reactor = Reactor()
        self.reactor.crashed = self._crashed
        image = load_file(args.image)
        self.setup = Setup(
            image=image,
            bios=load_file(args.bios) if args.bios else b"",
            isa=isa,
            cost=COSTS[args.cpu],
            ram_bytes=args.ram_mib << 20,
            block=[disk(text) for text in args.disk],
            bootargs=args.append,
            limit=args.limit,
            terminal=terminal.size(),
        )
        self.log = Log("--trace", args.trace) if args.trace else None
        self._deaf = False
        """Standard output takes nothing any more."""
        self._line = Line()
        self.machine = self._make(choose_engine(args, self.log))
        if self.log is not None:
            self.log.failed = self._unwritten
        engine = self.machine.engine
        self.profiler = engine if isinstance(engine, Profiler) else None
        self.machine.on_work = self.reactor.again
        self.debugger = self._debugger(args.gdb) if args.gdb is not None else None

    def _make(self, factory: Callable[[Hart], Engine]) -> Machine:
        args = self.args
        try:
            return Machine(self.setup, factory, self._output, self._netdev())
        except ElfError as error:
            name = f"{args.bios}, {args.image}" if args.bios else args.image
            raise UsageError(f"{name}: {error}") from None
        except OSError as error:
            raise UsageError(f"{error.filename}: {error.strerror}") from None

    def _netdev(self) -> Netdev | None:
        if self.args.netdev == "none":
            return None
        from minion.cli.assemble import make_netdev  # the whole stack: half of the time to start

        return make_netdev(self.reactor, net_options(self.args))

    def _debugger(self, port: int) -> Server:
        """The machine stands still until GDB lets it go."""
        machine = self.machine
        bus, ram = machine.virt.bus, machine.virt.ram
        target = HartTarget(machine.hart, machine.engine, machine, bus, ram)
        try:
            server = Server(self.reactor, target, target.disconnected, port)
        except OSError as error:
            raise UsageError(f"--gdb {port}: {os.strerror(error.errno or 0)}") from None
        machine.engine, machine.debugger, machine.paused = target, server, True
        print(f"minion: waiting for gdb: target remote 127.0.0.1:{port}", file=sys.stderr)
        return server

    def run(self) -> int:
        machine = self.machine
        typed = self._typed()
        for number in SIGNALS:
            signal.signal(number, self._signalled)
        try:
            self.reactor.add_idle(machine.run)
            self.reactor.add_idle(typed.poll)  # after it: the hart may just have made room
            while machine.status is None:
                self.reactor.run_once(True)
        finally:
            typed.close()
            if self.debugger is not None:
                self.debugger.close(machine.status or 0)
            machine.close()
            if self.log is not None:
                self.log.close()
        if machine.fault:
            follows = self._line.unfinished and os.isatty(1) and os.isatty(2)
            print("\n" * follows + f"minion: {machine.fault}", file=sys.stderr)
        if self.profiler is not None:
            tables = [program.symbols for program in machine.programs]
            for line in report(by_function(self.profiler.counts(), tables)):
                print(line, file=sys.stderr)
        return machine.status

    def _typed(self) -> Terminal:
        machine, leave, write = self.machine, self._leave, self._output
        if self.args.console == "virtio":
            console = machine.console
            return Terminal(self.reactor, lambda: console.room, console.receive, leave, write)
        return Terminal(self.reactor, lambda: machine.room, machine.receive, leave, write)

    def _output(self, data: bytes) -> None:
        """The consoles'.  BrokenPipeError."""
        if self._deaf:
            return
        try:
            terminal.write(data)
            self._line.wrote(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            self._deaf = True
            self._unwritten(f"standard output: {error.strerror}")

    def _unwritten(self, message: str) -> None:
        self.machine.fault = message
        self.machine.finish(UNWRITTEN)

    def _leave(self) -> None:
        """Ctrl-A x."""
        self.machine.fault = "terminated"
        self.machine.finish(0)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self.machine.finish(128 + number)
        self.reactor.stop()

    def _crashed(self, name: str, error: BaseException) -> None:
        if isinstance(error, BrokenPipeError):  # who read our output has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), terminal.STDOUT)
            self.machine.finish(128 + signal.SIGPIPE)
            return
        for line in traceback.format_exception(error):
            print(line.rstrip(), file=sys.stderr)
        if self.machine.status is None:
            self.machine.fault = f"internal error in {name}: {error!r}"
            self.machine.finish(INTERNAL)
