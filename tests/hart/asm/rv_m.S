/* M, with division's corners: by zero, and the one overflow. */
#include "selftest.h"
begin
rr mul, 3, -7, -21
rr mul, TOP, 2, 0
rr mul, -1, -1, 1
rr mulh, -1, -1, 0
rr mulh, TOP, TOP, 1 << (__riscv_xlen - 2)
rr mulh, -1, 1, -1
rr mulhsu, -1, -1, -1
rr mulhsu, 1, -1, 0
rr mulhsu, -1, 1, -1
rr mulhsu, TOP, -1, TOP
rr mulhu, -1, -1, -2
rr mulhu, TOP, 2, 1
rr div, 20, 6, 3
rr div, -20, 6, -3
rr div, 20, -6, -3
rr div, -20, -6, 3
rr div, TOP, -1, TOP
rr div, TOP, 1, TOP
rr div, 1, 0, -1
rr div, 0, 0, -1
rr divu, 20, 6, 3
rr divu, -1, 2, TOP - 1
rr divu, TOP, -1, 0
rr divu, 1, 0, -1
rr rem, 20, 6, 2
rr rem, -20, 6, -2
rr rem, 20, -6, 2
rr rem, -20, -6, -2
rr rem, TOP, -1, 0
rr rem, -5, 0, -5
rr remu, 20, 6, 2
rr remu, -1, TOP, TOP - 1
rr remu, -5, 0, -5
#if __riscv_xlen == 64
rr mulw, 0x7fffffff, 2, -2
rr mulw, 0x100000003, 5, 15
rr divw, -20, 6, -3
rr divw, 0x80000000, -1, -0x80000000
rr divw, 7, 0x100000000, -1
rr divuw, 0xfffffff0, 1, -16
rr divuw, 0xffffffff00000014, 6, 3
rr divuw, 7, 0, -1
rr remw, -20, 6, -2
rr remw, 0x80000000, -1, 0
rr remw, 0x180000005, 0, -0x7ffffffb
rr remuw, 0xffffffff, 0x80000000, 0x7fffffff
rr remuw, 0x80000005, 0, -0x7ffffffb
#endif
finish
