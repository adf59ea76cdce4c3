/* PMP: matching, locks, MPRV. */
#include "selftest.h"
.macro config entry, value
    li t6, 0xff << (8 * (\entry % REG_BYTES))
IF64(csrc pmpcfg0, t6)
IF32(csrc pmpcfg0, t6)
    li t6, (\value) << (8 * (\entry % REG_BYTES))
IF64(csrs pmpcfg0, t6)
IF32(csrs pmpcfg0, t6)
    sfence.vma
.endm
#define R 1
#define W 2
#define X 4
#define TOR 8
#define NA4 16
#define NAPOT 24
#define L 128
begin
    lla s0, data + 4096
    li a0, 0x1234
    sw a0, 0(s0)
    open_pmp
    /* no access for S to four bytes */
    srli a0, s0, 2
    csrw pmpaddr0, a0
    config 0, NA4
    lw a1, 0(s0)                        /* M may */
    check a1, 0x1234
    enter 1
    li s8, -1
    lw a1, 0(s0)
    check s8, 5
    sub s9, s9, s0
    check s9, 0
    li s8, -1
    sw a1, 0(s0)
    check s8, 7
    trapless lw a1, 4(s0)
    trapless lb a1, -1(s0)
    li s8, -1
    lh a1, 2(s0)
    check s8, 5
IF64(li s8, -1)
IF64(ld a1, 0(s0))                      /* only in part: not at all */
IF64(check s8, 5)
    back
    /* read-only, then as U by MPRV */
    config 0, NA4 | R
    enter 0
    trapless lw a1, 0(s0)
    check a1, 0x1234
    li s8, -1
    sw a1, 0(s0)
    check s8, 7
    back
    li a0, 1 << 17 | MSTATUS_MPP
    csrc mstatus, a0
    li a0, 1 << 17                      /* MPRV, MPP U */
    csrs mstatus, a0
    lw a1, 0(s0)
    check a1, 0x1234
    li s8, -1
    sw a1, 0(s0)
    check s8, 7
    li a0, 1 << 17
    csrc mstatus, a0
    sw a1, 0(s0)
    /* TOR: from the entry below, to before this one */
    srli a0, s0, 2
    csrw pmpaddr0, a0
    addi a0, a0, 4
    csrw pmpaddr1, a0
    config 0, 0
    config 1, TOR | W | R
    srli a0, s0, 12
    slli a0, a0, 10
    ori a0, a0, 0x1ff                   /* the page */
    csrw pmpaddr2, a0
    config 2, NAPOT
    enter 1
    trapless lw a1, 0(s0)
    trapless sw a1, 12(s0)
    li s8, -1
    lw a1, 16(s0)
    check s8, 5
    li s8, -1
    lw a1, 2000(s0)
    check s8, 5
    trapless lw a1, -4(s0)
    back
    /* no X: a fetch fault, at where it was fetched */
    li a0, 0x8082                       /* c.jr ra */
    sh a0, 64(s0)
    fence.i
    config 1, 0
    config 2, NAPOT | X
    enter 1
    li s8, -1
    addi s1, s0, 64
    jalr s1
    check s8, -1
    back
    config 2, NAPOT | R | W
    enter 1
    jalr s1
    check s8, 1
    sub s10, s10, s1
    check s10, 0
    back
    jalr s1                             /* M may */
    config 2, 0
    /* a lock: M is bound too, and nothing can be written any more */
    config 0, 0
    srli a0, s0, 2
    csrw pmpaddr0, a0
    config 0, L | NA4 | R
    trapless lw a1, 0(s0)
    li s8, -1
    sw a1, 0(s0)
    check s8, 7
    csrw pmpaddr0, x0
    csrr a1, pmpaddr0
    sub a1, a1, a0
    check a1, 0
    config 0, 0
    csrr a1, pmpcfg0
    andi a1, a1, 0xff
    check a1, L | NA4 | R
    /* a locked TOR entry holds the address below it */
    lla s1, data
    srli a0, s1, 2
    csrw pmpaddr3, a0
    addi a0, a0, 1
#if __riscv_xlen == 64
    csrw pmpaddr4, a0
    config 4, L | TOR
    csrw pmpaddr3, x0
    csrr a1, pmpaddr3
    addi a0, a0, -1
    sub a1, a1, a0
    check a1, 0
    li s8, -1
    lbu a1, 3(s1)
    check s8, 5
    trapless lbu a1, 4(s1)
    traps 2, 0x3a102573, .word 0x3a102573   /* odd numbers are RV32's */
#endif
    traps 2, 0x3c002573, .word 0x3c002573
finish
