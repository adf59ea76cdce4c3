/* HTIF, as for Spike: the console of the host, a system call of it, an exit code. */
#include "board.h"

volatile uint64_t tohost __attribute__((aligned(64))), fromhost __attribute__((aligned(64)));
static volatile uint64_t words[8] __attribute__((aligned(64)));
static const char text[] = "written by a system call\n";

static void put(char c)
{
    tohost = 1ull << 56 | 1ull << 48 | (uint8_t)c;
    while (tohost)
        ;
}

int main(void)
{
    for (const char *s = "one by one\n"; *s; s++)
        put(*s);
    words[0] = 64;
    words[1] = 1;
    words[2] = (uintptr_t)text;
    words[3] = sizeof text - 1;
    tohost = (uintptr_t)words;
    while (!fromhost)
        ;
    fromhost = 0;
    if (words[0] != sizeof text - 1)
        put('?');
    tohost = (uint64_t)CODE << 1 | 1;
    for (;;)
        ;
}
