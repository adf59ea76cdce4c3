/* F and D: state, NaN boxes, flags, rounding; FS. */
#include "selftest.h"
#if __riscv_xlen == 64
.macro ff op, a, b, want, flags:req      /* doubles by their bits */
    li a0, \a
    fmv.d.x fa0, a0
    li a0, \b
    fmv.d.x fa1, a0
    fsflags x0
    \op fa2, fa0, fa1
    fmv.x.d a0, fa2
    check a0, \want
    frflags a0
    check a0, \flags
.endm
begin
    li a0, 0x6000
    csrc mstatus, a0
    .option norvc
    traps 2, 0x02b57553, fadd.d fa0, fa0, fa1
    traps 2, 0x00302573, csrr a0, fcsr
    traps 2, 0x00052507, flw fa0, 0(a0)
    li a0, 0x2000                       /* FS initial */
    csrs mstatus, a0
    csrr a1, mstatus
    check a1, 0xa00002080
    fscsr x0
    csrr a1, mstatus
    check a1, 0x8000000a00006080        /* dirty */
    li a0, 0x1ff
    fscsr a0
    frcsr a1
    check a1, 0xff
    frrm a1
    check a1, 7
    li a0, 1
    traps 2, 0x02b57553, fadd.d fa0, fa0, fa1   /* rounds as frm says: reserved */
    traps 2, 0x02b55553, .word 0x02b55553       /* a reserved mode of its own */
    fsrm x0

    ff fadd.d, 0x3ff0000000000000, 0x4000000000000000, 0x4008000000000000, 0
    ff fsub.d, 0x3ff0000000000000, 0x3ff0000000000000, 0, 0
    ff fmul.d, 0x7fe0000000000000, 0x4000000000000000, 0x7ff0000000000000, 5
    ff fdiv.d, 0x3ff0000000000000, 0x4008000000000000, 0x3fd5555555555555, 1
    ff fdiv.d, 0x3ff0000000000000, 0, 0x7ff0000000000000, 8
    ff fdiv.d, 0, 0, 0x7ff8000000000000, 16
    ff fmin.d, 0x8000000000000000, 0, 0x8000000000000000, 0
    ff fmax.d, 0x7ff0000000000001, 0x3ff0000000000000, 0x3ff0000000000000, 16
    ff fsgnjn.d, 0x3ff0000000000000, 0x3ff0000000000000, 0xbff0000000000000, 0
    li a0, 0x3ff0000000000000
    fmv.d.x fa0, a0
    fdiv.d fa1, fa0, fa0, rup
    li a0, 0x4008000000000000
    fmv.d.x fa1, a0
    fdiv.d fa2, fa0, fa1, rup
    fmv.x.d a0, fa2
    check a0, 0x3fd5555555555556
    fsrmi 3
    fdiv.d fa2, fa0, fa1
    fmv.x.d a0, fa2
    check a0, 0x3fd5555555555556
    fsrmi 0
    fmadd.d fa2, fa1, fa1, fa0          /* 10 */
    fcvt.l.d a0, fa2, rtz
    check a0, 10
    fcvt.d.l fa2, a0
    fsqrt.d fa2, fa2
    fcvt.w.d a0, fa2, rtz
    check a0, 3
    feq.d a0, fa0, fa0
    check a0, 1
    flt.d a0, fa1, fa0
    check a0, 0
    fclass.d a0, fa0
    check a0, 64
    fcvt.s.d fa3, fa0
    fmv.x.d a0, fa3
    check a0, 0xffffffff3f800000        /* boxed */
    fmv.d.x fa3, x0                     /* not boxed: a NaN */
    fclass.s a0, fa3
    check a0, 512
    fmv.x.w a0, fa3
    check a0, 0
    lla s0, data + 1024
    fsd fa0, 8(s0)
    ld a0, 8(s0)
    check a0, 0x3ff0000000000000
    fld fa4, 8(s0)
    fsw fa4, 0(s0)
    flw fa4, 12(s0)
    fmv.x.d a0, fa4
    check a0, 0xffffffff3ff00000
    .option rvc
    c.fsd fa0, 16(s0)
    c.fld fa5, 16(s0)
    fmv.x.d a0, fa5
    check a0, 0x3ff0000000000000
    mv sp, s0
    c.fsdsp fa0, 24(sp)
    c.fldsp fa5, 24(sp)
    feq.d a0, fa5, fa0
    check a0, 1
finish
#else
begin
finish
#endif
