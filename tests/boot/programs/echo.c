/* The UART by interrupt: what is typed comes back in upper case, until q. */
#include "board.h"

static volatile char ring[64];
static volatile unsigned head, tail, served;

word *trap(word mcause, word mepc, word *frame)
{
    (void)mepc;
    if (mcause != (INTERRUPT | EXTERNAL))
        finish(2);
    uint32_t source = PLIC_CLAIM;
    if (source == 10)
        while (REG8(UART + 5) & 1)
            ring[head++ % sizeof ring] = REG8(UART);
    served++;
    PLIC_CLAIM = source;
    return frame;
}

int main(void)
{
    csr_write(mtvec, vector);
    REG32(PLIC + 4 * 10) = 1;
    PLIC_ENABLE = 1 << 10;
    PLIC_THRESHOLD = 0;
    REG8(UART + 1) = 1;
    csr_set(mie, 1 << EXTERNAL);
    csr_set(mstatus, MIE_GLOBAL);
    print("ready\r\n");
    for (;;) {
        wait_until(head != tail);
        char c = ring[tail++ % sizeof ring];
        if (c == 'q')
            break;
        if (c >= 'a' && c <= 'z')
            c -= 'a' - 'A';
        putch(c);
    }
    print("\r\nbye\r\n");
    return served ? 0 : 1;
}
