"""Apps on a minion: what `minion app` and the control socket start, with the host's descriptors."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from errno import E2BIG, EINVAL, ENOEXEC
from functools import partial
from importlib import import_module

from hypercalls.host.reactor import Reactor
from minion.app.coroutine import Context, Main
from minion.app.frames import Frames
from minion.app.process import App, Kernel
from minion.app.runner import Runner
from minion.board import Board
from minion.cli.engines import engine
from minion.cli.hostfile import HostFile, Output
from minion.cli.look import Look
from minion.cli.options import Options
from minion.driver.control import AppDone
from minion.elf.image import ElfError, parse
from minion.hart.cost import COSTS
from stack.netstack import Netstack
from stack.services.resolver import Resolver

PROGRAM_MAX = 256 << 20
Log = Callable[[str], None]
Kill = Callable[[], None]


class Apps:
    """All apps of one minion."""

    def __init__(
        self, reactor: Reactor, board: Board, net: Netstack, resolver: Resolver, log: Log,
        options: Options,
    ) -> None:  # fmt: skip
        """The board has reserved options.app_ram_mib."""
        self._reactor = reactor
        self._log = log
        frames = Frames(board.ram, options.app_ram_mib << 20)
        self.kernel = Kernel(board.hypercalls, net, resolver, frames)
        self.runner = Runner(
            self.kernel, partial(board.make_hart, COSTS[options.cpu]), engine(options.engine)
        )
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
                argv = [os.fsencode(text) for text in values["argv"]]
                env = [os.fsencode(text) for text in values["env"]]
                module = values["module"]
                folder = values["folder"]
                if not argv or not isinstance(module, str) or not isinstance(folder, str):
                    raise ValueError
            except (ValueError, KeyError, TypeError):
                raise OSError(EINVAL, "a request for an app that makes no sense") from None
            if module:
                return self.start_module(module, folder, argv, stdio, lambda s: done(s, 0, b""))
            elf = read_program(program)
            return self.start_elf(elf, argv, env, stdio, lambda s: done(s, 0, b""), look)
        except BaseException:
            for fd in stdio:
                os.close(fd)
            raise
        finally:
            os.close(program)

    def start_elf(
        self, elf: bytes, argv: list[bytes], env: list[bytes], stdio: list[int],
        ended: Callable[[int], None], look: Look | None = None,
    ) -> Kill:  # fmt: skip
        """stdio: three descriptors, the app's from now on unless this fails.  OSError(ENOEXEC)."""
        name = os.fsdecode(os.path.basename(argv[0]))
        try:
            make = look.engine if look is not None else None
            app = self.runner.start(parse(elf), name, argv, env, make)
        except ElfError as error:
            raise OSError(ENOEXEC, str(error)) from None
        for fd, host in enumerate(stdio):
            app.files.put(fd, HostFile(self._reactor, host, 0 if fd == 0 else 1))
        errors = os.dup(stdio[2])
        number = self._add(app)

        def log(line: str) -> None:
            self._log(f"app {line.strip()}")
            os.write(errors, f"{line}\n".encode())

        def end(status: int) -> None:
            os.close(errors)
            self._remove(number)
            ended(status)

        app.log = log
        app.ended = end
        if look is not None:
            look.attach(self.runner, app)
        self._reactor.again()
        return lambda: app.exit(128 + 15)

    def start_module(
        self, target: str, folder: str, argv: list[bytes], stdio: list[int],
        ended: Callable[[int], None],
    ) -> Kill:  # fmt: skip
        """A coroutine function, MODULE:FUNCTION, found from folder.  OSError(ENOEXEC)."""
        main = find_main(target, folder)
        out = Output(self._reactor, stdio[1])
        for fd in (stdio[0], stdio[2]):
            os.close(fd)

        context = Context(self.kernel, target, out.write)
        number = self._add(context)

        def end(status: int) -> None:
            self._remove(number)
            out.finish(lambda: ended(status))

        context.ended = end
        context.run(main(context, [os.fsdecode(arg) for arg in argv]))
        self._reactor.again()
        return lambda: context.exit(128 + 15)

    def _add(self, app: App | Context) -> int:
        self._number += 1
        self.running[self._number] = app
        self.counters["started"] += 1
        return self._number

    def _remove(self, number: int) -> None:
        del self.running[number]
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
                })  # fmt: skip
            else:
                found.append({"name": app.name, "threads": app.tasks, "files": len(app.files)})
        return found

    def close(self) -> None:
        for app in tuple(self.running.values()):
            app.exit(128 + 15)


def read_program(fd: int) -> bytes:
    """All of a file.  OSError(E2BIG)."""
    with open(fd, "rb", closefd=False) as file:
        data = file.read(PROGRAM_MAX + 1)
    if len(data) > PROGRAM_MAX:
        raise OSError(E2BIG, "too large for a program")
    return data


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
    except Exception as error:
        raise OSError(ENOEXEC, f"module {name} cannot be imported: {error!r}") from None
    if not callable(main):
        raise OSError(ENOEXEC, f"{target} is no function")
    return main
