/* A preemptive kernel of two tasks in user mode: time slices by the CLINT, calls by ecall. */
#include "board.h"

#define TASKS 2
#define SLICE 2000
#define STACK 1024

enum { CALL_WRITE = 1, CALL_EXIT = 2 };

struct task {
    word *frame; /* registers, on the task's own stack */
    word pc;
    int done;
    word result;
};

static struct task tasks[TASKS];
static word stacks[TASKS][STACK] __attribute__((aligned(16)));
static int current;
static volatile word switches, slices[TASKS];

static word call(word number, word a, word b)
{
    register word a0 __asm__("a0") = a;
    register word a1 __asm__("a1") = b;
    register word a7 __asm__("a7") = number;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a1), "r"(a7) : "memory");
    return a0;
}

/* Both spin until the other one has run, too: without preemption neither would end. */
static void work(int self, word seed)
{
    word x = seed;
    for (int round = 0; round < 4; round++) {
        word start = slices[!self];
        while (slices[!self] == start && !tasks[!self].done)
            ;
        for (int n = 0; n < 500; n++)
            x = x * 6364136223846793005ull + 1442695040888963407ull;
    }
    call(CALL_EXIT, x, 0);
    for (;;)
        ;
}

static void first(void)
{
    call(CALL_WRITE, (word) "first: here\r\n", 0);
    work(0, 1);
}

static void second(void)
{
    work(1, 2);
}

static int runnable(void)
{
    for (int n = 1; n <= TASKS; n++)
        if (!tasks[(current + n) % TASKS].done)
            return (current + n) % TASKS;
    return -1;
}

static void report(void)
{
    for (int n = 0; n < TASKS; n++) {
        print("task ");
        print_dec(n);
        print(" result ");
        print_hex(tasks[n].result);
        print(slices[n] >= 4 ? " preempted\r\n" : " alone\r\n");
    }
    print(switches >= 8 ? "switched\r\n" : "did not switch\r\n");
    finish(0);
}

word *trap(word mcause, word mepc, word *frame)
{
    struct task *task = &tasks[current];
    task->frame = frame;
    task->pc = mepc;
    if (mcause == 8) {
        task->pc += 4;
        if (frame[17] == CALL_WRITE)
            print((const char *)frame[10]);
        else {
            task->result = frame[10];
            task->done = 1;
        }
    } else if (mcause != (INTERRUPT | TIMER)) {
        print("unexpected trap ");
        print_hex(mcause);
        finish(2);
    }
    if (mcause != 8 || task->done) {
        int next = runnable();
        if (next < 0)
            report();
        switches++;
        slices[next]++;
        current = next;
        MTIMECMP = MTIME + SLICE;
    }
    csr_write(mepc, tasks[current].pc);
    csr_clear(mstatus, 3 << 11); /* mret goes to user mode */
    return tasks[current].frame;
}

int main(void)
{
    static void (*const entries[TASKS])(void) = { first, second };
    for (int n = 0; n < TASKS; n++) {
        tasks[n].frame = &stacks[n][STACK - 32];
        tasks[n].pc = (word)entries[n];
    }
    csr_write(mtvec, vector);
    csr_write(pmpaddr0, ~0ul); /* user mode may touch everything */
    csr_write(pmpcfg0, 0x1f);
    csr_set(mie, 1 << TIMER);
    MTIMECMP = MTIME + SLICE;
    csr_write(mepc, tasks[0].pc);
    csr_clear(mstatus, 3 << 11);
    csr_set(mstatus, 1 << 7); /* interrupts on after mret */
    __asm__ volatile("mv sp, %0; mret" ::"r"(&stacks[0][STACK - 32]));
    return 3;
}
