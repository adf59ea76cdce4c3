"""Apps on a minion: what `minion app` and the control socket start, with the host's descriptors."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from errno import E2BIG, EACCES, EINVAL, EISDIR, ENOEXEC
from functools import partial
from importlib import import_module
from inspect import iscoroutine

from hypercalls.host.reactor import Reactor
from minion.app.coroutine import Context, Main
from minion.app.files import File
from minion.app.frames import Frames
from minion.app.process import App, Kernel
from minion.app.runner import Runner
from minion.app.socketfile import SocketFile
from minion.board import Board
from minion.cli.engines import engine
from minion.cli.hostfile import HostFile, Output
from minion.cli.look import Look
from minion.cli.options import Options
from minion.cli.report import endpoint
from minion.cli.streams import Line
from minion.cli.trace import Tracer
from minion.cli.trace_apps import AppTracer
from minion.driver.control import AppDone
from minion.elf.image import ElfError, parse
from minion.hart.cost import COSTS
from stack.netstack import Netstack
from stack.services.resolver import Resolver

PROGRAM_MAX = 256 << 20
NAME_MAX = 64
Log = Callable[[str], None]
Kill = Callable[[], None]


class Apps:
    """All apps of one minion."""

    def __init__(
        self, reactor: Reactor, board: Board, net: Netstack, resolver: Resolver, log: Log,
        options: Options, tracer: Tracer | None,
    ) -> None:  # fmt: skip
        """The board has reserved options.app_ram_mib."""
        self._reactor = reactor
        self._log = log
        frames = Frames(board.ram, options.app_ram_mib << 20)
        self.kernel = Kernel(board.hypercalls, net, resolver, frames)
        self._tracer = AppTracer(tracer.say) if tracer is not None else None
        self.runner = Runner(
            self.kernel, partial(board.make_hart, COSTS[options.cpu]), engine(options.engine),
            self._tracer.dispatch if self._tracer is not None else None,
        )  # fmt: skip
        self.running: dict[int, App | Context] = {}
        self.counters = {"started": 0, "ended": 0}
        self.idle: Callable[[], None] = lambda: None
        self._number = 0

    def request(self, data: bytes, fds: list[int], done: AppDone, look: Look | None = None) -> Kill:
        """MINION_APP.  OSError: EINVAL, ENOEXEC, ENOMEM.  look: only of machine code."""
        program, *stdio = fds
        try:
            try:
                values = json.loads(data)
                if not isinstance(values["argv"], list) or not isinstance(values["env"], list):
                    raise ValueError
                argv = [os.fsencode(text) for text in values["argv"]]
                env = [os.fsencode(text) for text in values["env"]]
                module = values["module"]
                folder = values["folder"]
                if not argv or not isinstance(module, str) or not isinstance(folder, str):
                    raise ValueError
                if any(b"\0" in text for text in (*argv, *env, os.fsencode(folder))):
                    raise ValueError
            except (ValueError, KeyError, TypeError, RecursionError):
                raise OSError(EINVAL, "a request for an app that makes no sense") from None
            if module:
                return self.start_module(module, folder, argv, stdio, lambda s: done(s, 0, b""))
            elf = read_program(program)
            return self.start_elf(elf, argv, env, stdio, lambda s: done(s, 0, b""), look)
        finally:
            close_all(fds)

    def start_elf(
        self, elf: bytes, argv: list[bytes], env: list[bytes], stdio: list[int],
        ended: Callable[[int], None], look: Look | None = None,
    ) -> Kill:  # fmt: skip
        """stdio: three descriptors, of which the app has duplicates.  OSError(ENOEXEC)."""
        ours = duplicates([*stdio, stdio[2]])
        try:
            make = look.engine if look is not None else None
            app = self.runner.start(parse(elf), name_of(argv[0]), argv, env, make)
        except BaseException as error:
            close_all(ours)
            if isinstance(error, ElfError):
                raise OSError(ENOEXEC, str(error)) from None
            raise
        line = Line()
        for fd in range(3):
            app.files.put(fd, HostFile(self._reactor, ours[fd], 0 if fd == 0 else 1, line))
        errors = Output(self._reactor, ours[3], line)
        number = self._add(app)

        def log(text: str) -> None:
            self._log(f"app {text.strip()}")
            with suppress(OSError):  # nobody reads: the minion's log has it
                errors.message(text)

        def end(status: int) -> None:
            self._remove(number, status)
            errors.finish(lambda: ended(status))

        def kill() -> None:
            app.exit(128 + 15)
            errors.discard()

        app.log = log
        app.ended = end
        if look is not None:
            look.attach(self.runner, app)
        self._reactor.again()
        return kill

    def start_module(
        self, target: str, folder: str, argv: list[bytes], stdio: list[int],
        ended: Callable[[int], None],
    ) -> Kill:  # fmt: skip
        """A coroutine function, MODULE:FUNCTION, found from folder.  OSError(ENOEXEC)."""
        main = find_main(target, folder)
        out = Output(self._reactor, os.dup(stdio[1]))
        context = Context(self.kernel, target, out.write)
        try:
            given = context if self._tracer is None else self._tracer.context(context)
            coroutine = main(given, [os.fsdecode(arg) for arg in argv])
            if not iscoroutine(coroutine):
                raise TypeError("it is no coroutine function")
        except BaseException as error:
            out.finish(lambda: None)
            raise OSError(ENOEXEC, f"{target} cannot be started: {error}") from None
        number = self._add(context)

        def end(status: int) -> None:
            self._remove(number, status)
            out.finish(lambda: ended(status))

        def kill() -> None:
            context.exit(128 + 15)
            out.discard()

        context.ended = end
        context.run(coroutine)
        self._reactor.again()
        return kill

    def _add(self, app: App | Context) -> int:
        self._number += 1
        self.running[self._number] = app
        self.counters["started"] += 1
        return self._number

    def _remove(self, number: int, status: int) -> None:
        app = self.running.pop(number)
        if self._tracer is not None:
            self._tracer.ended(app, status)
        self.counters["ended"] += 1
        self.idle()

    def status(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for app in self.running.values():
            if isinstance(app, App):
                found.append({
                    "name": app.name, "pid": app.pid, "threads": len(app.threads),
                    "files": len(app.files), "instructions": app.instructions,
                    "resident_bytes": app.space.resident_bytes,
                    "sockets": sockets(app.files.all()),
                })  # fmt: skip
            else:
                found.append({"name": app.name, "threads": app.tasks, "files": len(app.files),
                              "sockets": sockets(app.files)})  # fmt: skip
        return found

    def close(self) -> None:
        for app in tuple(self.running.values()):
            app.exit(128 + 15)


def sockets(files: set[File]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for file in files:
        if isinstance(file, SocketFile):
            entry: dict[str, object] = {"state": file.state, "local": endpoint(file.getsockname())}
            try:
                entry["remote"] = endpoint(file.getpeername())
            except OSError:  # not connected
                entry["remote"] = None
            found.append(entry)
    return sorted(found, key=lambda entry: (str(entry["local"]), str(entry["remote"])))


def close_all(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)


def duplicates(fds: list[int]) -> list[int]:
    """All of them, or none.  OSError(EMFILE)."""
    made: list[int] = []
    try:
        made.extend(os.dup(fd) for fd in fds)
    except OSError:
        close_all(made)
        raise
    return made


def name_of(path: bytes) -> str:
    """Of a program, for logs: printable."""
    name = os.path.basename(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else "?" for c in name)[:NAME_MAX]


def read_program(fd: int) -> bytes:
    """All of a file.  OSError(EACCES, E2BIG); of a pipe nobody knows when it ends."""
    status = os.fstat(fd)
    if stat.S_ISDIR(status.st_mode):
        raise OSError(EISDIR, os.strerror(EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(EACCES, "not a regular file")
    if status.st_size > PROGRAM_MAX:
        raise OSError(E2BIG, "too large for a program")
    return os.pread(fd, status.st_size, 0)


def find_main(target: str, folder: str) -> Main:
    """OSError(ENOEXEC), with a line that says what is wrong."""
    name, _, function = target.partition(":")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        main: Main = getattr(import_module(name), function)
    except ModuleNotFoundError as error:
        raise OSError(ENOEXEC, f"no module {error.name}") from None
    except AttributeError:
        raise OSError(ENOEXEC, f"module {name} has no function {function}") from None
    except (Exception, SystemExit) as error:  # sys.exit() in a script is no end of the minion
        raise OSError(ENOEXEC, f"module {name} cannot be imported: {error!r}") from None
    if not callable(main):
        raise OSError(ENOEXEC, f"{target} is no function")
    return main
