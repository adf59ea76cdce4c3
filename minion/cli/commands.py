"""What the commands do."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from hypercalls.host.reactor import Reactor
from minion.cli import client, dispositions, report, runtime
from minion.cli.assemble import Minion, log_to_stderr
from minion.cli.janitor import Janitor
from minion.cli.options import Options, UsageError
from minion.cli.runtime import Place

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""Exit statuses as the shell's."""
SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def library() -> Path:
    """Where libminion.so is.  UsageError if it was not built."""
    from importlib.util import find_spec

    spec = find_spec("minionsocket")
    for folder in spec.submodule_search_locations or () if spec is not None else ():
        path = Path(folder) / "libminion.so"
        if path.exists():
            return path
    raise UsageError("libminion.so is not installed; run: pip install . (it needs a C compiler)")


def raise_descriptor_limit() -> None:
    """Every connection takes a descriptor: use as many as the system gives."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


# -- run


def run(args: argparse.Namespace) -> int:
    program = args.program[1:] if args.program[:1] == ["--"] else args.program
    if not program:
        raise UsageError("run: what? e.g. minion run -- curl http://10.0.2.2:8000/")
    preload = library()
    runtime.refresh_launcher()
    if args.on:
        place = Place(args.on)
        client.connect(place).close()
        execute(program, environment(preload, args.on), os.getppid())
    from minion.cli.main import options_of

    return run_private(program, preload, options_of(args))


def environment(preload: Path, minion: str) -> dict[str, str]:
    """The program's environment: an LD_PRELOAD that is there already is kept."""
    env = dict(os.environ)
    others = [lib for lib in env.get("LD_PRELOAD", "").replace(":", " ").split()
              if Path(lib).name != preload.name]  # fmt: skip
    env["LD_PRELOAD"] = " ".join([os.fspath(preload), *others])
    env["MINION"] = minion
    env["MINION_DIR"] = os.fspath(runtime.directory())
    return env


def execute(program: list[str], env: dict[str, str], parent: int) -> None:
    """Become the program; if that fails, say why, as a shell would.

    parent: of the process that the user started.
    """
    dispositions.restore(parent)
    path = shutil.which(program[0], path=env.get("PATH"))
    try:
        os.execve(path or program[0], program, env)
    except FileNotFoundError:
        print(f"minion: {program[0]}: command not found", file=sys.stderr)
        os._exit(NOT_FOUND)
    except OSError as error:
        print(f"minion: {program[0]}: {error.strerror}", file=sys.stderr)
        os._exit(NOT_EXECUTABLE)


def run_private(program: list[str], preload: Path, options: Options) -> int:
    """A minion in this process, for one child."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    raise_descriptor_limit()
    place = Place(f"run-{os.getpid()}")
    place.take()
    janitor = Janitor(place.path)
    try:
        minion = Minion(Reactor(), options, place.listen(), os.fspath(place.control), place.name,
                        private_log(options))  # fmt: skip
        try:
            minion.wait_ready()
            env = environment(preload, os.fspath(place.control))
            status = supervise(minion, program, env, limits, janitor)
            minion.drain()
        finally:
            minion.close()
    finally:
        place.remove()
        janitor.dismiss()
    if os.WIFSIGNALED(status):
        return die_of(os.WTERMSIG(status))
    return os.waitstatus_to_exitcode(status)


def private_log(options: Options) -> Callable[[str], None]:
    """A private minion is quiet, but for its own errors."""
    if options.trace:
        return log_to_stderr

    def log(line: str) -> None:
        if "internal error" in line or line.startswith((" ", "Traceback")):
            log_to_stderr(line)

    return log


def supervise(
    minion: Minion, program: list[str], env: dict[str, str], limits: tuple[int, int],
    janitor: Janitor,
) -> int:  # fmt: skip
    """Run the program to its end; its wait status.  The terminal signals it by itself."""
    parent = os.getppid()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        execute(program, env, parent)
    statuses: list[int] = []
    pidfd = os.pidfd_open(child)
    janitor.look_after(pidfd)

    def ended(_events: int) -> None:
        minion.reactor.unregister(pidfd)
        statuses.append(os.waitpid(child, 0)[1])
        minion.reactor.stop()

    def forward(number: int, _frame: FrameType | None) -> None:
        signal.pidfd_send_signal(pidfd, number)

    minion.reactor.register(pidfd, select.EPOLLIN, ended)
    before = {number: signal.signal(number, forward) for number in SIGNALS}
    before |= {number: signal.signal(number, lambda _n, _f: None)
               for number in (signal.SIGINT, signal.SIGQUIT)}  # fmt: skip
    try:
        while not statuses:
            minion.reactor.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(pidfd)
    return statuses[0]


def die_of(number: int) -> int:
    """End as the program ended, so that a shell sees the same."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    return 128 + number


# -- up, down


def up(args: argparse.Namespace) -> int:
    from minion.cli.main import options_of

    place = Place(args.name)
    options = options_of(args)
    runtime.refresh_launcher()
    if args.auto:
        options = place.saved() or options
    if not place.take():
        return already_up(place, args.auto)
    if not args.auto:
        place.save(options)
    raise_descriptor_limit()
    if args.foreground:
        serve(place, options, args.linger, log_to_stderr, lambda: None)
        return 0
    return daemonise(place, options, args.linger)


