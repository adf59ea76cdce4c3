/* The *W instructions of RV64I. */
#include "selftest.h"
begin
rr addw, 0x7fffffff, 1, -0x80000000
rr addw, 0xffffffff00000001, 0x123400000001, 2
rr addw, -1, 1, 0
rr subw, 0x80000000, 1, 0x7fffffff
rr subw, 0, 1, -1
rr sllw, 1, 31, -0x80000000
rr sllw, 1, 32, 1
rr sllw, 0xf123456789, 4, 0x34567890
rr srlw, 0x80000000, 31, 1
rr srlw, -1, 0, -1
rr srlw, -1, 4, 0x0fffffff
rr srlw, 0x100000000, 1, 0
rr sraw, 0x80000000, 31, -1
rr sraw, 0x7fffffff, 30, 1
rr sraw, 0xf80000000, 33, -0x40000000
ri addiw, 0x7fffffff, 1, -0x80000000
ri addiw, 0xffffffff, 0, -1
ri addiw, 0x1ffffffff, 1, 0
ri slliw, 1, 31, -0x80000000
ri slliw, 3, 31, -0x80000000
ri srliw, -1, 1, 0x7fffffff
ri srliw, -1, 0, -1
ri sraiw, 0x80000000, 31, -1
ri sraiw, 0xffffffff7fffffff, 4, 0x07ffffff
finish
