"""The registers, by group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minion.hart.csrs import machine

if TYPE_CHECKING:
    from minion.hart.csr import CsrFile
    from minion.hart.state import Hart


def install(file: CsrFile, h: Hart) -> None:
    machine.install(file, h)
