"""`minion app`: a program or a coroutine on the minion itself, without a proxy in between."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
from array import array
from pathlib import Path
from types import FrameType

from hypercalls.host.reactor import Reactor
from minion.cli import client, runtime
from minion.cli.assemble import Minion
from minion.cli.options import Options, UsageError
from minion.cli.runtime import Place
from minion.driver import abi
from minion.sysproxy.operations import Op

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Of a FIFO nobody may ever write to."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def app(args: argparse.Namespace) -> int:
    program = args.program[1:] if args.program[:1] == ["--"] else args.program
    if not program:
        raise UsageError("app: which program? e.g. minion app ./hello, or minion app module:main")
    target = Target(program, args.env)
    close = args.gdb is not None or args.commit_log is not None or args.profile
    if args.on and close:
        raise UsageError("app: --gdb, --commit-log and --profile are for a minion of its own")
    if target.module and close:
        raise UsageError("app: --gdb, --commit-log and --profile are for machine code")
    if args.on:
        return run_on(args.on, target)
    from minion.cli.main import options_of

    return run_private(target, options_of(args), args if close else None)


class Target:
    """What is to be run: an ELF file, or MODULE:FUNCTION if there is no such file."""

    def __init__(self, program: list[str], env: list[str]) -> None:
        name = program[0]
        module, colon, function = name.partition(":")
        names = [*module.split("."), function]
        self.module = ""
        if colon and all(part.isidentifier() for part in names) and not Path(name).exists():
            self.module = name
        self.argv = program
        self.env = [setting if "=" in setting else f"{setting}={os.environ.get(setting, '')}"
                    for setting in env]  # fmt: skip
        try:
            self.fd = os.open(os.devnull if self.module else name, READ)
        except OSError as error:
            raise UsageError(f"{name}: {error.strerror}") from None

    def data(self) -> bytes:
        values = {"argv": self.argv, "env": self.env, "module": self.module, "folder": os.getcwd()}
        return json.dumps(values).encode()


def run_private(target: Target, options: Options, look_at: argparse.Namespace | None) -> int:
    """A minion in this process, for one app; look_at: the options of Look."""
    from minion.cli.commands import private_log, raise_descriptor_limit

    raise_descriptor_limit()
    runtime.refresh_launcher()
    place = Place(f"app-{os.getpid()}")
    place.take()
    statuses: list[int] = []
    signals: list[int] = []
    try:
        minion = Minion(Reactor(), options, place.listen(), os.fspath(place.control), place.name,
                        private_log(options))  # fmt: skip
        try:
            minion.wait_ready()
            fds = [target.fd, *(os.dup(fd) for fd in range(3))]

            def done(result: int, _error: int, _text: bytes) -> None:
                statuses.append(result)
                minion.reactor.stop()

            look = None
            if look_at is not None:
                from minion.cli.look import Look

                look = Look(look_at, minion.reactor, minion.board.bus, minion.board.ram)
            try:
                kill = minion.apps.request(target.data(), fds, done, look)
            except OSError as error:
                raise UsageError(f"{target.argv[0]}: {error.strerror}") from None

            def stop(number: int, _frame: FrameType | None) -> None:
                signals.append(number)
                minion.reactor.call_soon_threadsafe(kill)

            for number in SIGNALS:
                signal.signal(number, stop)
            while not statuses:
                minion.reactor.run()
            if look is not None:
                look.close(statuses[0])
                if look.unwritten:
                    statuses[0] = statuses[0] or 1
            minion.drain()
        finally:
            minion.close()
    finally:
        place.remove()
    killed = signals and statuses[0] == 128 + signal.SIGTERM
    return 128 + signals[0] if killed else statuses[0]


def run_on(name: str, target: Target) -> int:
    """On a running minion; our descriptors are its descriptors."""
    sock = client.connect(Place(name))
    data = target.data()
    if len(data) > abi.DATA_MAX:
        raise UsageError("app: arguments and settings are too long for --on")
    head = abi.REQUEST.pack(abi.VERSION, Op.APP, b"", 0, 0, 0, len(data))
    fds = array("i", [target.fd, 0, 1, 2])
    sock.settimeout(None)
    sock.sendmsg([head + data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    message = sock.recv(abi.REPLY.size + abi.DATA_MAX)
    if len(message) < abi.REPLY.size:
        raise UsageError(f"minion {name!r} went down")
    _version, _op, result, error, _length = abi.REPLY.unpack_from(message)
    if error:
        text = message[abi.REPLY.size :].decode("utf-8", "replace")
        raise UsageError(f"{target.argv[0]}: {text or os.strerror(error)}")
    status: int = result
    return status
