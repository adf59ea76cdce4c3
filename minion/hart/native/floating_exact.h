/* IEEE 754 on integers: any mode, every flag.  minion/hart/softfloat in C; nothing of the host's
 * floating point is used.
 *
 * Theory of operation.  A number is its bit pattern, in the low bits of a word.  A finite one is
 * taken apart into a sign and the magnitude mag * 2**(exp - bias - fraction_bits).  An operation
 * finds the exact magnitude of its result or, where that has more bits than fit, one whose lowest
 * bit, the sticky bit, stands for all that is below it, at least two places below the last bit
 * that rounding keeps.  fp_round is the one place that rounds, overflows and underflows.
 *
 * Each function has the format as its first argument, a constant after inlining. */
#ifndef MINION_FLOATING_EXACT_H
#define MINION_FLOATING_EXACT_H

#include <stdbool.h>
#include <stdint.h>

enum fp_mode { FP_RNE, FP_RTZ, FP_RDN, FP_RUP, FP_RMM };                        /* as in fcsr */
enum fp_flag { FP_NX = 1, FP_UF = 2, FP_OF = 4, FP_DZ = 8, FP_NV = 16 };

#define FP_EXACT static inline __attribute__((always_inline))

typedef unsigned __int128 fp_wide;

struct fp_format {
    int fraction_bits, bias, exponent_max, unit;        /* unit: exp of a magnitude of units */
    uint64_t sign, hidden, inf, nan;
};

#define FP_FORMAT(exponent_bits, fraction)                                                  \
    ((struct fp_format){                                                                    \
        .fraction_bits = (fraction),                                                        \
        .bias = (1 << ((exponent_bits) - 1)) - 1,                                           \
        .exponent_max = (1 << (exponent_bits)) - 1,                                         \
        .unit = (1 << ((exponent_bits) - 1)) - 1 + (fraction),                              \
        .sign = UINT64_C(1) << ((exponent_bits) + (fraction)),                              \
        .hidden = UINT64_C(1) << (fraction),                                                \
        .inf = ((UINT64_C(1) << (exponent_bits)) - 1) << (fraction),                        \
        .nan = ((UINT64_C(1) << ((exponent_bits) + 1)) - 1) << ((fraction) - 1),            \
    })
#define FP_F32 FP_FORMAT(8, 23)
#define FP_F64 FP_FORMAT(11, 52)

struct fp_number {              /* a finite one */
    uint64_t sign, mag;         /* the sign bit or 0 */
    int exp;
};

FP_EXACT struct fp_number fp_unpack(struct fp_format f, uint64_t a)
{
    int exp = (int)(a >> f.fraction_bits) & f.exponent_max;
    uint64_t fraction = a & (f.hidden - 1);

    return (struct fp_number){a & f.sign, exp ? fraction | f.hidden : fraction, exp ? exp : 1};
}

/* With the leading bit of the magnitude, which is not 0, in bit 63. */
FP_EXACT struct fp_number fp_normal(struct fp_number x)
{
    int shift = __builtin_clzll(x.mag);

    return (struct fp_number){x.sign, x.mag << shift, x.exp - shift};
}

FP_EXACT bool fp_is_finite(struct fp_format f, uint64_t a)
{
    return (a & f.inf) != f.inf;
}

FP_EXACT bool fp_is_nan(struct fp_format f, uint64_t a)
{
    return (a & (f.sign - 1)) > f.inf;
}

FP_EXACT bool fp_is_signalling(struct fp_format f, uint64_t a)
{
    return fp_is_nan(f, a) && !(a & f.hidden >> 1);
}

/* The answer to a NaN among the operands: no payload is propagated. */
FP_EXACT uint64_t fp_nan(struct fp_format f, bool signalling, unsigned *flags)
{
    if (signalling)
        *flags |= FP_NV;
    return f.nan;
}

FP_EXACT uint64_t fp_shift(uint64_t mag, int by)
{
    if (by > 63)
        return mag != 0;
    return mag >> by | ((mag & ((UINT64_C(1) << by) - 1)) != 0);
}

FP_EXACT fp_wide fp_shift_wide(fp_wide mag, int by)
{
    if (by > 127)
        return mag != 0;
    return mag >> by | ((mag & (((fp_wide)1 << by) - 1)) != 0);
}

/* The uppermost 64 bits, the last one sticky. */
FP_EXACT uint64_t fp_narrow(fp_wide mag, int *exp)
{
    uint64_t high = (uint64_t)(mag >> 64);
    int shift;

    if (!high)
        return (uint64_t)mag;
    shift = 64 - __builtin_clzll(high);
    *exp += shift;
    return (uint64_t)fp_shift_wide(mag, shift);
}

