"""The engines that execute machine code, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol

from minion.cli.options import UsageError

if TYPE_CHECKING:
    from minion.hart.state import Hart, Stop

ENGINES: Final = {
    "interpreter": "minion.hart.interpreter:Interpreter",
    "translator": "minion.hart.translate.translator:Translator",
    "native": "minion.hart.native.engine:Native",
}
"""Every engine, the slowest first, by where it is; one that is not there is refused."""


class Engine(Protocol):
    """minion.hart.interpreter.Interpreter, or its like."""

    def run(self, limit: int) -> Stop: ...


def engine(name: str) -> Callable[[Hart], Engine]:
    """The engine of that name; "": the fastest there is.  UsageError if this version lacks it."""
    for choice in [name] if name in ENGINES else [] if name else reversed(ENGINES):
        module, _, factory = ENGINES[choice].partition(":")
        try:
            made: Callable[[Hart], Engine] = getattr(import_module(module), factory)
        except ImportError:  # native is not built everywhere
            continue
        return made
    raise UsageError(f"--engine {name}: not built here; without --engine, the fastest there is")
