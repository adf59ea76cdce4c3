"""Numbers of the privileged architecture: privilege levels, causes, fields of CSRs."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

U: Final = 0
S: Final = 1
M: Final = 3


class Cause(IntEnum):
    """mcause of exceptions (privileged architecture, table 3.6)."""

    FETCH_MISALIGNED = 0
    FETCH_ACCESS = 1
    ILLEGAL = 2
    BREAKPOINT = 3
    LOAD_MISALIGNED = 4
    LOAD_ACCESS = 5
    STORE_MISALIGNED = 6
    STORE_ACCESS = 7
    ECALL_U = 8
    ECALL_S = 9
    ECALL_M = 11
    FETCH_PAGE = 12
    LOAD_PAGE = 13
    STORE_PAGE = 15


class Access(IntEnum):
    LOAD = 0
    STORE = 1
    FETCH = 2


ACCESS_FAULT: Final = (Cause.LOAD_ACCESS, Cause.STORE_ACCESS, Cause.FETCH_ACCESS)
PAGE_FAULT: Final = (Cause.LOAD_PAGE, Cause.STORE_PAGE, Cause.FETCH_PAGE)

# mstatus (3.1.6)
SIE: Final = 1 << 1
MIE: Final = 1 << 3
SPIE: Final = 1 << 5
MPIE: Final = 1 << 7
SPP: Final = 1 << 8
MPP_SHIFT: Final = 11
MPP: Final = 3 << MPP_SHIFT
FS: Final = 3 << 13
"""Both bits set: dirty.  Whatever writes an f register, frm or fflags does `h.mstatus |= FS`."""
MPRV: Final = 1 << 17
SUM: Final = 1 << 18
MXR: Final = 1 << 19
TVM: Final = 1 << 20
TW: Final = 1 << 21
TSR: Final = 1 << 22
UXL_SHIFT: Final = 32
SXL_SHIFT: Final = 34

# mip and mie (3.1.9); also the causes of interrupts
SSI: Final = 1 << 1
MSI: Final = 1 << 3
STI: Final = 1 << 5
MTI: Final = 1 << 7
SEI: Final = 1 << 9
MEI: Final = 1 << 11
PRIORITY: Final = (11, 3, 7, 9, 1, 5)
"""Which of several pending interrupts is taken: the first of these."""
