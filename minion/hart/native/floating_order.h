/* Comparisons, minimum and maximum, classification: on patterns, as floating_exact.h.
 *
 * Theory of operation.  Numbers of one sign are ordered as the patterns of their magnitudes are,
 * backwards where they are negative.  Hence the integers that fp_order makes of them. */
#ifndef MINION_FLOATING_ORDER_H
#define MINION_FLOATING_ORDER_H

#include "floating_exact.h"

/* Ordered as the numbers are; zeros of either sign are equal. */
FP_EXACT int64_t fp_order(struct fp_format f, uint64_t a)
{
    int64_t magnitude = (int64_t)(a & (f.sign - 1));

    return a & f.sign ? -magnitude : magnitude;
}

/* The same with -0 below +0. */
FP_EXACT int64_t fp_total_order(struct fp_format f, uint64_t a)
{
    int64_t magnitude = (int64_t)(a & (f.sign - 1));

    return a & f.sign ? ~magnitude : magnitude;
}

/* Quiet: only a signalling NaN is invalid. */
FP_EXACT bool fp_eq(struct fp_format f, uint64_t a, uint64_t b, unsigned *flags)
{
    if (fp_is_nan(f, a) || fp_is_nan(f, b)) {
        if (fp_is_signalling(f, a) || fp_is_signalling(f, b))
            *flags |= FP_NV;
        return false;
    }
    return fp_order(f, a) == fp_order(f, b);
}

/* Signalling, as the next: any NaN is invalid. */
FP_EXACT bool fp_lt(struct fp_format f, uint64_t a, uint64_t b, unsigned *flags)
{
    if (fp_is_nan(f, a) || fp_is_nan(f, b)) {
        *flags |= FP_NV;
        return false;
    }
    return fp_order(f, a) < fp_order(f, b);
}

FP_EXACT bool fp_le(struct fp_format f, uint64_t a, uint64_t b, unsigned *flags)
{
    if (fp_is_nan(f, a) || fp_is_nan(f, b)) {
        *flags |= FP_NV;
        return false;
    }
    return fp_order(f, a) <= fp_order(f, b);
}

/* minimumNumber and maximumNumber (IEEE 754-2019, section 9.6), one of whose operands is a NaN. */
FP_EXACT uint64_t fp_the_number(struct fp_format f, uint64_t a, uint64_t b, unsigned *flags)
{
    if (fp_is_signalling(f, a) || fp_is_signalling(f, b))
        *flags |= FP_NV;
    if (!fp_is_nan(f, a))
        return a;
    return fp_is_nan(f, b) ? f.nan : b;
}

FP_EXACT uint64_t fp_min(struct fp_format f, uint64_t a, uint64_t b, unsigned *flags)
{
    if (fp_is_nan(f, a) || fp_is_nan(f, b))
        return fp_the_number(f, a, b, flags);
    return fp_total_order(f, a) < fp_total_order(f, b) ? a : b;
}

FP_EXACT uint64_t fp_max(struct fp_format f, uint64_t a, uint64_t b, unsigned *flags)
{
    if (fp_is_nan(f, a) || fp_is_nan(f, b))
        return fp_the_number(f, a, b, flags);
    return fp_total_order(f, a) > fp_total_order(f, b) ? a : b;
}

/* The mask of fclass: one bit of ten. */
FP_EXACT uint64_t fp_classify(struct fp_format f, uint64_t a)
{
    uint64_t magnitude = a & (f.sign - 1);
    int above;

    if (magnitude > f.inf)
        return a & f.hidden >> 1 ? 1 << 9 : 1 << 8;
    if (magnitude == f.inf)
        above = 3;
    else if (magnitude >= f.hidden)
        above = 2;
    else
        above = magnitude != 0;
    return a & f.sign ? UINT64_C(1) << (3 - above) : UINT64_C(1) << (4 + above);
}
#endif
