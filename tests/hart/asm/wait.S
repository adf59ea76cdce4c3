/* wfi: ends when an interrupt is pending and enabled in mie, taken or not. */
#include "selftest.h"
begin
    open_pmp
    csrw mstatus, x0
    csrwi mie, 2
    csrwi mip, 2
    wfi                                 /* pending: goes on at once, nothing is taken */
    check s8, -1
    li a0, 1 << 3
    csrs mstatus, a0
    nop
    check s8, TOP | 1
    csrw mip, x0
    csrw mstatus, x0
    csrwi mideleg, 2
    csrwi mie, 2
    csrwi mip, 2
    li s8, -1
    enter 1
    wfi
    check s8, -1
    back
finish