/* What to add to the bits below the last kept one, a mask, so that a carry rounds up. */
FP_EXACT uint64_t fp_increment(unsigned rm, bool negative, uint64_t below, unsigned odd)
{
    switch (rm) {
    case FP_RNE:
        return (below >> 1) + odd;
    case FP_RMM:
        return (below >> 1) + 1;
    case FP_RDN:
        return negative ? below : 0;
    case FP_RUP:
        return negative ? 0 : below;
    default:
        return 0;
    }
}

/* mag >> cut, rounded.  0 < cut < 63 */
FP_EXACT uint64_t fp_cut(uint64_t mag, int cut, unsigned rm, bool negative)
{
    uint64_t below = (UINT64_C(1) << cut) - 1, kept = mag >> cut;

    return kept + (((mag & below) + fp_increment(rm, negative, below, kept & 1)) >> cut);
}

FP_EXACT uint64_t fp_overflow(struct fp_format f, uint64_t sign, unsigned rm, unsigned *flags)
{
    *flags |= FP_OF | FP_NX;
    return sign | (f.inf - (rm == FP_RTZ || rm == (sign ? FP_RUP : FP_RDN)));
}

/* The result sign, mag * 2**(exp - unit), where mag is not 0.
 *
 * Tininess is detected after rounding: what rounds up to the least normal number is tiny only if
 * it would not with one more bit (RISC-V F, section "Subnormal Arithmetic"). */
FP_EXACT uint64_t fp_round(struct fp_format f, uint64_t sign, int exp, uint64_t mag, unsigned rm,
                           unsigned *flags)
{
    int cut = 63 - f.fraction_bits, shift = __builtin_clzll(mag);
    bool tiny = false;
    uint64_t bits;

    mag <<= shift;
    exp += cut - shift;
    if (exp <= 0) {
        tiny = exp < 0 || fp_cut(mag, cut, rm, sign != 0) < f.hidden << 1;
        mag = fp_shift(mag, 1 - exp);
        exp = 1;
    }
    if (mag & ((UINT64_C(1) << cut) - 1))
        *flags |= tiny ? FP_UF | FP_NX : FP_NX;
    bits = fp_cut(mag, cut, rm, sign != 0) + ((uint64_t)(exp - 1) << f.fraction_bits);
    return bits >= f.inf ? fp_overflow(f, sign, rm, flags) : sign | bits;
}

/* Which zero a sum of two is that cancel, or are zeros (IEEE 754-2019, section 6.3). */
FP_EXACT uint64_t fp_zero_sum(struct fp_format f, uint64_t sign, uint64_t sign_b, unsigned rm)
{
    if (sign == sign_b)
        return sign;
    return rm == FP_RDN ? f.sign : 0;
}

FP_EXACT uint64_t fp_special_sum(struct fp_format f, uint64_t a, uint64_t b, unsigned *flags)
{
    if (fp_is_nan(f, a) || fp_is_nan(f, b))
        return fp_nan(f, fp_is_signalling(f, a) || fp_is_signalling(f, b), flags);
    if (fp_is_finite(f, a))
        return b;
    if (fp_is_finite(f, b) || a == b)
        return a;
    return fp_nan(f, true, flags);
}

/* Ten bits more than the operands have: where the smaller one loses some, so far is it below the
 * greater one that their difference keeps at least eight of them. */
FP_EXACT uint64_t fp_add(struct fp_format f, uint64_t a, uint64_t b, unsigned rm, unsigned *flags)
{
    struct fp_number x = fp_unpack(f, a), y = fp_unpack(f, b), z;
    uint64_t small;

    if (!fp_is_finite(f, a) || !fp_is_finite(f, b))
        return fp_special_sum(f, a, b, flags);
    if (x.exp < y.exp || (x.exp == y.exp && x.mag < y.mag))
        z = x, x = y, y = z;
    small = fp_shift(y.mag << 10, x.exp - y.exp);
    z.mag = (x.mag << 10) + (x.sign == y.sign ? small : -small);
    if (!z.mag)
        return fp_zero_sum(f, x.sign, y.sign, rm);
    return fp_round(f, x.sign, x.exp - 10, z.mag, rm, flags);
}

