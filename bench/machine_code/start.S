/* Bare metal at the start of RAM: a stack, work(rounds), the result into `result`, the finisher. */

    .section .text.start, "ax"
    .globl _start
_start:
    la sp, stack_top
    lw a0, rounds
    call work
    la t0, result
    sw a0, 0(t0)
    li t0, 0x100000
    li t1, 0x5555
    sw t1, 0(t0)
1:  j 1b

    .data
    .balign 4096
    .globl rounds, result
rounds:
    .word 1
result:
    .word 0
    .bss
    .balign 4096
    .space 16384
stack_top:
