/* The floating point of F and D on raw f registers: the host's where that is exact, integers
 * elsewhere.  Plain GNU C11 for 64-bit little-endian hosts; link with -lm, for fma.
 *
 * Interface, for a format f64 or f32 (floating_width.h):
 *
 *     bool f64_add(uint64_t a, uint64_t b, unsigned rm, uint64_t *result, unsigned *flags)
 *         f64_sub, f64_mul, f64_div;  f64_sqrt(a, rm, result, flags);
 *         f64_fma(a, b, c, rm, result, flags): a * b + c
 *     bool f64_eq(a, b, result, flags), f64_lt, f64_le: 0 or 1;  f64_min, f64_max;
 *     uint64_t f64_classify(a): the mask of fclass
 *     bool f64_to_i32(a, rm, result, flags), f64_to_u32, f64_to_i64, f64_to_u64: the integer, as
 *         softfloat returns it: a signed one is the pattern of an int64_t (to_i32 of -1.0 is
 *         2**64 - 1), an unsigned one has zeros above it (to_u32 of 2.0**31 is 2**31: fcvt.wu has
 *         yet to extend its sign)
 *     bool f64_from_i64(int64_t value, rm, result, flags), f64_from_u64(uint64_t value, ...): for
 *         words too, extended before
 *     bool f32_to_f64(a, rm, result, flags), f64_to_f32
 *     bool fp_host_is_sound(void): to be asked once, in the thread that computes; if it is false,
 *         use none of the others
 *
 * rm is the effective mode.  *flags has the flags of fcsr raised so far, and the operation's ORed
 * into it.  False says that rm is no mode, and only that; nothing has changed then.
 * Singles are NaN-boxed: an operand in no box counts as the canonical NaN, a result is in one.
 *
 * Theory of operation.  As in minion/hart/softfloat/host.py, the host computes if the mode is RNE,
 * and its result shows that no flag but NX can be raised: it is finite, so nothing was invalid,
 * divided by zero or overflowed, and it is above the least normal number, so nothing underflowed,
 * or a sum, which does only when inexact, which a subnormal sum is not.  The host's flags, slow to
 * read, are not read: if NX is set already, it does not matter whether the result is exact; if
 * not, the error of a sum is a number, and so is that of a product, quotient or root, which
 * product_is_exact finds with integers.  All else is left to floating_exact.h.
 *
 * So the compiler may move and fold the host's operations as it likes.  It must not fuse a product
 * and a sum: no expression here has both, and a product is also looked at, which keeps GCC from
 * fusing it with a sum of the next instruction, as it would by default where it has FMA. */
#ifndef MINION_FLOATING_H
#define MINION_FLOATING_H

#include <float.h>
#include <stdbool.h>
#include <stdint.h>

#include "floating_exact.h"
#include "floating_order.h"

#if FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2 || defined __FAST_MATH__ || \
    DBL_MANT_DIG != 53 || FLT_MANT_DIG != 24
#error "an operation has to be rounded once, to binary32 or binary64"
#endif
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "little-endian hosts only"
#endif

#define FP_SLOW __attribute__((noinline, unused))

#define FP(name) f64_##name
#define FP_NUMBER double
#define FP_BITS uint64_t
#define FP_LAYOUT FP_F64
#define FP_HOST_SQRT __builtin_sqrt
#define FP_HOST_FMA __builtin_fma
#define FP_UNBOX(a) (a)
#define FP_BOX(bits) (bits)
#include "floating_width.h"
#undef FP
#undef FP_NUMBER
#undef FP_BITS
#undef FP_LAYOUT
#undef FP_HOST_SQRT
#undef FP_HOST_FMA
#undef FP_UNBOX
#undef FP_BOX

#define FP_NAN_BOX UINT64_C(0xffffffff00000000)

#define FP(name) f32_##name
#define FP_NUMBER float
#define FP_BITS uint32_t
#define FP_LAYOUT FP_F32
#define FP_HOST_SQRT __builtin_sqrtf
#define FP_HOST_FMA __builtin_fmaf
#define FP_UNBOX(a) ((a) >= FP_NAN_BOX ? (uint32_t)(a) : (uint32_t)FP_F32.nan)
#define FP_BOX(bits) (FP_NAN_BOX | (bits))
#include "floating_width.h"

static FP_SLOW uint64_t f32_slow_to_f64(uint64_t a, unsigned *flags)
{
    return fp_convert(FP_F32, FP_F64, FP_UNBOX(a), FP_RNE, flags);
}

static FP_SLOW bool f64_slow_to_f32(uint64_t a, unsigned rm, uint64_t *result, unsigned *flags)
{
    if (rm > FP_RMM)
        return false;
    *result = FP_BOX(fp_convert(FP_F64, FP_F32, a, rm, flags));
    return true;
}

/* Exact, but for what a NaN is. */
static inline bool f32_to_f64(uint64_t a, unsigned rm, uint64_t *result, unsigned *flags)
{
    float x = f32_number(a);

    if (rm > FP_RMM)
        return false;
    *result = x == x ? f64_pattern((double)x) : f32_slow_to_f64(a, flags);
    return true;
}

static inline bool f64_to_f32(uint64_t a, unsigned rm, uint64_t *result, unsigned *flags)
{
    double x = f64_number(a);
    float rounded = (float)x;

    if (rm > FP_RMM)
        return false;
    if ((double)rounded != x) {
        if (rm != FP_RNE || !f32_is_above_least(rounded))
            return f64_slow_to_f32(a, rm, result, flags);
        *flags |= FP_NX;
    }
    *result = FP_BOX(f32_pattern(rounded));
    return true;
}

/* Whether the host rounds to nearest and flushes no subnormals, either of which foreign libraries
 * are known to change, and fuses well. */
static FP_SLOW bool fp_host_is_sound(void)
{
    volatile double one = 1, tiny = DBL_TRUE_MIN, half_unit = 0x1p-53, least = DBL_MIN;
    volatile float tiny_single = FLT_TRUE_MIN;
    volatile double above = 1 + DBL_EPSILON, square = 1 + 2 * DBL_EPSILON;
    double more = one + half_unit * (1 + DBL_EPSILON), same = one + half_unit;

    return more > 1 && same == 1 && -more < -1 && -same == -1 && tiny + tiny > tiny &&
           least * 0.5 > 0 && tiny_single + tiny_single > tiny_single &&
           __builtin_fma(above, above, -square) == DBL_EPSILON * DBL_EPSILON;
}
#endif
