/* The host's FPU as an oracle.
 *
 * stdin: blocks of {operation, rounding mode, count} and count times {a, b, c}; stdout: {result,
 * flags} for each.  All are 64-bit words; modes and flags in RISC-V's encoding; singles in the low
 * half.  Operations are numbered as in TABLE. */
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#pragma STDC FENV_ACCESS ON

typedef union { uint64_t bits; double d; float s; } word;

#define TABLE(F)                                                            \
    F(add_d, d, a.d + b.d)             F(add_s, s, a.s + b.s)               \
    F(sub_d, d, a.d - b.d)             F(sub_s, s, a.s - b.s)               \
    F(mul_d, d, a.d * b.d)             F(mul_s, s, a.s * b.s)               \
    F(div_d, d, a.d / b.d)             F(div_s, s, a.s / b.s)               \
    F(sqrt_d, d, sqrt(a.d))            F(sqrt_s, s, sqrtf(a.s))             \
    F(fma_d, d, fma(a.d, b.d, c.d))    F(fma_s, s, fmaf(a.s, b.s, c.s))     \
    F(eq_d, bits, a.d == b.d)          F(eq_s, bits, a.s == b.s)            \
    F(lt_d, bits, a.d < b.d)           F(lt_s, bits, a.s < b.s)             \
    F(le_d, bits, a.d <= b.d)          F(le_s, bits, a.s <= b.s)            \
    F(to_s, s, (float)a.d)             F(to_d, d, (double)a.s)              \
    F(int_d, bits, (uint64_t)llrint(a.d)) F(int_s, bits, (uint64_t)llrintf(a.s)) \
    F(from_int_d, d, (double)(int64_t)a.bits)                               \
    F(from_int_s, s, (float)(int64_t)a.bits)

#define FUNCTION(name, field, expression)                                   \
    static __attribute__((noinline)) word name(word a, word b, word c)      \
    {                                                                       \
        word result = {0};                                                  \
        (void)b, (void)c;                                                   \
        result.field = expression;                                          \
        return result;                                                      \
    }
#define POINTER(name, field, expression) name,
#define NAME(name, field, expression) #name " "

TABLE(FUNCTION)
static word (*const operations[])(word, word, word) = {TABLE(POINTER)};
static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

static uint64_t flags(void)
{
    int raised = fetestexcept(FE_ALL_EXCEPT);

    return (raised & FE_INEXACT ? 1 : 0) | (raised & FE_UNDERFLOW ? 2 : 0) |
           (raised & FE_OVERFLOW ? 4 : 0) | (raised & FE_DIVBYZERO ? 8 : 0) |
           (raised & FE_INVALID ? 16 : 0);
}

int main(int argc, char **argv)
{
    uint64_t header[3], out[2];
    word in[3];

    (void)argv;
    if (argc > 1) { /* their names, in order */
        puts(TABLE(NAME));
        return 0;
    }
    while (fread(header, sizeof header, 1, stdin) == 1) {
        fesetround(modes[header[1]]);
        for (uint64_t i = 0; i < header[2]; i++) {
            if (fread(in, sizeof in, 1, stdin) != 1)
                return 1;
            feclearexcept(FE_ALL_EXCEPT);
            out[0] = operations[header[0]](in[0], in[1], in[2]).bits;
            out[1] = flags();
            fwrite(out, sizeof out, 1, stdout);
        }
    }
    return 0;
}
