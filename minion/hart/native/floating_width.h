/* The operations on one format.  Included by floating.h once for each, with
 *
 *     FP(name)         what the name of an operation is
 *     FP_NUMBER        the host's type
 *     FP_BITS          an unsigned integer of that size
 *     FP_LAYOUT        the format
 *     FP_HOST_SQRT, FP_HOST_FMA
 *     FP_UNBOX(a), FP_BOX(bits)        from and to registers
 *
 * A slow_ function is out of line, and what most calls need not be. */

static inline FP_NUMBER FP(number)(uint64_t a)
{
    FP_BITS bits = FP_UNBOX(a);
    FP_NUMBER x;

    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
}

static inline uint64_t FP(pattern)(FP_NUMBER x)
{
    FP_BITS bits;

    __builtin_memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline bool FP(is_finite)(FP_NUMBER x)
{
    return fp_is_finite(FP_LAYOUT, FP(pattern)(x));
}

/* The least normal number.  What is finite and above it is normal, rounded or not. */
static inline bool FP(is_above_least)(FP_NUMBER x)
{
    uint64_t magnitude = FP(pattern)(x) & (FP_LAYOUT.sign - 1);

    return magnitude - (FP_LAYOUT.hidden + 1) < FP_LAYOUT.inf - (FP_LAYOUT.hidden + 1);
}

/* Whether x + y is sum, a finite one, exactly: by Knuth's error of a sum.  If it is, each step is.
 * If not, the error is found, or what overflows on the way makes it infinite or a NaN, not 0. */
static inline bool FP(sum_is_exact)(FP_NUMBER x, FP_NUMBER y, FP_NUMBER sum)
{
    FP_NUMBER y_rounded = sum - x;

    return (x - (sum - y_rounded)) + (y - y_rounded) == 0;
}

/* Whether x * y is product exactly, if it is less than a unit in the last place off, so little
 * that the lower halves of the integers tell.  The product is normal, and so is a factor at least;
 * the shift is not more than a fraction's width and one. */
static inline bool FP(product_is_exact)(FP_NUMBER x, FP_NUMBER y, FP_NUMBER product)
{
    struct fp_number a = fp_unpack(FP_LAYOUT, FP(pattern)(x));
    struct fp_number b = fp_unpack(FP_LAYOUT, FP(pattern)(y));
    struct fp_number p = fp_unpack(FP_LAYOUT, FP(pattern)(product));

    return a.mag * b.mag == p.mag << (p.exp - (a.exp + b.exp - FP_LAYOUT.unit));
}

static FP_SLOW bool FP(slow_add)(uint64_t a, uint64_t b, unsigned rm, uint64_t *result,
                                 unsigned *flags)
{
    if (rm > FP_RMM)
        return false;
    *result = FP_BOX(fp_add(FP_LAYOUT, FP_UNBOX(a), FP_UNBOX(b), rm, flags));
    return true;
}

static inline bool FP(add)(uint64_t a, uint64_t b, unsigned rm, uint64_t *result, unsigned *flags)
{
    FP_NUMBER x = FP(number)(a), y = FP(number)(b), sum = x + y;

    if (rm != FP_RNE || !FP(is_finite)(sum))
        return FP(slow_add)(a, b, rm, result, flags);
    if (!(*flags & FP_NX || FP(sum_is_exact)(x, y, sum)))
        *flags |= FP_NX;
    *result = FP_BOX(FP(pattern)(sum));
    return true;
}

static inline bool FP(sub)(uint64_t a, uint64_t b, unsigned rm, uint64_t *result, unsigned *flags)
{
    return FP(add)(a, b ^ FP_LAYOUT.sign, rm, result, flags);   /* boxed or not, as it was */
}

static FP_SLOW bool FP(slow_mul)(uint64_t a, uint64_t b, unsigned rm, uint64_t *result,
                                 unsigned *flags)
{
    if (rm > FP_RMM)
        return false;
    *result = FP_BOX(fp_mul(FP_LAYOUT, FP_UNBOX(a), FP_UNBOX(b), rm, flags));
    return true;
}

static inline bool FP(mul)(uint64_t a, uint64_t b, unsigned rm, uint64_t *result, unsigned *flags)
{
    FP_NUMBER x = FP(number)(a), y = FP(number)(b), product = x * y;

    if (rm != FP_RNE || !FP(is_above_least)(product))
        return FP(slow_mul)(a, b, rm, result, flags);
    if (!(*flags & FP_NX || FP(product_is_exact)(x, y, product)))
        *flags |= FP_NX;
    *result = FP_BOX(FP(pattern)(product));
    return true;
}

static FP_SLOW bool FP(slow_div)(uint64_t a, uint64_t b, unsigned rm, uint64_t *result,
                                 unsigned *flags)
{
    if (rm > FP_RMM)
        return false;
    *result = FP_BOX(fp_div(FP_LAYOUT, FP_UNBOX(a), FP_UNBOX(b), rm, flags));
    return true;
}

static inline bool FP(div)(uint64_t a, uint64_t b, unsigned rm, uint64_t *result, unsigned *flags)
{
    FP_NUMBER x = FP(number)(a), y = FP(number)(b), quotient = x / y;

    if (rm != FP_RNE || !FP(is_above_least)(quotient) || !FP(is_above_least)(x))
        return FP(slow_div)(a, b, rm, result, flags);
    if (!(*flags & FP_NX || FP(product_is_exact)(quotient, y, x)))
        *flags |= FP_NX;
    *result = FP_BOX(FP(pattern)(quotient));
    return true;
}

static FP_SLOW bool FP(slow_sqrt)(uint64_t a, unsigned rm, uint64_t *result, unsigned *flags)
{
    if (rm > FP_RMM)
        return false;
    *result = FP_BOX(fp_sqrt(FP_LAYOUT, FP_UNBOX(a), rm, flags));
    return true;
}

static inline bool FP(sqrt)(uint64_t a, unsigned rm, uint64_t *result, unsigned *flags)
{
    FP_NUMBER x = FP(number)(a), root;

    if (rm != FP_RNE || !(x > 0 && FP(is_above_least)(x)))
        return FP(slow_sqrt)(a, rm, result, flags);
    root = FP_HOST_SQRT(x);                     /* of half the exponent: normal */
    if (!(*flags & FP_NX || FP(product_is_exact)(root, root, x)))
        *flags |= FP_NX;
    *result = FP_BOX(FP(pattern)(root));
    return true;
}

static FP_SLOW bool FP(slow_fma)(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint64_t *result,
                                 unsigned *flags)
{
    if (rm > FP_RMM)
        return false;
    *result = FP_BOX(fp_fma(FP_LAYOUT, FP_UNBOX(a), FP_UNBOX(b), FP_UNBOX(c), rm, flags));
    return true;
}

static inline bool FP(fma)(uint64_t a, uint64_t b, uint64_t c, unsigned rm, uint64_t *result,
                           unsigned *flags)
{
    FP_NUMBER sum;

    if (rm != FP_RNE || !(*flags & FP_NX))
        return FP(slow_fma)(a, b, c, rm, result, flags);
    sum = FP_HOST_FMA(FP(number)(a), FP(number)(b), FP(number)(c));
    if (!FP(is_above_least)(sum))
        return FP(slow_fma)(a, b, c, rm, result, flags);
    *result = FP_BOX(FP(pattern)(sum));
    return true;
}

static inline bool FP(eq)(uint64_t a, uint64_t b, uint64_t *result, unsigned *flags)
{
    *result = fp_eq(FP_LAYOUT, FP_UNBOX(a), FP_UNBOX(b), flags);
    return true;
}

static inline bool FP(lt)(uint64_t a, uint64_t b, uint64_t *result, unsigned *flags)
{
    *result = fp_lt(FP_LAYOUT, FP_UNBOX(a), FP_UNBOX(b), flags);
    return true;
}

static inline bool FP(le)(uint64_t a, uint64_t b, uint64_t *result, unsigned *flags)
{
    *result = fp_le(FP_LAYOUT, FP_UNBOX(a), FP_UNBOX(b), flags);
    return true;
}

static inline bool FP(min)(uint64_t a, uint64_t b, uint64_t *result, unsigned *flags)
{
    *result = FP_BOX(fp_min(FP_LAYOUT, FP_UNBOX(a), FP_UNBOX(b), flags));
    return true;
}

static inline bool FP(max)(uint64_t a, uint64_t b, uint64_t *result, unsigned *flags)
{
    *result = FP_BOX(fp_max(FP_LAYOUT, FP_UNBOX(a), FP_UNBOX(b), flags));
    return true;
}

static inline uint64_t FP(classify)(uint64_t a)
{
    return fp_classify(FP_LAYOUT, FP_UNBOX(a));
}

/* The mode is one, and the value is in no box any more. */
static FP_SLOW uint64_t FP(slow_to_integer)(uint64_t bits, int64_t low, uint64_t high, unsigned rm,
                                            unsigned *flags)
{
    return fp_to_integer(FP_LAYOUT, bits, low, high, rm, flags);
}

/* C's casts cut, as RTZ does, and what they leave as it was is exact in any mode. */
static inline bool FP(to_integer)(uint64_t a, int64_t low, uint64_t high, unsigned rm,
                                  uint64_t *result, unsigned *flags)
{
    FP_NUMBER x = FP(number)(a);

    if (rm > FP_RMM)
        return false;
    if (x >= -0x1p63 && x < 0x1p63) {
        int64_t value = (int64_t)x;
        bool exact = (FP_NUMBER)value == x;

        if ((exact || rm == FP_RTZ) && value >= low && (value < 0 || (uint64_t)value <= high)) {
            if (!exact)
                *flags |= FP_NX;
            *result = (uint64_t)value;
            return true;
        }
    }
    *result = FP(slow_to_integer)(FP_UNBOX(a), low, high, rm, flags);
    return true;
}

static inline bool FP(to_i32)(uint64_t a, unsigned rm, uint64_t *result, unsigned *flags)
{
    return FP(to_integer)(a, INT32_MIN, INT32_MAX, rm, result, flags);
}

static inline bool FP(to_u32)(uint64_t a, unsigned rm, uint64_t *result, unsigned *flags)
{
    return FP(to_integer)(a, 0, UINT32_MAX, rm, result, flags);
}

static inline bool FP(to_i64)(uint64_t a, unsigned rm, uint64_t *result, unsigned *flags)
{
    return FP(to_integer)(a, INT64_MIN, INT64_MAX, rm, result, flags);
}

static inline bool FP(to_u64)(uint64_t a, unsigned rm, uint64_t *result, unsigned *flags)
{
    return FP(to_integer)(a, 0, UINT64_MAX, rm, result, flags);
}

static FP_SLOW bool FP(slow_from_integer)(bool negative, uint64_t magnitude, unsigned rm,
                                          uint64_t *result, unsigned *flags)
{
    if (rm > FP_RMM)
        return false;
    *result = FP_BOX(fp_from_integer(FP_LAYOUT, negative, magnitude, rm, flags));
    return true;
}

static inline bool FP(from_i64)(int64_t value, unsigned rm, uint64_t *result, unsigned *flags)
{
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;

    if (magnitude > FP_LAYOUT.hidden << 1 || rm > FP_RMM)
        return FP(slow_from_integer)(value < 0, magnitude, rm, result, flags);
    *result = FP_BOX(FP(pattern)((FP_NUMBER)value));    /* exact */
    return true;
}

static inline bool FP(from_u64)(uint64_t value, unsigned rm, uint64_t *result, unsigned *flags)
{
    if (value > FP_LAYOUT.hidden << 1 || rm > FP_RMM)
        return FP(slow_from_integer)(false, value, rm, result, flags);
    *result = FP_BOX(FP(pattern)((FP_NUMBER)(int64_t)value));
    return true;
}
