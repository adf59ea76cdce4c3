"""A region's source, compiled, and bound to the window of a mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from minion.hart.interpreter import Block
from minion.hart.translate.access import TABLES, Habits, Site, finished
from minion.hart.translate.code import Code, Place
from minion.hart.translate.function import Function
from minion.hart.translate.region import Region
from minion.hart.translate.window import KINDS, Call, Window

LEAVE: Final = 1 << 29
"""Taken off the budget to have a block left."""
ENGINE: Final = ("h", "load", "store", "after", "recover", "short")
VIEWS: Final = tuple([kind.upper() for kind in KINDS])


class Leave(Exception):
    """The instruction in which it is raised is done; the code after it is not what it was."""


class Unit(NamedTuple):
    """Code that is not yet bound to a window."""

    make: Callable[..., Call]
    objects: tuple[object, ...]
    blocks: tuple[Block, ...]
    """What it was made of: it holds as long as they do."""
    instructions: int
    sites: tuple[Site, ...]

    def bind(self, window: Window, engine: tuple[object, ...]) -> Call:
        """engine: the objects that ENGINE names."""
        return self.make(*engine, *window.views.values(), *self.objects)


class Source(NamedTuple):
    text: str
    places: list[Place]
    """By line."""
    objects: tuple[object, ...]
    """What it names."""
    sites: tuple[Site, ...]


class Writer:
    def __init__(self, xlen: int, costs: tuple[int, ...], taken: int) -> None:
        """The costs of instructions by kind, and of a taken branch."""
        self._xlen = xlen
        self._costs = costs
        self._taken = taken
        self._costly = taken != 0 or set(costs) != {1}

    def source(self, region: Region, habits: Habits) -> Source:
        """Raises Opaque."""
        objects = dict(TABLES)

        def bind(value: object) -> str:
            for name, held in objects.items():
                if held is value:
                    return name
            name = f"o{len(objects)}_"
            objects[name] = value
            return name

        code = Code(self._xlen, self._costs, bind, habits)
        function = Function(region, code, self._taken, self._costly)
        lines = function.write()
        text = [f"def make({', '.join([*ENGINE, *VIEWS, *objects, 'places'])}):"]
        lasting = [name for group in code.groups for name in group.lasting()]
        text += [f" {name} = {'nowhere' if name[0] == 'P' else 'empty'}" for name in lasting]
        text.append(" def unit(left):")
        if lasting:
            text.append(f"  nonlocal {', '.join(lasting)}")
        text += [
            f"  if left <= {region.instructions}:",
            "   return short(left)",
            "  X, F = h.x, h.f",
        ]
        for register in sorted(function.loaded):
            text.append(f"  {register} = {register[0].upper()}[{register[1:]}]")
        if self._costly:
            text.append("  more = 0")
        text.append("  try:")
        places = [Place(region.pc, region.pc, 0, 0, 0, 0)] * (len(text) + 1)

        text += [" " * (depth + 3) + source for depth, source, _ in lines]
        places += [place for _, _, place in lines]
        text += ["  except BaseException as error:", "   return recover(error, places, locals())"]
        source = finished("\n".join([*text, " return unit", ""]), code.groups)
        return Source(source, places, tuple(objects.values()), tuple(code.sites))

    def compiled(self, region: Region, blocks: tuple[Block, ...], habits: Habits) -> Unit:
        """Raises Opaque."""
        source = self.source(region, habits)
        namespace: dict[str, Callable[..., Call]] = {}
        exec(compile(source.text, f"<code at {region.pc:#x}>", "exec"), {}, namespace)
        objects = (*source.objects, source.places)
        return Unit(namespace["make"], objects, blocks, region.instructions, source.sites)
