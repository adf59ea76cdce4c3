/* UART interrupts, by a handler that claims and completes and asks the UART nothing, as xv6-riscv's
   was until 2024: QEMU's PLIC does not look at the level again, so main goes on. */
#include "board.h"

static volatile int taken;

word *trap(word mcause, word mepc, word *frame)
{
    (void)mepc;
    uint32_t claim = PLIC_CLAIM;
    if (mcause != (INTERRUPT | EXTERNAL) || claim != 10)
        finish(2);
    taken++;
    PLIC_CLAIM = claim;
    return frame;
}

static void tell(const char *what)
{
    for (volatile int n = 0; n < 10000; n++)
        ;
    int seen = taken;
    REG8(UART + 1) = 0;
    print(what);
    print_dec(seen);
    print("\r\n");
    taken = 0;
}

int main(void)
{
    csr_write(mtvec, vector);
    REG32(PLIC + 4 * 10) = 1;
    PLIC_ENABLE = 1 << 10;
    PLIC_THRESHOLD = 0;
    csr_set(mie, 1 << EXTERNAL);
    csr_set(mstatus, MIE_GLOBAL);
    REG8(UART + 1) = 2;
    tell("enabled: ");
    REG8(UART + 1) = 2;
    REG8(UART + 1) = 2;
    tell("enabled twice: ");
    REG8(UART + 1) = 2;
    REG8(UART) = 'a';
    REG8(UART) = 'b';
    tell(", and two bytes: ");
    REG8(UART + 1) = 2;
    (void)REG8(UART + 2);
    REG8(UART + 2) = 4;
    tell("acknowledged, and the transmitter's FIFO cleared: ");
    return 0;
}
