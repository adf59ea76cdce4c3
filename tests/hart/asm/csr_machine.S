/* M-mode CSRs: what can be written, what reads back, what is not there. */
#include "selftest.h"
.macro holds csr, value, want        /* written and read back */
    li a0, \value
    csrw \csr, a0
    csrr a1, \csr
    check a1, \want
.endm
.macro free csr
    holds \csr, -1, -1
    holds \csr, 0, 0
    holds \csr, 0x12345678, 0x12345678
.endm
begin
    free mscratch
    holds mepc, 0x12345678, 0x12345678
    holds mepc, -2, -2
    holds mcause, 0, 0
    holds mcause, TOP | 7, TOP | 7
    holds mtval, 0x123, 0x123

    li a0, 0xf0                     /* the six instructions */
    csrrw a1, mscratch, a0
    li a0, 0x3c
    csrrs a1, mscratch, a0
    check a1, 0xf0
    csrrc a1, mscratch, a0
    check a1, 0xfc
    csrrwi a1, mscratch, 21
    check a1, 0xc0
    csrrsi a1, mscratch, 10
    check a1, 21
    csrrci a1, mscratch, 17
    check a1, 31
    csrr a1, mscratch
    check a1, 14
    csrrs a1, mscratch, x0
    csrrci a1, mscratch, 0
    check a1, 14
    li a0, 3
    csrrw a0, mscratch, a0          /* source and destination the same */
    check a0, 14
    csrr a1, mscratch
    check a1, 3

    csrr a0, mtvec
    lla a1, on_trap
    csrw mtvec, a1
    csrr a2, mtvec
    sub a2, a2, a1
    check a2, 0
    holds medeleg, -1 & 0xb3ff, 0xb3ff
    holds medeleg, 0, 0
    holds mideleg, 0x222, 0x222
    holds mideleg, 0, 0
    holds mie, 0xaaa, 0xaaa
    holds mie, 0, 0
    holds mcounteren, 7, 7
    holds mcounteren, 0, 0

    csrr a0, mhartid
    check a0, 0
    csrr a0, mconfigptr
    check a0, 0
    csrr a0, misa
    srli a1, a0, __riscv_xlen - 2
    check a1, __riscv_xlen / 32
    li a2, 0x141105                 /* A C I M S U */
    and a1, a0, a2
    check a1, 0x141105
    csrw misa, x0
    csrr a1, misa
    sub a1, a1, a0
    check a1, 0
    traps 2, 0xf1401073, csrw mhartid, x0
    li s0, 1
    traps 2, 0xf1442573, csrrs a0, mhartid, s0
    trapless csrrs a0, mhartid, x0
    traps 2, 0x3fff2573, .word 0x3fff2573
    traps 2, 0x7b002573, .word 0x7b002573
    traps 2, 0x00004073, .word 0x00004073

    /* mstatus: the fields, and what entering a trap does to them */
    li a0, -1
    csrw mstatus, x0
    li a1, 0x7e19aa                 /* all but FS; MPP M */
    csrw mstatus, a1
    csrr a2, mstatus
    li a3, 0x7e79aa
    and a2, a2, a3
    check a2, 0x7e19aa
IF64(csrr a2, mstatus)
IF64(srli a2, a2, 32)
IF64(check a2, 0xa)
    csrw mstatus, x0
    li a1, 0x888                    /* MIE, MPIE, MPP U: a trap in M */
    csrw mstatus, a1
    li s8, -1
    lla t0, 1f
    csrr s0, mtvec
    csrw mtvec, t0
    ebreak
    .balign 4
1:  csrr a1, mstatus
    csrw mtvec, s0
    li a2, 0x1888
    and a1, a1, a2
    check a1, 0x1880                /* MIE into MPIE, MPP M */
    li a1, 0x1880
    csrw mstatus, a1
    lla t0, 2f
    csrw mepc, t0
    mret
    j fail
2:  csrr a1, mstatus
    li a2, 0x1888
    and a1, a1, a2
    check a1, 0x88                  /* MPIE into MIE, MPIE set, MPP U */
    csrw mstatus, x0
finish
