/* Floating point as programs use it: each workload in each rounding mode, its results and flags in
 * `results`.  Bare machine code for QEMU's virt and for ours: M mode, no library, the finisher. */
typedef unsigned long word;

word results[512];
static word count;
static char stack[8192] __attribute__((used, aligned(16)));

__asm__(".section .text.startup, \"ax\"\n"
        ".globl _start\n"
        "_start: la sp, stack + 8192\n"
        "  li t0, 0x2000\n" /* mstatus.FS: initial */
        "  csrs mstatus, t0\n"
        "  csrw fcsr, zero\n"
        "  call work\n"
        "  li t0, 0x100000\n"
        "  li t1, 0x5555\n"
        "  sw t1, 0(t0)\n"
        "1: j 1b\n"
        ".text\n");

static void keep(word bits)
{
    results[count++] = bits;
}

static void keep_double(double x)
{
    word bits;

    __builtin_memcpy(&bits, &x, sizeof bits);
    keep(bits);
}

static void keep_float(float x)
{
    unsigned bits;

    __builtin_memcpy(&bits, &x, sizeof bits);
    keep(bits);
}

static double pi_series(int terms)
{
    double sum = 0;

    for (int i = 0; i < terms; i++)
        sum += (i & 1 ? -4.0 : 4.0) / (2 * i + 1);
    return sum;
}

static float harmonic(int terms)
{
    float sum = 0;

    for (int i = 1; i <= terms; i++)
        sum += 1.0f / (float)i;
    return sum;
}

static double newton(double x)
{
    double guess = x;

    for (int i = 0; i < 30; i++)
        guess = 0.5 * (guess + x / guess);
    return guess - __builtin_sqrt(x);
}

static double exponential(double x)
{
    double sum = 1, term = 1;

    for (int n = 1; n < 40; n++)
        sum += term *= x / n;
    return sum;
}

#define MANDELBROT(name, real)                                      \
    static word name(int side)                                      \
    {                                                               \
        word inside = 0;                                            \
        for (int row = 0; row < side; row++)                        \
            for (int column = 0; column < side; column++) {         \
                real cx = (real)column * 3 / (real)side - 2;        \
                real cy = (real)row * 2 / (real)side - 1;           \
                real x = 0, y = 0;                                  \
                int i = 0;                                          \
                for (; i < 20 && x * x + y * y <= 4; i++) {         \
                    real next = x * x - y * y + cx;                 \
                    y = 2 * x * y + cy;                             \
                    x = next;                                       \
                }                                                   \
                inside = inside * 31 + (word)i;                     \
            }                                                       \
        return inside;                                              \
    }
MANDELBROT(mandelbrot_double, double)
MANDELBROT(mandelbrot_float, float)

/* The determinant of a Hilbert matrix, by elimination: cancellation down to nearly nothing. */
static double hilbert(int n)
{
    double m[8][8], product = 1;

    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            m[i][j] = 1.0 / (i + j + 1);
    for (int k = 0; k < n; k++) {
        product *= m[k][k];
        for (int i = k + 1; i < n; i++)
            for (int j = n - 1; j >= k; j--)
                m[i][j] -= m[i][k] / m[k][k] * m[k][j];
    }
    return product;
}

/* Down through the subnormal numbers to zero, and up to infinity. */
static void limits(void)
{
    double down = 1e-300, up = 1e300;
    float less = 1e-30f, more = 1e30f;

    for (int i = 0; i < 12; i++) {
        down *= 0.0123;
        up *= 12.3;
        less *= 0.123f;
        more *= 7.7f;
        keep_double(down);
        keep_double(up - 1e308);
        keep_float(less);
        keep_float((float)up + more);
    }
}

static void conversions(void)
{
    double x = -3e19;
    word sum = 0;

    for (int i = 0; i < 60; i++, x = -x * 0.437) {
        sum = sum * 31 + (word)(int)x;
        sum = sum * 31 + (word)(long)x;
        sum = sum * 31 + (unsigned)x;
        sum = sum * 31 + (word)(float)x;
        sum = sum * 31 + (word)__builtin_lrint(x);
        sum += (word)((double)(long)sum * 1e-9) + (word)(float)sum;
        sum = sum * 31 + (word)(x < 2.5 ? x >= -1.5 : x == 7);
    }
    keep(sum);
}

static void measure(void)
{
    word flags;

    keep_double(pi_series(300));
    keep_float(harmonic(300));
    keep_double(newton(2));
    keep_double(newton(1e200));
    keep_double(exponential(1));
    keep_double(exponential(-20));
    keep(mandelbrot_double(14));
    keep(mandelbrot_float(14));
    keep_double(hilbert(6));
    limits();
    conversions();
    __asm__ volatile("csrrw %0, fflags, zero" : "=r"(flags)::"memory");
    keep(flags);
}

void work(void)
{
    for (word mode = 0; mode < 5; mode++) {
        __asm__ volatile("csrw frm, %0" ::"r"(mode) : "memory");
        measure();
    }
    __asm__ volatile("csrr %0, mstatus" : "=r"(results[511]));
}
