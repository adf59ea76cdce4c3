/* Sv39: pages and superpages, A and D, SUM and MXR, MPRV as S. */
#include "selftest.h"
#define V 1
#define R 2
#define W 4
#define X 8
#define U 16
#define A 64
#define D 128
#define SUM (1 << 18)
#define MXR (1 << 19)
#define MPRV (1 << 17)
.macro pte index, flags              /* leaf `index` is the page of data */
    lla t4, leaves
    lla t5, target
    srli t5, t5, 2
    ori t5, t5, \flags & 0x7ff
    sd t5, 8 * \index(t4)
.endm
.macro fault cause, offset, insn:vararg
    li s8, -1
    \insn
    check s8, \cause
    sub t6, s9, s0
    li t5, \offset
    .set number, number + 1
    li gp, number
    beq t6, t5, 1f
    j fail
1:
.endm
begin
    open_pmp
    lla a0, root                         /* RAM at itself, a gigapage */
    li a1, 0x80000000 >> 2 | V | R | W | X | A | D
    sd a1, 16(a0)
    lla a1, middle
    srli a1, a1, 2
    ori a1, a1, V
    sd a1, 8(a0)
    lla a0, middle
    lla a1, leaves
    srli a1, a1, 2
    ori a1, a1, V
    sd a1, 0(a0)
    lla a2, target                       /* a megapage; and one that is not aligned */
    srli a2, a2, 21
    slli a2, a2, 19
    ori a1, a2, V | R | W | A | D
    sd a1, 8(a0)
    li a3, 0x400
    add a1, a1, a3
    sd a1, 16(a0)
    pte 0, V | R | W | A | D
    pte 1, V | R | A
    pte 2, V | R | W
    pte 3, V | X | A
    pte 4, V | R | X | U | A
    pte 5, R | A
    pte 6, V | W | A
    pte 7, V | R | W | X | A | D
    pte 8, V
    li a0, 0x1122334455667788
    lla a1, target
    sd a0, 0(a1)
    lla a0, root
    srli a0, a0, 12
    li a1, 8 << 60
    or a0, a0, a1
    csrw satp, a0
    sfence.vma
    li s0, 0x40000000
    li s1, 4096

    enter 1
    ld a0, 0(s0)
    check a0, 0x1122334455667788
    li a1, 99
    sd a1, 8(s0)
    lla a0, target
    ld a1, 8(a0)
    check a1, 99
    /* read-only */
    add s2, s0, s1
    ld a0, 8(s2)
    check a0, 99
    fault 15, 4096, sd a1, 0(s2)
    fault 15, 4096, amoadd.d a1, a1, (s2)
    fault 12, 4096, jalr s2
    /* A, then D, are set by the hardware */
    add s2, s2, s1
    lla a2, leaves
    ld a1, 16(a2)
    andi a1, a1, A | D
    check a1, 0
    ld a0, 8(s2)
    ld a1, 16(a2)
    andi a1, a1, A | D
    check a1, A
    sd a0, 8(s2)
    ld a1, 16(a2)
    andi a1, a1, A | D
    check a1, A | D
    /* executable only: readable with MXR */
    add s2, s2, s1
    fault 13, 12288, lw a0, 0(s2)
    li a1, MXR
    csrs sstatus, a1
    lw a0, 8(s2)
    check a0, 99
    csrc sstatus, a1
    fault 13, 12288, lw a0, 0(s2)
    /* U's: with SUM, and never to execute */
    add s2, s2, s1
    fault 13, 16384, lw a0, 0(s2)
    fault 12, 16384, jalr s2
    li a1, SUM
    csrs sstatus, a1
    fault 12, 16384, jalr s2
    lw a0, 8(s2)
    check a0, 99
    csrc sstatus, a1
    fault 13, 16384, lr.w a0, (s2)
    /* not valid; W without R; a pointer where there is no level left */
    add s2, s2, s1
    fault 13, 20480, lw a0, 0(s2)
    add s2, s2, s1
    fault 13, 24576, lw a0, 0(s2)
    fault 15, 24576, sw a0, 0(s2)
    add s2, s2, s1
    li a1, 0x8082                        /* c.jr ra */
    lla a0, target
    sh a1, 32(a0)
    fence.i
    addi a1, s2, 32
    li s8, -1
    jalr a1
    check s8, -1
    add s2, s2, s1
    fault 13, 32768, lw a0, 0(s2)
    /* over the end of a page: the fault is the second's */
    li a1, 0x5000 - 4
    add s2, s0, a1
    li a1, SUM
    csrs sstatus, a1
    fault 13, 0x5000, ld a0, 0(s2)
    csrc sstatus, a1
    fault 13, 0x4ffc, ld a0, 0(s2)
    /* superpages */
    lla a0, target
    slli a0, a0, 64 - 21
    srli a0, a0, 64 - 21
    li a1, 0x40200000
    add s2, a0, a1
    ld a1, 8(s2)
    check a1, 99
    li a1, 0x200000
    add s2, s2, a1
    li s8, -1
    ld a1, 8(s2)
    check s8, 13
    /* addresses that are no sign extension of 39 bits */
    li s0, 1 << 39
    fault 13, 0, ld a0, 0(s0)
    fault 12, 0, jalr s0
    li s0, 0x40000000
    /* a PTE changed, and sfence.vma */
    pte 0, V | R | A
    sfence.vma
    fault 15, 0, sd a0, 0(s0)
    pte 0, V | R | W | A | D
    sfence.vma s0, x0
    trapless sd a0, 0(s0)
    back

    /* M as S, and as U */
    li a1, MSTATUS_MPP
    csrc mstatus, a1
    li a1, MPRV | 1 << 11
    csrs mstatus, a1
    ld a0, 8(s0)
    li a1, 99
    li a1, MPRV
    csrc mstatus, a1
    check a0, 99
    li a1, MSTATUS_MPP
    csrc mstatus, a1
    li a1, MPRV
    csrs mstatus, a1
    li s8, -1
    ld a0, 8(s0)
    li a1, MPRV
    csrc mstatus, a1
    check s8, 13
    /* satp off: nothing is translated */
    csrw satp, x0
    enter 1
    lla a0, target
    ld a1, 8(a0)
    check a1, 99
    back
finish
    .section .tables, "aw", @progbits
    .balign 4096
root:   .fill 4096, 1, 0
middle: .fill 4096, 1, 0
leaves: .fill 4096, 1, 0
target: .fill 4096, 1, 0