FP_EXACT uint64_t fp_special_product(struct fp_format f, uint64_t a, uint64_t b, unsigned *flags)
{
    if (fp_is_nan(f, a) || fp_is_nan(f, b))
        return fp_nan(f, fp_is_signalling(f, a) || fp_is_signalling(f, b), flags);
    if (a & (f.sign - 1) && b & (f.sign - 1))
        return ((a ^ b) & f.sign) | f.inf;
    return fp_nan(f, true, flags);
}

FP_EXACT uint64_t fp_mul(struct fp_format f, uint64_t a, uint64_t b, unsigned rm, unsigned *flags)
{
    struct fp_number x = fp_unpack(f, a), y = fp_unpack(f, b);
    fp_wide product = (fp_wide)x.mag * y.mag;
    int exp = x.exp + y.exp - f.unit;
    uint64_t mag;

    if (!fp_is_finite(f, a) || !fp_is_finite(f, b))
        return fp_special_product(f, a, b, flags);
    if (!product)
        return x.sign ^ y.sign;
    mag = fp_narrow(product, &exp);
    return fp_round(f, x.sign ^ y.sign, exp, mag, rm, flags);
}

/* 0 * infinity is invalid even where c is a quiet NaN (RISC-V F, section "Single-Precision
 * Floating-Point Computational Instructions"). */
FP_EXACT uint64_t fp_special_fma(struct fp_format f, uint64_t a, uint64_t b, uint64_t c,
                                 unsigned *flags)
{
    uint64_t mag_a = a & (f.sign - 1), mag_b = b & (f.sign - 1);

    if ((mag_a == f.inf && !mag_b) || (mag_b == f.inf && !mag_a))
        return fp_nan(f, true, flags);
    if (fp_is_nan(f, a) || fp_is_nan(f, b) || fp_is_nan(f, c))
        return fp_nan(f, fp_is_signalling(f, a) || fp_is_signalling(f, b) ||
                             fp_is_signalling(f, c), flags);
    if (mag_a != f.inf && mag_b != f.inf)
        return c;
    return fp_special_sum(f, ((a ^ b) & f.sign) | f.inf, c, flags);
}

/* Both summands start in bit 126.  The product has 106 bits, so that nothing is lost where they
 * nearly cancel, and the difference keeps all but the last few of the 128 elsewhere. */
FP_EXACT uint64_t fp_fma(struct fp_format f, uint64_t a, uint64_t b, uint64_t c, unsigned rm,
                         unsigned *flags)
{
    struct fp_number x = fp_unpack(f, a), y = fp_unpack(f, b), z = fp_unpack(f, c);
    uint64_t sign = x.sign ^ y.sign, mag;
    int exp;
    fp_wide sum, other;

    if (!fp_is_finite(f, a) || !fp_is_finite(f, b) || !fp_is_finite(f, c))
        return fp_special_fma(f, a, b, c, flags);
    if (!x.mag || !y.mag)
        return fp_add(f, sign, c, rm, flags);
    if (!z.mag)
        return fp_mul(f, a, b, rm, flags);
    x = fp_normal(x), y = fp_normal(y), z = fp_normal(z);
    sum = (fp_wide)x.mag * y.mag;
    exp = x.exp + y.exp - f.unit;
    if (sum >> 127)
        sum >>= 1, exp += 1;            /* factors of 53 bits: it ends in zeros */
    other = (fp_wide)z.mag << 63;
    z.exp -= 63;
    if (exp < z.exp || (exp == z.exp && sum < other)) {
        fp_wide swap = sum;
        uint64_t swap_sign = sign;
        int swap_exp = exp;

        sum = other, sign = z.sign, exp = z.exp;
        other = swap, z.sign = swap_sign, z.exp = swap_exp;
    }
    other = fp_shift_wide(other, exp - z.exp);
    sum += sign == z.sign ? other : -other;
    if (!sum)
        return fp_zero_sum(f, sign, z.sign, rm);
    mag = fp_narrow(sum, &exp);
    return fp_round(f, sign, exp, mag, rm, flags);
}

FP_EXACT uint64_t fp_special_quotient(struct fp_format f, uint64_t a, uint64_t b, unsigned *flags)
{
    uint64_t mag_a = a & (f.sign - 1), mag_b = b & (f.sign - 1), sign = (a ^ b) & f.sign;

    if (mag_a > f.inf || mag_b > f.inf)
        return fp_nan(f, fp_is_signalling(f, a) || fp_is_signalling(f, b), flags);
    if (mag_a == mag_b)                 /* both infinite or both zero */
        return fp_nan(f, true, flags);
    if (mag_b == f.inf)
        return sign;
    if (mag_a != f.inf)
        *flags |= FP_DZ;
    return sign | f.inf;
}

