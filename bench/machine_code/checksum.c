/* The Internet checksum (RFC 1071) over buffers of 1,500 bytes: one hot loop. */

#include <stdint.h>

static uint8_t buffer[1500] __attribute__((aligned(4)));

__attribute__((noinline)) static uint16_t checksum(const uint16_t *words, long length)
{
    uint32_t sum = 0;
    for (; length > 1; length -= 2)
        sum += *words++;
    if (length)
        sum += *(const uint8_t *)words;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

uint32_t work(uint32_t rounds)
{
    uint32_t total = 0;
    for (long n = 0; n < 1500; n++)
        buffer[n] = n * 7 + 3;
    for (uint32_t n = 0; n < rounds; n++) {
        buffer[n % 1500]++;
        total += checksum((const uint16_t *)buffer, sizeof buffer);
    }
    return total;
}
