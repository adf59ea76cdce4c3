"""The registers, by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minion.hart.csrs import counters, fp, machine, supervisor

if TYPE_CHECKING:
    from minion.hart.csr import CsrFile
    from minion.hart.state import Hart


def install(file: CsrFile, h: Hart) -> None:
    machine.install(file, h)
    counters.install(file, h)
    if h.isa.has("s"):
        supervisor.install(file, h)
    if h.isa.has("f"):
        fp.install(file, h)