FP_EXACT uint64_t fp_div(struct fp_format f, uint64_t a, uint64_t b, unsigned rm, unsigned *flags)
{
    struct fp_number x = fp_unpack(f, a), y = fp_unpack(f, b);
    fp_wide dividend;
    uint64_t quotient;

    if (!fp_is_finite(f, a) || !fp_is_finite(f, b) || !y.mag)
        return fp_special_quotient(f, a, b, flags);
    if (!x.mag)
        return x.sign ^ y.sign;
    x = fp_normal(x), y = fp_normal(y);
    dividend = (fp_wide)x.mag << 63;    /* at least 63 bits of a quotient, at most 64 */
    quotient = (uint64_t)(dividend / y.mag);
    quotient |= quotient * y.mag != (uint64_t)dividend;         /* sticky; the rest is < 2**64 */
    return fp_round(f, x.sign ^ y.sign, x.exp - y.exp - 63 + f.unit, quotient, rm, flags);
}

/* Digit by digit: each takes two bits of the radicand, of which there are zeros after the last. */
FP_EXACT uint64_t fp_sqrt(struct fp_format f, uint64_t a, unsigned rm, unsigned *flags)
{
    struct fp_number x = fp_unpack(f, a);
    uint64_t root = 0, rest = 0;
    int more = f.fraction_bits + 5 - 32;        /* digits; there are 32 pairs of bits in a word */

    if (fp_is_nan(f, a))
        return fp_nan(f, fp_is_signalling(f, a), flags);
    if (!(a & (f.sign - 1)) || a == f.inf)
        return a;                       /* the root of -0 is -0 */
    if (x.sign)
        return fp_nan(f, true, flags);
    x = fp_normal(x);
    x.exp -= f.unit;
    if (x.exp & 1)
        x.mag >>= 1, x.exp += 1;        /* half of an even exponent */
    for (int i = 0; i < f.fraction_bits + 5; i++) {
        uint64_t digit;

        rest = rest << 2 | x.mag >> 62;
        x.mag <<= 2;
        root <<= 1;
        digit = rest > root << 1;       /* if 1, the square grows by 2 * root + 1 */
        rest -= (root << 1 | 1) & -digit;       /* a branch could not be foreseen */
        root |= digit;
    }
    return fp_round(f, 0, x.exp / 2 - more + f.unit, root | (rest != 0), rm, flags);
}

/* To an integer of low..high, as a 64-bit pattern.  What does not fit is invalid, only that, and
 * saturates; a NaN is greater than every integer. */
FP_EXACT uint64_t fp_to_integer(struct fp_format f, uint64_t a, int64_t low, uint64_t high,
                                unsigned rm, unsigned *flags)
{
    struct fp_number x = fp_unpack(f, a);
    int cut = f.unit - x.exp;
    bool inexact = false;

    if (x.exp >= f.bias + 64) {
        *flags |= FP_NV;
        return x.sign && !fp_is_nan(f, a) ? (uint64_t)low : high;
    }
    if (cut <= 0) {
        x.mag <<= -cut;
    } else {
        cut = cut < 60 ? cut : 60;      /* below one half, as it was */
        inexact = (x.mag & ((UINT64_C(1) << cut) - 1)) != 0;
        x.mag = fp_cut(x.mag, cut, rm, x.sign != 0);
    }
    if (x.mag > (x.sign ? -(uint64_t)low : high)) {
        *flags |= FP_NV;
        return x.sign ? (uint64_t)low : high;
    }
    if (inexact)
        *flags |= FP_NX;
    return x.sign ? -x.mag : x.mag;
}

FP_EXACT uint64_t fp_from_integer(struct fp_format f, bool negative, uint64_t mag, unsigned rm,
                                  unsigned *flags)
{
    return mag ? fp_round(f, negative ? f.sign : 0, f.unit, mag, rm, flags) : 0;
}

/* From one format to another. */
FP_EXACT uint64_t fp_convert(struct fp_format from, struct fp_format to, uint64_t a, unsigned rm,
                             unsigned *flags)
{
    struct fp_number x = fp_unpack(from, a);
    uint64_t sign = x.sign ? to.sign : 0;

    if (fp_is_nan(from, a))
        return fp_nan(to, fp_is_signalling(from, a), flags);
    if (!fp_is_finite(from, a))
        return sign | to.inf;
    return x.mag ? fp_round(to, sign, x.exp - from.unit + to.unit, x.mag, rm, flags) : sign;
}
#endif
