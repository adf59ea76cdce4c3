/* Ticks of the CLINT, software interrupts to itself, and traps of every day. */
#include "board.h"

static volatile int ticks, softs, faults;
static volatile uint64_t due = ~0ull; /* what MTIMECMP holds at reset is anybody's */
static volatile word cause, where, value;

word *trap(word mcause, word mepc, word *frame)
{
    if (mcause == (INTERRUPT | TIMER)) {
        if (MTIME >= due) { /* QEMU lowers the line a moment after the store */
            due = ~0ull;
            ticks++;
        }
        MTIMECMP = ~0ull;
    } else if (mcause == (INTERRUPT | SOFTWARE)) {
        softs++;
        MSIP = 0;
    } else {
        faults++;
        cause = mcause;
        where = mepc;
        value = csr_read(mtval);
        csr_write(mepc, mepc + 4);
    }
    return frame;
}

static void report(const char *what)
{
    print(what);
    print(" cause ");
    print_dec(cause);
    print(" tval ");
    print_hex(value);
    print("\r\n");
}

int main(void)
{
    csr_write(mtvec, vector);
    uint64_t start = MTIME;
    csr_set(mie, 1 << TIMER | 1 << SOFTWARE);
    csr_set(mstatus, MIE_GLOBAL);
    for (int seen = 0; seen < 5; seen++) {
        due = MTIME + 20000;
        MTIMECMP = due;
        wait_until(ticks > seen);
        print("tick ");
        print_dec(ticks);
        print("\r\n");
    }
    print(MTIME - start >= 100000 ? "on time\r\n" : "early\r\n");
    MSIP = 1;
    while (!softs)
        ;
    print("soft\r\n");
    __asm__ volatile(".option push; .option norvc; ecall; .option pop");
    report("ecall");
    __asm__ volatile(".word 0xffffffff");
    report("illegal");
    __asm__ volatile(".option push; .option norvc; lw t0, 0(%0); .option pop" ::"r"(0x40) : "t0");
    report("load");
    __asm__ volatile(".option push; .option norvc; sw t0, 0(%0); .option pop" ::"r"(0x44) : "t0");
    report("store");
    return faults == 4 ? 0 : 1;
}
