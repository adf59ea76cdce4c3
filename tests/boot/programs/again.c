/* Resets the machine twice: RAM keeps what no file brings. */
#include "board.h"

#define counter REG32(0x80100000)
#define magic REG32(0x80100004)
static uint32_t fresh = 7;

int main(void)
{
    if (magic != 0xfeedbeef)
        magic = 0xfeedbeef, counter = 0;
    print("start ");
    print_dec(counter);
    print(fresh == 7 ? " fresh\r\n" : " stale\r\n");
    fresh = 8;
    if (counter++ < 2)
        REG32(FINISHER) = 0x7777;
    else
        return 0;
    for (;;)
        ;
}
