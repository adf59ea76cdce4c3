"""Python apps: coroutines on the rump kernel, with the same sockets that machine code has.

async def main(m, argv):
    listener = m.listen(7)
    while True:
        m.spawn(echo(await listener.accept()))
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from errno import EHOSTUNREACH
from functools import partial
from typing import Any, TypeVar

from minion.app.datagram import UdpFile
from minion.app.files import File
from minion.app.process import Kernel
from minion.app.sleep import Killed, Sleeper, attempt
from minion.app.socketfile import SocketFile
from minion.app.stream import TcpFile
from stack.services.resolver import Answer
from stack.wire import dotted, undotted

T = TypeVar("T")
Peer = tuple[str, int]
Main = Callable[["Context", list[str]], Coroutine[Any, Any, int | None]]


class Stream:
    """A TCP connection."""

    def __init__(self, context: Context, file: SocketFile) -> None:
        self._context = context
        self._file = file

    async def recv(self, length: int) -> bytes:
        """At least one byte; b"" at the end.  OSError."""
        return (await self._context.attempt(self._file, lambda: self._file.recv(length, 0)))[0]

    async def sendall(self, data: bytes) -> None:
        """OSError: EPIPE, ECONNRESET and so on."""
        view = memoryview(data)
        while len(view):
            send = partial(self._file.send, view, None)
            view = view[await self._context.attempt(self._file, send) :]

    def shutdown(self) -> None:
        """No more will be sent: the peer reads the end."""
        self._file.shutdown(1)

    @property
    def peer(self) -> Peer:
        address, port = self._file.getpeername()
        return dotted(address), port

    def close(self) -> None:
        self._context.close(self._file)


class Listener:
    def __init__(self, context: Context, file: SocketFile) -> None:
        self._context = context
        self._file = file

    async def accept(self) -> Stream:
        child = await self._context.attempt(self._file, self._file.accept)
        return Stream(self._context, self._context.opened(child))

    def close(self) -> None:
        self._context.close(self._file)


class Datagrams:
    """A UDP socket."""

    def __init__(self, context: Context, file: SocketFile) -> None:
        self._context = context
        self._file = file

    def sendto(self, data: bytes, peer: Peer) -> None:
        self._file.send(data, (undotted(peer[0]), peer[1]))

    async def recvfrom(self) -> tuple[bytes, Peer]:
        data, source, _ = await self._context.attempt(self._file, lambda: self._file.recv(65536, 0))
        assert source is not None
        return data, (dotted(source[0]), source[1])

    def close(self) -> None:
        self._context.close(self._file)


class Context:
    """What an app is given: the minion, as it sees it."""

    def __init__(self, kernel: Kernel, name: str, write: Callable[[str], None]) -> None:
        self._kernel = kernel
        self._name = name
        self._write = write
        self._files: set[File] = set()
        self._sleepers: set[Sleeper] = set()
        self.tasks = 0
        self.status: int | None = None
        self.ended: Callable[[int], None] = lambda _status: None

    @property
    def name(self) -> str:
        return self._name

    @property
    def files(self) -> set[File]:
        return self._files

    # -- for the app

    def listen(self, port: int, address: str = "0.0.0.0", backlog: int = 128) -> Listener:
        """OSError: EADDRINUSE, EADDRNOTAVAIL."""
        file = self.opened(TcpFile(self._kernel.net))
        file.setsockopt(1, 2, (1).to_bytes(4, "little"))  # SO_REUSEADDR
        file.bind((undotted(address), port))
        file.listen(backlog)
        return Listener(self, file)

    async def connect(self, host: str, port: int) -> Stream:
        """OSError: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH (also: no such name)."""
        address = await self.resolve(host)
        file = self.opened(TcpFile(self._kernel.net))
        try:
            file.connect((undotted(address), port))
        except BlockingIOError:
            await self.attempt(file, file.connect_result)
        return Stream(self, file)

    def udp(self, port: int = 0, address: str = "0.0.0.0") -> Datagrams:
        """OSError: EADDRINUSE, EADDRNOTAVAIL."""
        file = self.opened(UdpFile(self._kernel.net))
        file.bind((undotted(address), port))
        return Datagrams(self, file)

    async def resolve(self, name: str) -> str:
        """An IPv4 address.  OSError(EHOSTUNREACH) if the name has none."""
        answers: list[Answer] = []
        sleeper = self._sleeper()

        def done(answer: Answer) -> None:
            answers.append(answer)
            sleeper.wake()

        try:
            self._kernel.resolver.lookup(name, done)
            while not answers:
                await sleeper.sleep()
        finally:
            self._sleepers.discard(sleeper)
        if not answers[0].addresses:
            raise OSError(EHOSTUNREACH, f"{name}: no such name")
        return dotted(answers[0].addresses[0])

    async def sleep(self, seconds: float) -> None:
        sleeper = self._sleeper()
        try:
            await sleeper.sleep(sleeper.now() + int(seconds * 1e9))
        finally:
            self._sleepers.discard(sleeper)

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run another coroutine beside this one; the app ends when main does."""
        self._start(self._guard(coroutine))

    def print(self, *values: object) -> None:
        """A line on the app's standard output."""
        self._write(" ".join(str(value) for value in values) + "\n")

    # -- beneath

    def run(self, coroutine: Coroutine[Any, Any, int | None]) -> None:
        self._start(self._main(coroutine))

    def exit(self, status: int) -> None:
        """End all of it."""
        if self.status is None:
            self.status = status
        for sleeper in tuple(self._sleepers):
            sleeper.kill()

    def opened(self, file: SocketFile) -> SocketFile:
        file.users = 1
        self._files.add(file)
        return file

    def close(self, file: File) -> None:
        if file in self._files:
            self._files.remove(file)
            file.users = 0
            file.close()
            file.changed()  # who waits for it in another coroutine gets an error

    async def attempt(self, file: File, call: Callable[[], T]) -> T:
        sleeper = self._sleeper()
        try:
            return await attempt(sleeper, file, call)
        finally:
            self._sleepers.discard(sleeper)

    def _sleeper(self) -> Sleeper:
        if self.status is not None:
            raise Killed
        sleeper = Sleeper(self._kernel.hyper)
        self._sleepers.add(sleeper)
        return sleeper

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self.tasks += 1
        self._kernel.hyper.threads.create(coroutine, self._name)

    async def _guard(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """An error in one coroutine is told, and costs that one."""
        try:
            await coroutine
        except Killed:
            pass  # the app ends
        except Exception as error:
            self._kernel.hyper.threads.crashed(f"app {self._name}", error)
        finally:
            self._left()

    async def _main(self, coroutine: Coroutine[Any, Any, int | None]) -> None:
        status: int | None = 1
        try:
            status = await coroutine
        except Killed:
            pass  # somebody ended it from outside
        except Exception as error:
            self._kernel.hyper.threads.crashed(f"app {self._name}", error)
        finally:
            self.exit((status or 0) & 0xFF)
            self._left()

    def _left(self) -> None:
        self.tasks -= 1
        if not self.tasks and self.status is not None:
            for file in tuple(self._files):
                self.close(file)
            self.ended(self.status)
