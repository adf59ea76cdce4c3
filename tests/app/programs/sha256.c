/* SHA-256 (FIPS 180-4) of a megabyte that a generator makes. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t h[8], k[64];

static uint32_t ror(uint32_t x, int n)
{
    return x >> n | x << (32 - n);
}

/* The constants are the first 32 bits of the fractional parts of roots of primes (4.2.2, 5.3.3). */
static uint32_t fraction(int prime, int root)
{
    unsigned __int128 low = 0, high = (unsigned __int128)1 << 40;
    while (high - low > 1) {
        unsigned __int128 mid = (low + high) / 2;
        unsigned __int128 scale = (unsigned __int128)1 << 32;
        int below = root == 2 ? mid * mid <= prime * scale * scale
                              : mid * mid * mid <= prime * scale * scale * scale;
        if (below)
            low = mid;
        else
            high = mid;
    }
    return (uint32_t)low;
}

static void block(const uint8_t *p)
{
    uint32_t w[64], v[8];
    for (int i = 0; i < 16; i++)
        w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
    for (int i = 16; i < 64; i++) {
        uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + w[i - 7] +
               (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
    }
    memcpy(v, h, sizeof v);
    for (int i = 0; i < 64; i++) {
        uint32_t s1 = ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25);
        uint32_t t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
        uint32_t s0 = ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22);
        uint32_t t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += v[i];
}

int main(void)
{
    int n = 0;
    for (int p = 2; n < 64; p++) {
        int prime = 1;
        for (int d = 2; d * d <= p; d++)
            prime &= p % d != 0;
        if (!prime)
            continue;
        if (n < 8)
            h[n] = fraction(p, 2);
        k[n++] = fraction(p, 3);
    }
    static uint8_t data[1 << 20], last[64];
    uint32_t x = 1;
    for (int i = 0; i < 1 << 20; i++) {
        x = x * 1103515245 + 12345;
        data[i] = x >> 16;
    }
    for (int i = 0; i < 1 << 20; i += 64)
        block(data + i);
    last[0] = 0x80;
    uint64_t bits = 8ull << 20;
    for (int i = 0; i < 8; i++)
        last[63 - i] = bits >> 8 * i;
    block(last);
    for (int i = 0; i < 8; i++)
        printf("%08x", h[i]);
    printf("\n");
    return 0;
}
