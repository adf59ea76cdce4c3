"""Zicsr: reading and writing CSRs (unprivileged architecture, chapter 6).

rd is 32 where the result is not wanted: csrrw then does not read.  csrrs and csrrc with x0 do not
write.  CsrFile.exchange raises before it changes anything.
"""

from __future__ import annotations

from minion.hart.isa import Semantics, table
from minion.hart.state import Hart


def zicsr(xlen: int) -> dict[str, Semantics]:
    mask = (1 << xlen) - 1

    def csrrw(h: Hart, rd: int, csr: int, rs1: int) -> None:
        h.x[rd] = h.csr.exchange(csr, mask, h.x[rs1], True)

    def csrrs(h: Hart, rd: int, csr: int, rs1: int) -> None:
        h.x[rd] = h.csr.exchange(csr, 0, h.x[rs1], rs1 != 0)

    def csrrc(h: Hart, rd: int, csr: int, rs1: int) -> None:
        h.x[rd] = h.csr.exchange(csr, h.x[rs1], 0, rs1 != 0)

    def csrrwi(h: Hart, rd: int, csr: int, uimm: int) -> None:
        h.x[rd] = h.csr.exchange(csr, mask, uimm, True)

    def csrrsi(h: Hart, rd: int, csr: int, uimm: int) -> None:
        h.x[rd] = h.csr.exchange(csr, 0, uimm, uimm != 0)

    def csrrci(h: Hart, rd: int, csr: int, uimm: int) -> None:
        h.x[rd] = h.csr.exchange(csr, uimm, 0, uimm != 0)

    return table(csrrw, csrrs, csrrc, csrrwi, csrrsi, csrrci)
