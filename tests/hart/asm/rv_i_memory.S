/* Loads and stores of every width, sign and alignment. */
#include "selftest.h"
begin
    lla s0, data + 2048
    li a0, 0x807f8081
    sw a0, 0(s0)
    lb a1, 0(s0)
    check a1, -0x7f
    lbu a1, 0(s0)
    check a1, 0x81
    lb a1, 2(s0)
    check a1, 0x7f
    lh a1, 0(s0)
    check a1, -0x7f7f
    lhu a1, 0(s0)
    check a1, 0x8081
    lh a1, 2(s0)
    check a1, -0x7f81
    lw a1, 0(s0)
    check a1, -0x7f807f7f
    li a0, 0x1122
    sh a0, 2(s0)
    lw a1, 0(s0)
    check a1, 0x11228081
    li a0, 0x133
    sb a0, 1(s0)
    lw a1, 0(s0)
    check a1, 0x11223381
    lw x0, 0(s0)
    check x0, 0
    addi s1, s0, 2047
    li a0, 77
    sb a0, -2047(s1)
    lbu a1, 0(s0)
    check a1, 77
    addi s1, s0, -2047
    lbu a1, 2047(s1)
    check a1, 77

    /* misaligned, also over the end of a page */
    lla s0, data + 4096
    li a0, 0x11223344
    sw a0, -2(s0)
    lhu a1, -2(s0)
    check a1, 0x3344
    lhu a1, 0(s0)
    check a1, 0x1122
    lw a1, -2(s0)
    check a1, 0x11223344
    lw a1, -1(s0)
    check a1, 0x112233
    li a0, 0x5566
    sh a0, -1(s0)
    lhu a1, -1(s0)
    check a1, 0x5566
    lh a1, 1(s0)
    check a1, 0x11
#if __riscv_xlen == 64
    li a0, 0x8877665544332211
    sd a0, 8(s0)
    ld a1, 8(s0)
    check a1, 0x8877665544332211
    lwu a1, 12(s0)
    check a1, 0x88776655
    lw a1, 12(s0)
    check a1, -0x778899ab
    sd a0, -3(s0)
    ld a1, -3(s0)
    check a1, 0x8877665544332211
    lbu a1, 0(s0)
    check a1, 0x44
    ld a1, 1(s0)
    lhu a1, 3(s0)
    check a1, 0x8877
#endif
    /* nothing there */
    li s0, 0x90000000
IF64(slli s0, s0, 8)
IF32(li s0, 0xf0000000)
    .set nowhere, IF64(0x9000000000) IF32(0xf0000000)
    li a1, 5
    traps 5, nowhere, lw a1, 0(s0)
    check a1, 5
    traps 7, nowhere, sw a1, 0(s0)
    li s0, 0
    traps 5, 4, lbu a1, 4(s0)
    traps 7, 0, sb a1, 0(s0)
    check a1, 5
finish
