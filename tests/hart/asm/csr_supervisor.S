/* S-mode CSRs: windows on M's, and their own. */
#include "selftest.h"
.macro holds csr, value, want
    li a0, \value
    csrw \csr, a0
    csrr a1, \csr
    check a1, \want
.endm
begin
    open_pmp
    enter 1
    holds sscratch, -1, -1
    holds sscratch, 5, 5
    holds sepc, 0x1234, 0x1234
    holds scause, TOP | 5, TOP | 5
    holds stval, -1, -1
    holds stvec, 0x100, 0x100
    holds stvec, 0x105, 0x105
    holds stvec, 0x106, 0x105           /* a mode that is none */
    holds scounteren, 7, 7
    holds sie, -1, 0                    /* nothing is delegated */
    holds sip, -1, 0
    traps 2, 0x30002573, csrr a0, mstatus
    traps 2, 0x30401073, csrw mie, x0
    traps 2, 0x30200073, mret
    back
    li a0, 0x202
    csrw mideleg, a0
    enter 1
    holds sie, -1, 0x202
    holds sip, -1, 2                    /* of these, only SSIP is S's to write */
    holds sip, 0, 0
    back
    csrr a0, mie
    check a0, 0x202
    csrw mie, x0
    csrw mideleg, x0

    /* sstatus is part of mstatus */
    csrw mstatus, x0
    li a0, 0x7fffffff                   /* not UXL: QEMU would believe in 128 bits */
    csrw sstatus, a0
    csrr a1, mstatus
    li a2, 0x7e19aa
    and a1, a1, a2
    check a1, 0xc0122                   /* SIE SPIE SPP SUM MXR */
    li a0, 0x1000
    csrs mstatus, a0
    csrr a1, sstatus
    and a1, a1, a2
    check a1, 0xc0122
    csrw mstatus, x0

    /* satp */
    holds satp, 0, 0
#if __riscv_xlen == 64
    li a0, 0x8000000000080000
    csrw satp, a0
    li a0, 0x7000000000012345           /* a mode that is none: ignored whole */
    csrw satp, a0
    csrr a1, satp
    check a1, 0x8000000000080000
#endif
    csrw satp, x0

    /* TVM, TSR, TW, and U's rights */
    li a0, 1 << 20
    csrw mstatus, a0
    enter 1
    traps 2, 0x18002573, csrr a0, satp
    traps 2, 0x18001073, csrw satp, x0
    traps 2, 0x12000073, sfence.vma
    back
    csrr a0, satp                       /* not for M */
    li a0, 1 << 22
    csrw mstatus, a0
    enter 1
    traps 2, 0x10200073, sret
    back
    li a0, 1 << 21
    csrw mstatus, a0
    enter 1
    traps 2, 0x10500073, wfi
    back
    csrw mstatus, x0
    enter 0
    traps 2, 0x10500073, wfi
    traps 2, 0x10200073, sret
    traps 2, 0x12000073, sfence.vma
    traps 2, 0x14002573, csrr a0, sscratch
    traps 8, 0, ecall
    back
    enter 1
    trapless sfence.vma
    trapless sfence.vma a0, a1
    trapless fence.i
    traps 9, 0, ecall
    /* sret: to where SPP says */
    li a0, 0x122
    csrc sstatus, a0
    li a0, 0x20
    csrs sstatus, a0
    lla t0, 1f
    csrw sepc, t0
    sret
    j fail
1:  traps 8, 0, ecall                   /* in U */
    back
    csrr a0, sstatus
    li a1, 0x122
    and a0, a0, a1
    check a0, 0x22                      /* SPIE into SIE */
finish
