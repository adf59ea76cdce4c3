/* Startup: a stack, no .bss of somebody else, main, and its result to the finisher. */
    .section .text.start
    .globl _start
_start:
    la      sp, __stack
    mv      s0, a0
    mv      s1, a1
    la      t0, __bss_start
    la      t1, __bss_end
1:  bgeu    t0, t1, 2f
    sb      zero, 0(t0)
    addi    t0, t0, 1
    j       1b
2:  mv      a0, s0
    mv      a1, s1
    call    main
    .globl  finish
finish:
    li      t0, 0x5555
    beqz    a0, 3f
    slli    a0, a0, 16
    li      t0, 0x3333
    or      t0, t0, a0
3:  li      t1, 0x100000
    sw      t0, 0(t1)
4:  j       4b

    .weak   trap            /* a program that expects none */
trap:
    li      a0, 99
    j       finish

    /* A machine-mode trap vector: C decides, everything is restored. */
    .globl  vector
    .align  2
vector:
#if __riscv_xlen == 64
#define SAVE sd
#define LOAD ld
#define WORD 8
#else
#define SAVE sw
#define LOAD lw
#define WORD 4
#endif
    addi    sp, sp, -32*WORD
    .irp    n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    SAVE    x\n, \n*WORD(sp)
    .endr
    csrr    a0, mcause
    csrr    a1, mepc
    mv      a2, sp
    call    trap            /* returns the stack to go on with */
    mv      sp, a0
    .irp    n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    LOAD    x\n, \n*WORD(sp)
    .endr
    addi    sp, sp, 32*WORD
    mret
