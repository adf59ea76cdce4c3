/* Self-checking programs in M mode.  `begin` comes first, `finish` last; between them checks, each
   of which counts up.  The end is reported as riscv-tests do: 1 in tohost for success, or the
   number of the check that failed, shifted, and the lowest bit.  QEMU is told by the finisher.

   t4, t5, t6 and gp belong to the macros; s8, s9, s10 are mcause, mtval, mepc of the last trap. */

#if __riscv_xlen == 64
#define REG_S sd
#define REG_L ld
#define REG_BYTES 8
#define IF64(...) __VA_ARGS__
#define IF32(...)
#else
#define REG_S sw
#define REG_L lw
#define REG_BYTES 4
#define IF64(...)
#define IF32(...) __VA_ARGS__
#endif
#define TOP (1 << (__riscv_xlen - 1))
#define MSTATUS_MPP 0x1800
#define TO_M 77

.set number, 0

.macro begin
    .option norelax
    .section .text
    .globl _start
_start:
    lla t0, on_trap
    csrw mtvec, t0
    li s8, -1
.endm

/* The register holds the value, or this is where the program ends. */
.macro check register, value
    .set number, number + 1
    li gp, number
    li t6, \value
    beq \register, t6, 1f
    j fail
1:
.endm

/* An instruction with one or two operands in registers, and what it gives. */
.macro rr op, a, b, want
    li a0, \a
    li a1, \b
    \op a2, a0, a1
    check a2, \want
    \op a0, a0, a1                  /* destination and source the same */
    check a0, \want
    li a0, \a
    \op x0, a0, a1
    check x0, 0
.endm
.macro ri op, a, imm, want
    li a0, \a
    \op a2, a0, \imm
    check a2, \want
    \op a0, a0, \imm
    check a0, \want
.endm
.macro branches op, a, b            /* is taken, forwards and backwards */
    li a0, \a
    li a1, \b
    li a2, 0
    j 2f
1:  j 3f
    j fail
2:  \op a0, a1, 1b
    j fail
3:  \op a0, a1, 4f
    j fail
4:  addi a2, a2, 1
    check a2, 1
.endm
.macro passes op, a, b              /* is not taken */
    li a0, \a
    li a1, \b
    li a2, 0
    \op a0, a1, 1f
    li a2, 1
1:  check a2, 1
.endm

/* The instruction traps with this cause and mtval, and has done nothing else. */
.macro traps cause, tval, insn:vararg
    li s8, -1
    li s9, -1
    lla t4, 7f
7:  \insn
    .set number, number + 1
    li gp, number
    li t6, \cause
    bne s8, t6, 8f
    li t6, \tval
    bne s9, t6, 8f
    beq s10, t4, 9f
8:  j fail
9:
.endm
.macro trapless insn:vararg
    li s8, -1
    \insn
    check s8, -1
.endm

/* Into a mode (0 U, 1 S), at the next instruction; and back. */
.macro enter mode
    li t6, MSTATUS_MPP
    csrc mstatus, t6
    li t6, \mode << 11
    csrs mstatus, t6
    lla t6, 1f
    csrw mepc, t6
    mret
1:
.endm
.macro back
    li a7, TO_M
    ecall
.endm
.macro open_pmp
    li t6, -1
    csrw pmpaddr15, t6
    li t6, 0x1f << (__riscv_xlen - 8)
    csrw IF64(pmpcfg2) IF32(pmpcfg3), t6
.endm

.macro finish
    li gp, 0
    j report
fail:
report:
    slli a0, gp, 1
    ori a0, a0, 1
    lla t0, tohost
    sw a0, 0(t0)
    sw zero, 4(t0)
    li t0, 0x100000
    li t1, 0x5555
    beqz gp, 1f
    slli t1, gp, 16
    li t2, 0x3333
    or t1, t1, t2
1:  sw t1, 0(t0)
2:  j 2b

    .balign 4
on_trap:                            /* M mode: note it and go on after the instruction */
    csrr s8, mcause
    csrr s9, mtval
    csrr s10, mepc
    bltz s8, 3f
    li t6, 11
    bgtu s8, t6, 1f
    li t6, 8
    bltu s8, t6, 1f
    li t6, TO_M
    bne a7, t6, 1f
    li t6, MSTATUS_MPP
    csrs mstatus, t6
1:  mv t6, s10
    addi t5, s8, -1                 /* fetch faults: back to the caller */
    beqz t5, 2f
    addi t5, s8, -12
    beqz t5, 2f
    lhu t5, 0(t6)
    andi t5, t5, 3
    addi t6, t6, 2
    addi t5, t5, -3
    bnez t5, 4f
    addi t6, t6, 2
    j 4f
2:  mv t6, ra
    j 4f
3:  li t6, -1                       /* an interrupt: turn all off */
    csrc mie, t6
    mret
4:  csrw mepc, t6
    mret

    .section .tohost, "aw", @progbits
    .balign 64
    .globl tohost
tohost: .dword 0
    .balign 64
    .globl fromhost
fromhost: .dword 0
    .section .data
    .balign 4096
data:   .fill 8192, 1, 0
.endm
