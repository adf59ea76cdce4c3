/* Code that changes, with fence.i between. */
#include "selftest.h"
begin
    .option norvc
    lla s0, patch
    lla s1, other
    lw s2, 0(s1)
    lw s3, 4(s1)
    li s4, 0
again:
    jal patch
    check a0, 1
    sw s2, 0(s0)
    fence.i
    jal patch
    check a0, 2
    sw s3, 0(s0)
    fence.i
    jal patch
    check a0, 3
    lw a1, 8(s1)
    sw a1, 0(s0)
    fence.i
    addi s4, s4, 1
    li t0, 3
    bne s4, t0, again
    /* in halves, as a store of every size may hit code */
    sh s2, 0(s0)
    srli a1, s2, 16
    sb a1, 2(s0)
    srli a1, s2, 24
    sb a1, 3(s0)
    fence.i
    jal patch
    check a0, 2
    /* code in fresh memory, run, and changed without being run from here */
    lla s0, data
    sw s2, 0(s0)
    lw a1, 12(s1)
    sw a1, 4(s0)
    fence.i
    jalr s0
    check a0, 2
    li a1, 0x13
    amoswap.w a1, s3, (s0)
    fence.i
    jalr s0
    check a0, 3
    sub a1, a1, s2
    check a1, 0
    j done
    .balign 16
patch:
    li a0, 1
    ret
other:
    li a0, 2
    li a0, 3
    li a0, 1
    ret
done:
finish
