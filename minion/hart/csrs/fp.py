"""fflags, frm, fcsr (unprivileged architecture, 20.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minion.hart.fields import FS

if TYPE_CHECKING:
    from minion.hart.csr import CsrFile
    from minion.hart.state import Hart


def install(file: CsrFile, h: Hart) -> None:
    def write_fflags(value: int) -> None:
        h.fflags = value & 31
        h.mstatus |= FS

    def write_frm(value: int) -> None:
        h.frm = value & 7
        h.mstatus |= FS

    def write_fcsr(value: int) -> None:
        h.fflags, h.frm = value & 31, value >> 5 & 7
        h.mstatus |= FS

    file.special("fflags", 0x001, lambda: h.fflags, write_fflags)
    file.special("frm", 0x002, lambda: h.frm, write_frm)
    file.special("fcsr", 0x003, lambda: h.frm << 5 | h.fflags, write_fcsr)
