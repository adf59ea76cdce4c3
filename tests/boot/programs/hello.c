/* Prints, computes, looks at the device tree, ends with the status the build says. */
#include "board.h"

#ifndef STATUS
#define STATUS 0
#endif

static uint32_t crc32(const uint8_t *data, size_t n)
{
    uint32_t crc = ~0u;
    while (n--) {
        crc ^= *data++;
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

int main(word hart, const uint32_t *tree)
{
    print("hello from hart ");
    print_dec(hart);
    print("\r\ntree ");
    print(tree && __builtin_bswap32(*tree) == 0xd00dfeed ? "found" : "missing");
    print("\r\ncrc ");
    print_hex(crc32((const uint8_t *)"123456789", 9));
    word a = 1, b = 1;
    for (int n = 0; n < 60; n++) {
        word c = a * 3 + b / (a % 7 + 1);
        b = a;
        a = c;
    }
    print("\r\nword ");
    print_hex(a);
    print("\r\n");
    return STATUS;
}
