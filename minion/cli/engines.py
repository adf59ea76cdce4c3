"""The engines that execute machine code, by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol

from minion.cli.options import UsageError

if TYPE_CHECKING:
    from minion.hart.state import Hart, Stop

ENGINES: Final = {
    "interpreter": "minion.hart.interpreter:Interpreter",
    "translator": "minion.hart.translate.translator:Translator",
}
"""Every engine, by where it is; one that is not there is refused."""


class Engine(Protocol):
    """minion.hart.interpreter.Interpreter, or its like."""

    def run(self, limit: int) -> Stop: ...


def engine(name: str) -> Callable[[Hart], Engine]:
    """The engine of that name; "": the fastest there is.  UsageError if this version lacks it."""
    module, _, factory = ENGINES[name or "translator"].partition(":")
    try:
        there = find_spec(module) is not None
    except ModuleNotFoundError:  # nor its package
        there = False
    if not there and not name:
        return engine("interpreter")
    if not there:
        raise UsageError(f"--engine {name}: not in this version; use --engine interpreter")
    made: Callable[[Hart], Engine] = getattr(import_module(module), factory)
    return made
