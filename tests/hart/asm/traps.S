/* Traps: delegation, what they leave behind, vectored interrupts, priorities. */
#include "selftest.h"
#define CLINT 0x2000000
    .option norvc                       /* handlers step over four bytes */
begin
    open_pmp
    li t0, CLINT + 0x4000               /* QEMU: mtimecmp is 0, its interrupt pending */
    li t1, -1
    sw t1, 0(t0)
    sw t1, 4(t0)
    traps 11, 0, ecall
    traps 3, 0, ebreak
    traps 2, 0xffffffff, .word 0xffffffff
    traps 2, 0x0000100b, .word 0x0000100b

    /* an exception of U, delegated */
    li a0, 1 << 3 | 1 << 2
    csrw medeleg, a0
    lla a0, in_s
    csrw stvec, a0
    enter 0
    li s11, 0
    ebreak
    check s11, 3
    .word 0xffffffff
    check s11, 2
    csrr a0, sscratch                   /* illegal in U: delegated as well */
    check s11, 2
    traps 8, 0, ecall                   /* not delegated */
    back
    csrw medeleg, x0
    j after
    .balign 4
in_s:
    csrr s11, scause
    csrr t6, sepc
    addi t6, t6, 4
    csrw sepc, t6
    csrr t6, sstatus
    andi t6, t6, 0x100
    bnez t6, 1f                         /* from U */
    sret
1:  j fail
after:
    /* a trap of M is never delegated */
    li a0, 1 << 3
    csrw medeleg, a0
    traps 3, 0, ebreak
    csrw medeleg, x0

    /* a jump to nowhere: mepc is where, and so is mtval */
    li a0, 0x10
    li s8, -1
    jalr a0
    check s8, 1
    check s9, 0x10
    check s10, 0x10

    /* software interrupts: pending is not enough, mie and MIE are needed */
    csrw mstatus, x0
    li a0, 0x222
    csrw mip, a0
    csrr a1, mip
    check a1, 0x222
    csrw mip, x0
    csrwi mip, 2
    li s8, -1
    csrwi mie, 2
    nop
    check s8, -1
    csrwi mstatus, 8                    /* MIE */
    nop
    check s8, TOP | 1
    check s9, 0
    csrw mip, x0

    /* the CLINT's: M's own are taken in S and U whatever MIE is */
    csrw mstatus, x0
    li t0, CLINT
    li a0, 1
    sw a0, 0(t0)
    csrr a1, mip
    check a1, 8
    li s8, -1
    csrwi mie, 8
    nop
    check s8, -1
    enter 1
    nop
    check s8, TOP | 3
    back
    li t0, CLINT
    sw x0, 0(t0)
    csrr a1, mip
    check a1, 0

    /* vectored */
    csrr s0, mtvec
    lla a0, vectors + 1
    csrw mtvec, a0
    li s11, 0
    csrwi mip, 2
    csrwi mie, 2
    csrwi mstatus, 8
    nop
    check s11, 1
    ebreak                              /* exceptions go to the base */
    check s11, 100
    csrw mip, x0
    csrw mtvec, s0

    /* delegated to S: not taken in M, nor in S without SIE, but always in U */
    csrw mstatus, x0
    csrwi mideleg, 2
    csrwi mie, 2
    csrwi mip, 2
    lla a0, s_interrupt
    csrw stvec, a0
    li s11, 0
    csrsi mstatus, 8
    nop
    check s11, 0
    enter 1
    nop
    check s11, 0
    csrsi sstatus, 2
    nop
    check s11, 55
    csrci sstatus, 2
    csrsi sip, 2
    csrr a0, sip
    check a0, 2
    back
    csrci mstatus, 8
    li s11, 0
    csrwi mip, 2
    enter 0
    nop
    check s11, 55
    back
    csrw mideleg, x0
    csrw mie, x0
    j done
    .balign 4
s_interrupt:
    csrr s11, scause
    li t6, TOP | 1
    bne s11, t6, 1f
    li s11, 55
    csrci sip, 2
    sret
1:  j fail
    .balign 64
vectors:
    j on_exception
    j on_ssi
    j fail
    j fail
    j fail
    j fail
    j fail
    j fail
on_ssi:
    li s11, 1
    csrw mip, x0
    mret
on_exception:
    li s11, 100
    csrr t6, mepc
    addi t6, t6, 4
    csrw mepc, t6
    mret
done:
finish