def already_up(place: Place, auto: bool) -> int:
    """Another process holds the lock: it is up, or about to be."""
    deadline = time.monotonic() + 10
    while not client.answers(place):
        if time.monotonic() > deadline:
            raise UsageError(f"process {place.pid} holds {place.path} but does not answer")
        time.sleep(0.01)  # nothing to wait on: the socket is not there yet
    if auto:
        return 0
    raise UsageError(f"minion {place.name!r} is up already (pid {place.pid})")


def daemonise(place: Place, options: Options, linger_s: float) -> int:
    """Go on in the background; return when the minion is ready, or has failed."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(writer)
        with open(reader) as file:
            answer = file.read()
        if answer != "ready":
            print(f"minion: {answer or 'it ended at once; see: minion logs'}", file=sys.stderr)
            return 2
        return 0
    os.close(reader)
    os.setsid()
    if os.fork():
        os._exit(0)
    place.write_pid()
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)

    def ready() -> None:
        os.write(writer, b"ready")
        os.close(writer)

    try:
        serve(place, options, linger_s, timestamped, ready)
    except UsageError as error:
        place.forget()
        with contextlib.suppress(OSError):
            os.write(writer, str(error).encode())
        os._exit(2)
    except Exception as error:  # our fault: the traceback is for the log, one line for the caller
        for line in traceback.format_exception(error):
            log_to_stderr(line.rstrip())
        with contextlib.suppress(OSError):  # it was ready, and nobody waits any more
            os.write(writer, f"internal error: {error!r}; see: minion logs {place.name}".encode())
        os._exit(1)
    os._exit(0)


def timestamped(line: str) -> None:
    log_to_stderr(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}")


def serve(
    place: Place, options: Options, linger_s: float, log: Callable[[str], None],
    ready: Callable[[], None],
) -> None:  # fmt: skip
    """Be the minion until somebody stops it, or nobody needs it."""
    reactor = Reactor()
    minion = Minion(reactor, options, place.listen(), os.fspath(place.control), place.name, log)

    def stop(_number: int, _frame: FrameType | None) -> None:
        reactor.stop()

    for number in (*SIGNALS, signal.SIGINT):
        signal.signal(number, stop)
    try:
        minion.wait_ready()
        log(f"minion {place.name} is up, pid {os.getpid()}")
        ready()
        if linger_s:
            Lingering(minion, linger_s)
        reactor.run()
        log("going down")
    finally:
        place.forget()
        minion.close()


class Lingering:
    """Stops a minion some time after its last client and socket have gone."""

    def __init__(self, minion: Minion, seconds: float) -> None:
        self._minion = minion
        self._delay_ns = int(seconds * 1e9)
        self._deadline_ns = 0
        minion.idle = self._idle
        self._idle()

    def _idle(self) -> None:
        self._deadline_ns = time.monotonic_ns() + self._delay_ns
        self._minion.reactor.call_at(self._deadline_ns, self._look)

    def _look(self) -> None:
        minion = self._minion
        if time.monotonic_ns() < self._deadline_ns:
            return  # there was somebody in the meantime
        if not minion.control.clients and not minion.driver.channels:
            minion.reactor.stop()


def down(args: argparse.Namespace) -> int:
    place = Place(args.name)
    client.stop(place)
    return 0


# -- status, logs, lib, env


def status(args: argparse.Namespace) -> int:
    if args.name is None:
        names = runtime.running()
        found = [client.status(Place(name)) for name in names if client.answers(Place(name))]
        if args.json:
            print(json.dumps(found, indent=2))
        else:
            print(report.overview(found))
        return 0
    found_one = client.status(Place(args.name))
    print(json.dumps(found_one, indent=2) if args.json else report.details(found_one))
    return 0


def logs(args: argparse.Namespace) -> int:
    place = Place(args.name)
    try:
        file = place.log.open()
    except FileNotFoundError:
        raise UsageError(f"minion {args.name!r} has no log: it was never up") from None
    with file:
        shutil.copyfileobj(file, sys.stdout)
        while args.follow:
            sys.stdout.flush()
            text = file.read()
            if text:
                sys.stdout.write(text)
            elif not client.answers(place):
                break
            else:
                time.sleep(0.2)  # a file's growth has no event without another dependency
    return 0


def lib(_args: argparse.Namespace) -> int:
    runtime.refresh_launcher()
    print(library())
    return 0


def env(_args: argparse.Namespace) -> int:
    """LD_LIBRARY_PATH lets the bare name be found; the rest is for the library."""
    runtime.refresh_launcher()
    folder = library().parent
    print(f'export LD_LIBRARY_PATH="{folder}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"')
    print(f'export MINION_DIR="{runtime.directory()}"')
    return 0


def boot(args: argparse.Namespace) -> int:
    from minion.cli import boot as booting  # nothing else here needs a hart

    return booting.boot(args)


def app(args: argparse.Namespace) -> int:
    from minion.cli import app as apps

    return apps.app(args)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run, "up": up, "down": down, "status": status, "logs": logs, "lib": lib, "env": env,
    "boot": boot, "app": app,
}  # fmt: skip
