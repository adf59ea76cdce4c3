"""--trace for apps: the system calls of machine code, and what coroutines ask of the minion.

A call has its line when it is done; "= ?": it ended the app, or the app's end ended it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from errno import errorcode
from inspect import iscoroutine, ismethod
from typing import Any, cast

from minion.app.calls.describe import Asked, quoted
from minion.app.calls.table import Dispatch
from minion.app.coroutine import Context, Datagrams, Listener, Stream
from minion.app.process import App, Thread
from minion.app.sleep import Killed

Say = Callable[[str, str], None]
REPR_MAX = 60


class AppTracer:
    def __init__(self, say: Say) -> None:
        """say: with layer and text."""
        self._say = say

    def dispatch(self, call: Dispatch) -> Dispatch:
        """Around Calls.call."""

        async def traced(thread: Thread) -> int:
            asked = Asked(thread)
            app = thread.app
            result: int | None = None
            try:
                result = await call(thread)
                return result
            finally:
                line = asked.line(None if app.exiting else result)
                self._say("app", f"{app.name}:{thread.tid} {line}")

        return traced

    def ended(self, app: App | Context, status: int) -> None:
        name = f"{app.name}:{app.pid}" if isinstance(app, App) else app.name
        self._say("app", f"{name} ends, status {status}")

    def context(self, context: Context) -> Context:
        """As the app sees it."""
        names: Counter[str] = Counter()
        say = self._say
        told = Told(context, "m", lambda text: say("app", f"{context.name} {text}"), names)
        return cast(Context, told)


class Told:
    """What a coroutine app has of the minion: its context, a stream, and so on.  Calls are told."""

    def __init__(
        self, inner: object, name: str, say: Callable[[str], None], names: Counter[str]
    ) -> None:
        """names: how many of each kind the app has had."""
        self._inner = inner
        self._name = name
        self._say = say
        self._names = names

    def __repr__(self) -> str:
        return self._name

    def __getattr__(self, name: str) -> object:
        member = getattr(self._inner, name)
        return self._traced(name, member) if ismethod(member) else member

    def _traced(self, name: str, method: Callable[..., object]) -> Callable[..., object]:
        def traced(*args: object, **named: object) -> object:
            shown = [text_of(arg) for arg in args]
            shown += [f"{key}={text_of(arg)}" for key, arg in named.items()]
            call = f"{self._name}.{name}({', '.join(shown)})"
            try:
                result = method(*args, **named)
            except BaseException as error:
                self._say(f"{call} = {failure(error)}")
                raise
            return self._later(call, result) if iscoroutine(result) else self._done(call, result)

        return traced

    async def _later(self, call: str, coroutine: Coroutine[Any, Any, object]) -> object:
        try:
            result = await coroutine
        except BaseException as error:
            self._say(f"{call} = {failure(error)}")
            raise
        return self._done(call, result)

    def _done(self, call: str, result: object) -> object:
        if isinstance(result, Stream | Listener | Datagrams):
            kind = type(result).__name__.lower()
            self._names[kind] += 1
            result = Told(result, f"{kind}{self._names[kind]}", self._say, self._names)
        self._say(call if result is None else f"{call} = {text_of(result)}")
        return result


def failure(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return f"-1 {errorcode.get(error.errno, error.errno)}"
    return "?" if isinstance(error, Killed | GeneratorExit) else repr(error)


def text_of(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return f"{quoted(bytes(value))} ({len(value)} bytes)"
    if isinstance(value, str):
        return quoted(value.encode("utf-8", "backslashreplace"))
    if isinstance(value, tuple):
        return f"({', '.join(text_of(item) for item in value)})"
    if iscoroutine(value):
        return f"{value.__qualname__}()"
    text = repr(value)
    return text if len(text) <= REPR_MAX else f"{text[:REPR_MAX]}..."
