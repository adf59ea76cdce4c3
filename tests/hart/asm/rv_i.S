/* RV32I and RV64I: arithmetic, jumps, branches. */
#include "selftest.h"
begin
rr add, 0, 0, 0
rr add, 1, 1, 2
rr add, -1, 1, 0
rr add, TOP - 1, 1, TOP
rr add, TOP, TOP, 0
rr sub, 0, 1, -1
rr sub, TOP, 1, TOP - 1
rr sub, 5, 7, -2
rr sll, 1, __riscv_xlen - 1, TOP
rr sll, 1, __riscv_xlen, 1
rr sll, 0x1234, 4, 0x12340
rr srl, TOP, __riscv_xlen - 1, 1
rr srl, -1, 4 + __riscv_xlen, (TOP - 1) >> 3
rr sra, TOP, __riscv_xlen - 1, -1
rr sra, TOP - 1, __riscv_xlen - 2, 1
rr sra, -16, 2 - __riscv_xlen, -4
rr slt, -1, 0, 1
rr slt, 0, -1, 0
rr slt, TOP, TOP - 1, 1
rr slt, 3, 3, 0
rr sltu, -1, 0, 0
rr sltu, 0, -1, 1
rr sltu, TOP - 1, TOP, 1
rr xor, 0x0ff0, -1, ~0x0ff0
rr or, 0x0f0, 0xf0f, 0xfff
rr and, -1, 0x123, 0x123
ri addi, 5, -7, -2
ri addi, TOP - 1, 1, TOP
ri addi, 0, -2048, -2048
ri slti, -2, -1, 1
ri slti, -1, -2, 0
ri slti, 2047, 2047, 0
ri sltiu, 1, -1, 1
ri sltiu, -1, -1, 0
ri sltiu, 0, 1, 1
ri xori, 0x55, -1, ~0x55
ri ori, 0x700, -2048, 0x700 - 2048
ri andi, -1, -2048, -2048
ri andi, -1, 2047, 2047
ri slli, 1, __riscv_xlen - 1, TOP
ri srli, TOP, __riscv_xlen - 1, 1
ri srai, TOP, __riscv_xlen - 1, -1
ri srai, TOP - 1, 0, TOP - 1

    lui a0, 0x80000
    check a0, -0x80000000
    lui a0, 0x7ffff
    check a0, 0x7ffff000
1:  auipc a0, 0
    lla a1, 1b
    sub a0, a0, a1
    check a0, 0
1:  auipc a0, 0xfffff
    lla a1, 1b
    sub a0, a0, a1
    check a0, -4096

    jal a0, 2f
1:  j fail
2:  lla a1, 1b
    sub a0, a0, a1
    check a0, 0
    lla a0, 3f + 1                  /* the lowest bit of the sum is dropped */
    jalr a0, 0(a0)
1:  j fail
3:  lla a1, 1b
    sub a0, a0, a1
    check a0, 0
    lla a0, 4f - 7
    jalr x0, 7(a0)
    j fail
4:

branches beq, 7, 7
branches bne, 7, 8
branches blt, -1, 0
branches blt, TOP, TOP - 1
branches bge, 0, -1
branches bge, 3, 3
branches bltu, 0, -1
branches bgeu, -1, 0
branches bgeu, 3, 3
passes beq, 7, 8
passes bne, 7, 7
passes blt, 0, -1
passes blt, 3, 3
passes bge, TOP, TOP - 1
passes bltu, -1, 0
passes bltu, 3, 3
passes bgeu, 0, -1

    fence
    fence rw, w
    .word 0xfff0000f                /* reserved fields are ignored */
    check s8, -1
finish
