"""A: LR/SC and atomic memory operations (unprivileged architecture, chapter 13).

One hart: what is atomic is that nothing comes between amo_load and store.  aq and rl order nothing
that is not in order already.
"""

from __future__ import annotations

from minion.hart.isa import Semantics, table
from minion.hart.state import Hart

W = 0xFFFF_FFFF
SIGN_W = 0x8000_0000
SIGN_D = 1 << 63


def atomic(xlen: int) -> dict[str, Semantics]:
    return words(xlen) | doubles() if xlen == 64 else words(xlen)


def words(xlen: int) -> dict[str, Semantics]:
    mask = (1 << xlen) - 1

    def lr_w(h: Hart, rd: int, rs1: int) -> None:
        h.x[rd] = (h.mmu.load_reserved(h.x[rs1], 4) ^ SIGN_W) - SIGN_W & mask

    def sc_w(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        h.x[rd] = h.mmu.store_conditional(h.x[rs1], 4, h.x[rs2] & W)

    def amoswap_w(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 4)
        h.store(h.x[rs1], 4, h.x[rs2] & W)
        h.x[rd] = (old ^ SIGN_W) - SIGN_W & mask

    def amoadd_w(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 4)
        h.store(h.x[rs1], 4, old + h.x[rs2] & W)
        h.x[rd] = (old ^ SIGN_W) - SIGN_W & mask

    def amoxor_w(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 4)
        h.store(h.x[rs1], 4, (old ^ h.x[rs2]) & W)
        h.x[rd] = (old ^ SIGN_W) - SIGN_W & mask

    def amoand_w(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 4)
        h.store(h.x[rs1], 4, old & h.x[rs2])
        h.x[rd] = (old ^ SIGN_W) - SIGN_W & mask

    def amoor_w(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 4)
        h.store(h.x[rs1], 4, old | h.x[rs2] & W)
        h.x[rd] = (old ^ SIGN_W) - SIGN_W & mask

    def amomin_w(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 4)
        new = h.x[rs2] & W
        h.store(h.x[rs1], 4, old if old ^ SIGN_W < new ^ SIGN_W else new)
        h.x[rd] = (old ^ SIGN_W) - SIGN_W & mask

    def amomax_w(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 4)
        new = h.x[rs2] & W
        h.store(h.x[rs1], 4, old if old ^ SIGN_W > new ^ SIGN_W else new)
        h.x[rd] = (old ^ SIGN_W) - SIGN_W & mask

    def amominu_w(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 4)
        new = h.x[rs2] & W
        h.store(h.x[rs1], 4, old if old < new else new)
        h.x[rd] = (old ^ SIGN_W) - SIGN_W & mask

    def amomaxu_w(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 4)
        new = h.x[rs2] & W
        h.store(h.x[rs1], 4, old if old > new else new)
        h.x[rd] = (old ^ SIGN_W) - SIGN_W & mask

    return table(
        lr_w, sc_w, amoswap_w, amoadd_w, amoxor_w, amoand_w, amoor_w,
        amomin_w, amomax_w, amominu_w, amomaxu_w,
    )  # fmt: skip


def doubles() -> dict[str, Semantics]:
    mask = (1 << 64) - 1

    def lr_d(h: Hart, rd: int, rs1: int) -> None:
        h.x[rd] = h.mmu.load_reserved(h.x[rs1], 8)

    def sc_d(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        h.x[rd] = h.mmu.store_conditional(h.x[rs1], 8, h.x[rs2])

    def amoswap_d(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 8)
        h.store(h.x[rs1], 8, h.x[rs2])
        h.x[rd] = old

    def amoadd_d(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 8)
        h.store(h.x[rs1], 8, old + h.x[rs2] & mask)
        h.x[rd] = old

    def amoxor_d(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 8)
        h.store(h.x[rs1], 8, old ^ h.x[rs2])
        h.x[rd] = old

    def amoand_d(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 8)
        h.store(h.x[rs1], 8, old & h.x[rs2])
        h.x[rd] = old

    def amoor_d(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 8)
        h.store(h.x[rs1], 8, old | h.x[rs2])
        h.x[rd] = old

    def amomin_d(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 8)
        new = h.x[rs2]
        h.store(h.x[rs1], 8, old if old ^ SIGN_D < new ^ SIGN_D else new)
        h.x[rd] = old

    def amomax_d(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 8)
        new = h.x[rs2]
        h.store(h.x[rs1], 8, old if old ^ SIGN_D > new ^ SIGN_D else new)
        h.x[rd] = old

    def amominu_d(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 8)
        new = h.x[rs2]
        h.store(h.x[rs1], 8, old if old < new else new)
        h.x[rd] = old

    def amomaxu_d(h: Hart, rd: int, rs2: int, rs1: int) -> None:
        old = h.mmu.amo_load(h.x[rs1], 8)
        new = h.x[rs2]
        h.store(h.x[rs1], 8, old if old > new else new)
        h.x[rd] = old

    return table(
        lr_d, sc_d, amoswap_d, amoadd_d, amoxor_d, amoand_d, amoor_d,
        amomin_d, amomax_d, amominu_d, amomaxu_d,
    )  # fmt: skip
