/* Counters: they count, are written, stopped, and hidden from lower modes. */
#include "selftest.h"
begin
    csrr a0, minstret
    csrr a1, minstret
    sub a1, a1, a0
    sltiu a1, a1, 1
    check a1, 0                     /* it counts */
    csrr a0, mcycle
    csrr a1, cycle
    sltu a2, a1, a0
    check a2, 0
    csrr a0, time
    csrr a1, time
    sltu a2, a1, a0
    check a2, 0
    csrr a0, mhpmcounter3
    csrr a0, mhpmevent3
    csrr a0, hpmcounter3
    check s8, -1
    traps 2, 0xc0001073, csrw cycle, x0
#if __riscv_xlen == 32
    li s8, -1
    csrr a0, cycleh
    csrr a0, timeh
    csrr a0, instreth
    csrr a0, mcycleh
    csrr a0, minstreth
    check s8, -1
#else
    traps 2, 0xc8002573, .word 0xc8002573
#endif
    open_pmp
    csrw mcounteren, x0
    csrw scounteren, x0
    enter 1
    traps 2, 0xc0002573, csrr a0, cycle
    traps 2, 0xc0102573, csrr a0, time
    traps 2, 0xc0202573, csrr a0, instret
    traps 2, 0xb0002573, csrr a0, mcycle
    back
    csrwi mcounteren, 5
    enter 1
    trapless csrr a0, cycle
    trapless csrr a0, instret
    traps 2, 0xc0102573, csrr a0, time
    back
    csrwi mcounteren, 7
    csrwi scounteren, 2
    enter 0
    trapless csrr a0, time
    traps 2, 0xc0002573, csrr a0, cycle
    back
    csrwi mcounteren, 0
    enter 0
    traps 2, 0xc0102573, csrr a0, time
    back
finish
