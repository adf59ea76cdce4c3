"""SYSTEM and MISC-MEM: environment calls, trap returns, wfi, fences (privileged architecture)."""

from __future__ import annotations

from minion.hart import privilege
from minion.hart.fields import TSR, TW, Cause, M, S, U
from minion.hart.isa import Semantics, table
from minion.hart.state import Hart
from minion.hart.trap import Trap


def system(_xlen: int) -> dict[str, Semantics]:
    def ecall(h: Hart) -> None:
        raise Trap(Cause.ECALL_U + h.priv, 0)

    def ebreak(_h: Hart) -> None:
        raise Trap(Cause.BREAKPOINT, 0)

    def mret(h: Hart) -> int:
        if h.priv < M:
            raise Trap(Cause.ILLEGAL, 0)
        return privilege.mret(h)

    def sret(h: Hart) -> int:
        if h.priv < S or (h.priv == S and h.mstatus & TSR):
            raise Trap(Cause.ILLEGAL, 0)
        return privilege.sret(h)

    def wfi(h: Hart) -> None:
        if h.priv < M and (h.mstatus & TW or (h.priv == U and h.isa.has("s"))):
            raise Trap(Cause.ILLEGAL, 0)
        h.waiting = True

    def fence_i(h: Hart) -> None:
        h.mmu.code_changed()

    def sfence_vma(h: Hart, rs1: int, rs2: int) -> None:
        h.mmu.sfence(rs1, h.x[rs1], rs2, h.x[rs2])

    return table(ecall, ebreak, mret, sret, wfi, fence_i, sfence_vma)
