"""Changes of privilege: entry into traps, return from them, interrupts (chapters 3 and 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minion.hart import csr
from minion.hart.fields import (
    MIE,
    MPIE,
    MPP,
    MPP_SHIFT,
    MPRV,
    PRIORITY,
    SIE,
    SPIE,
    SPP,
    M,
    S,
    U,
)
from minion.hart.trap import Trap

if TYPE_CHECKING:
    from minion.hart.state import Hart


def enter(h: Hart, trap: Trap) -> bool:
    """Take a trap at h.pc (3.1.6, 3.1.8).  False if it is the monitor's: nothing has changed."""
    h.trap = trap
    top = 1 << h.isa.xlen - 1
    interrupt = trap.cause & top != 0
    code = trap.cause & ~top
    value = h.csr.value
    if h.priv <= S and value[csr.MIDELEG if interrupt else csr.MEDELEG] >> code & 1:
        value[csr.SCAUSE], value[csr.SEPC], value[csr.STVAL] = trap.cause, h.pc, trap.tval
        status = h.mstatus & ~(SIE | SPIE | SPP)
        h.mstatus = status | (SPIE if h.mstatus & SIE else 0) | (SPP if h.priv == S else 0)
        h.priv, tvec = S, value[csr.STVEC]
    elif h.monitor:
        return False
    else:
        value[csr.MCAUSE], value[csr.MEPC], value[csr.MTVAL] = trap.cause, h.pc, trap.tval
        status = h.mstatus & ~(MIE | MPIE | MPP)
        h.mstatus = status | (MPIE if h.mstatus & MIE else 0) | h.priv << MPP_SHIFT
        h.priv, tvec = M, value[csr.MTVEC]
    h.reservation = None
    h.pc = (tvec & ~3) + (code << 2 if interrupt and tvec & 1 else 0) & h.isa.mask
    h.context_changed()
    return True


def mret(h: Hart) -> int:
    h.reservation = None
    status = h.mstatus
    h.priv = (status & MPP) >> MPP_SHIFT
    lowest = U if h.isa.has("u") else M
    kept = status & ~(MIE | MPIE | MPP | (0 if h.priv == M else MPRV))
    h.mstatus = kept | (MIE if status & MPIE else 0) | MPIE | lowest << MPP_SHIFT
    h.context_changed()
    return h.csr.value[csr.MEPC]


def sret(h: Hart) -> int:
    h.reservation = None
    status = h.mstatus
    h.priv = S if status & SPP else U
    h.mstatus = status & ~(SIE | SPIE | SPP | MPRV) | (SIE if status & SPIE else 0) | SPIE
    h.context_changed()
    return h.csr.value[csr.SEPC]


def enabled(h: Hart) -> int:
    """The bits of mip that interrupt the hart in its present state (3.1.9)."""
    mie, mideleg = h.csr.value[csr.MIE], h.csr.value[csr.MIDELEG]
    bits = 0
    if h.priv < M or h.mstatus & MIE:
        bits = mie & ~mideleg
    if h.priv < S or (h.priv == S and h.mstatus & SIE):
        bits |= mie & mideleg
    return bits


def interrupt(h: Hart) -> Trap | None:
    """The interrupt that is to be taken now: those for M mode first, then by priority."""
    pending = (h.lines.mip | h.csr.soft_mip) & h.enabled
    if not pending:
        return None
    pending = pending & ~h.csr.value[csr.MIDELEG] or pending
    for code in PRIORITY:
        if pending >> code & 1:
            return Trap(1 << h.isa.xlen - 1 | code, 0)
    return None
