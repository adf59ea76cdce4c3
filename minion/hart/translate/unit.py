"""A region's source, compiled, and bound to the window of a mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from minion.hart.interpreter import Block
from minion.hart.translate.access import INDICES, MISSES
from minion.hart.translate.code import Code, Place
from minion.hart.translate.function import Function
from minion.hart.translate.region import Region
from minion.hart.translate.window import SIZES, Call, Window

LEAVE: Final = 1 << 29
"""Taken off the budget to have a block left."""
WINDOW: Final = tuple([f"{table}{size}" for table in "RW" for size in SIZES])
ENGINE: Final = ("h", "load", "store", "after", "recover")
FIXED: Final[dict[str, object]] = {
    "misses": MISSES,
    **{f"T{size}": indices for size, indices in INDICES.items()},
}


class Leave(Exception):
    """The instruction in which it is raised is done; the code after it is not what it was."""


class Unit(NamedTuple):
    """Code that is not yet bound to a window."""

    make: Callable[..., Call]
    objects: tuple[object, ...]
    blocks: tuple[Block, ...]
    """What it was made of: it holds as long as they do."""

    def bind(self, window: Window, engine: tuple[object, ...]) -> Call:
        """engine: the objects that ENGINE names."""
        views = [*window.r.values(), *window.w.values()]
        return self.make(*engine, *views, *self.objects)


class Writer:
    def __init__(self, xlen: int, costs: tuple[int, ...], taken: int) -> None:
        """The costs of instructions by kind, and of a taken branch."""
        self._xlen = xlen
        self._costs = costs
        self._taken = taken
        self._costly = taken != 0 or set(costs) != {1}

    def source(self, region: Region) -> tuple[str, list[Place], dict[str, object]]:
        """The function's, the place of each of its lines, the objects that it names.

        Raises Opaque.
        """
        objects = dict(FIXED)

        def bind(value: object) -> str:
            for name, held in objects.items():
                if held is value:
                    return name
            name = f"o{len(objects)}_"
            objects[name] = value
            return name

        code = Code(self._xlen, self._costs, bind)
        function = Function(region, code, self._taken, self._costly)
        lines = function.write()
        text = [f"def make({', '.join([*ENGINE, *WINDOW, *objects, 'places'])}):"]
        text += [" def unit(left):", "  X, F = h.x, h.f"]
        for register in sorted(function.loaded):
            text.append(f"  {register} = {register[0].upper()}[{register[1:]}]")
        if self._costly:
            text.append("  more = 0")
        text.append("  try:")
        places = [Place(region.entry, region.entry, 0, 0, 0, 0)] * (len(text) + 1)
        for line in lines:
            text.append(" " * (line.depth + 3) + line.text)
            places.append(line.place)
        text += ["  except BaseException as error:", "   return recover(error, places, locals())"]
        return "\n".join([*text, " return unit", ""]), places, objects

    def compiled(self, region: Region, blocks: tuple[Block, ...]) -> Unit:
        """Raises Opaque."""
        source, places, objects = self.source(region)
        namespace: dict[str, Callable[..., Call]] = {}
        exec(compile(source, f"<code at {region.entry:#x}>", "exec"), {}, namespace)
        return Unit(namespace["make"], (*objects.values(), places), blocks)
