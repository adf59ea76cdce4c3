/* C: every instruction once, and the reserved encodings. */
#include "selftest.h"
.macro half bits, register, want
    .half \bits
    check \register, \want
.endm
begin
    .option push
    .option rvc
    lla sp, data + 2048
    lla s0, data + 2048
    li a0, 0x12345678
    c.swsp a0, 4(sp)
    c.lwsp a1, 4(sp)
    check a1, 0x12345678
    c.sw a0, 64(s0)
    c.lw a2, 64(s0)
    check a2, 0x12345678
    lw a2, 64(sp)
    check a2, 0x12345678
#if __riscv_xlen == 64
    li a0, 0x123456789abcdef0
    c.sdsp a0, 8(sp)
    c.ldsp a1, 8(sp)
    check a1, 0x123456789abcdef0
    c.sd a0, 128(s0)
    c.ld a2, 128(s0)
    check a2, 0x123456789abcdef0
    li a0, 0x7fffffff
    c.addiw a0, 1
    check a0, -0x80000000
    li a0, 3
    li a1, 0x80000000
    c.addw a0, a1
    check a0, -0x7ffffffd
    c.subw a0, a1
    check a0, 3
#endif
    c.li a0, -32
    check a0, -32
    c.addi a0, 31
    check a0, -1
    c.addi a0, -32
    check a0, -33
    c.lui a0, 0xfffe1
    check a0, -0x1f000
    c.lui a0, 31
    check a0, 31 << 12
    mv a1, sp
    c.addi16sp sp, -512
    sub a0, sp, a1
    check a0, -512
    c.addi16sp sp, 496
    sub a0, sp, a1
    check a0, -16
    mv a1, sp
    c.addi16sp sp, 64
    sub a0, sp, a1
    check a0, 64
    c.addi16sp sp, -32
    sub a0, sp, a1
    check a0, 32
    c.addi4spn a2, sp, 1020
    sub a0, a2, sp
    check a0, 1020
    c.li a0, 3
    c.slli a0, 30
    check a0, 3 << 30
    li a0, TOP
    c.srli a0, __riscv_xlen - 1
    check a0, 1
    li a0, TOP
    c.srai a0, __riscv_xlen - 1
    check a0, -1
    c.andi a0, -17
    check a0, -17
    c.mv a1, a0
    check a1, -17
    c.add a1, a0
    check a1, -34
    c.sub a1, a0
    check a1, -17
    c.xor a1, a0
    check a1, 0
    c.or a1, a0
    check a1, -17
    c.li a0, 15
    c.and a1, a0
    check a1, 15
    c.nop
    c.li a2, 0
    c.j 1f
    j fail
1:  c.beqz a2, 2f
    j fail
2:  c.bnez a2, 3f
    c.li a2, 1
    c.beqz a2, 3f
    c.bnez a2, 4f
3:  j fail
4:  lla a0, 5f
    c.jr a0
    j fail
5:  lla a0, 6f
    c.jalr a0
9:  j fail
6:  lla a1, 9b
    sub a0, ra, a1
    check a0, 0
#if __riscv_xlen == 32
    c.jal 7f
9:  j fail
7:  lla a1, 9b
    sub a0, ra, a1
    check a0, 0
#endif
    traps 3, 0, c.ebreak
    .option pop
    traps 2, 0, .half 0x0000
    traps 2, 0x0004, .half 0x0004       /* c.addi4spn of 0 */
    traps 2, 0x6101, .half 0x6101       /* c.addi16sp of 0 */
    traps 2, 0x6281, .half 0x6281       /* c.lui of 0 */
    traps 2, 0x4002, .half 0x4002       /* c.lwsp to x0 */
    traps 2, 0x8002, .half 0x8002       /* c.jr of x0 */
    traps 2, 0x8000, .half 0x8000
    traps 2, 0x9c41, .half 0x9c41
IF64(traps 2, 0x2001, .half 0x2001)     /* c.addiw of x0 */
IF64(traps 2, 0x6002, .half 0x6002)     /* c.ldsp to x0 */
IF32(traps 2, 0x9c01, .half 0x9c01)     /* c.subw */
IF32(traps 2, 0x1502, .half 0x1502)     /* c.slli by 32 */
finish
