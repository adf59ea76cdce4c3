/* A: each operation's result in register and memory; LR and SC; alignment. */
#include "selftest.h"
.macro amo op, width, memory, operand, want
    li a0, \memory
    s\width a0, 0(s0)
    li a1, \operand
    \op\().\width a2, a1, (s0)
    check a2, \memory
    l\width a3, 0(s0)
    check a3, \want
    \op\().\width\().aqrl x0, x0, (s0)
    check x0, 0
.endm
.macro all width
    amo amoswap, \width, 1, 2, 2
    amo amoadd, \width, -1, 2, 1
    amo amoxor, \width, 0x0ff, 0xff0, 0xf0f
    amo amoand, \width, 0x0ff, 0xff0, 0x0f0
    amo amoor, \width, 0x0ff, 0xff0, 0xfff
    amo amomin, \width, -1, 1, -1
    amo amomin, \width, 5, -7, -7
    amo amomax, \width, -1, 1, 1
    amo amomax, \width, 5, -7, 5
    amo amominu, \width, -1, 1, 1
    amo amominu, \width, 5, 7, 5
    amo amomaxu, \width, -1, 1, -1
    amo amomaxu, \width, 5, 7, 7

    li a0, 5
    s\width a0, 0(s0)
    lr.\width a1, (s0)
    check a1, 5
    li a2, 6
    sc.\width a3, a2, (s0)
    check a3, 0
    l\width a1, 0(s0)
    check a1, 6
    sc.\width a3, a2, (s0)          /* the reservation is used up */
    check a3, 1
    lr.\width a1, (s0)
    addi s1, s0, 64
    sc.\width a3, a2, (s1)          /* another address */
    check a3, 1
    lr.\width a1, (s0)
    li a4, 9
    s\width a4, 0(s0)               /* somebody has stored */
    sc.\width a3, a2, (s0)
    check a3, 1
    l\width a1, 0(s0)
    check a1, 9
    lr.\width a1, (s0)
    ecall                           /* a trap has come between */
    sc.\width a3, a2, (s0)
    check a3, 1
.endm
begin
    lla s0, data
    all w
IF64(all d)
    lla s0, tohost + 2              /* its address is known: it comes first in .tohost */
    lla s1, tohost
    li a2, 3
    li s8, -1
    amoadd.w a1, a2, (s0)
    sub s9, s9, s1
    check s9, 2
    lr.w a1, (s0)
    check s8, 4
    sub s9, s9, s1
    check s9, 2
finish
