/* A virtio-mmio device with split rings, one request at a time; completion by interrupt. */
#include "board.h"

#define QUEUE 8
#define QUEUES 2
#define NEXT 1
#define WRITE 2

struct desc { uint64_t addr; uint32_t len; uint16_t flags, next; };
struct avail { uint16_t flags, idx, ring[QUEUE], event; };
struct used { uint16_t flags, idx; struct { uint32_t id, len; } ring[QUEUE]; };

static struct desc descs[QUEUES][QUEUE] __attribute__((aligned(16)));
static volatile struct avail avails[QUEUES];
static volatile struct used useds[QUEUES] __attribute__((aligned(4)));
static uintptr_t base;
static int source;
static volatile int interrupts;

static uint32_t get(int reg) { return REG32(base + reg); }
static void set(int reg, uint32_t value) { REG32(base + reg) = value; }

word *trap(word mcause, word mepc, word *frame)
{
    (void)mepc;
    uint32_t claim = PLIC_CLAIM;
    if (mcause != (INTERRUPT | EXTERNAL) || claim != (uint32_t)source)
        finish(2);
    set(0x64, get(0x60));
    interrupts++;
    PLIC_CLAIM = claim;
    return frame;
}

static void address(int reg, const volatile void *at)
{
    set(reg, (uint32_t)(uintptr_t)at);
    set(reg + 4, (uint32_t)((uint64_t)(uintptr_t)at >> 32));
}

#ifndef ACCEPTED
#define ACCEPTED 1  /* VIRTIO_F_VERSION_1: of the high word of features */
#endif

/* Finds a device by its number and starts it with these features alone; 0 if it is there. */
static int start(uint32_t id, int queues)
{
    for (int slot = 0; slot < 8; slot++)
        if (REG32(0x10001000 + slot * 0x1000) == 0x74726976 &&
            REG32(0x10001008 + slot * 0x1000) == id)
            base = 0x10001000 + slot * 0x1000, source = slot + 1;
    if (!base)
        return 3;
    csr_write(mtvec, vector);
    REG32(PLIC + 4 * source) = 1;
    PLIC_ENABLE = 1 << source;
    PLIC_THRESHOLD = 0;
    csr_set(mie, 1 << EXTERNAL);
    csr_set(mstatus, MIE_GLOBAL);
    set(0x70, 0);
    set(0x70, 3);
    set(0x24, 1);
    set(0x20, ACCEPTED);
    set(0x70, 11);
    if (!(get(0x70) & 8))
        return 4;
    for (int n = 0; n < queues; n++) {
        set(0x30, n);
        set(0x38, QUEUE);
        address(0x80, descs[n]);
        address(0x90, &avails[n]);
        address(0xa0, &useds[n]);
        set(0x44, 1);
    }
    set(0x70, 15);
    return 0;
}

/* Gives the chain that starts at descriptor 0 to the device. */
static void offer(int queue)
{
    volatile struct avail *avail = &avails[queue];
    avail->ring[avail->idx % QUEUE] = 0;
    __sync_synchronize();
    avail->idx++;
    __sync_synchronize();
    set(0x50, queue);
}

/* Waits until it has used what was offered; how many bytes it wrote. */
static uint32_t done(int queue)
{
    wait_until(useds[queue].idx == avails[queue].idx);
    __sync_synchronize();
    return useds[queue].ring[(useds[queue].idx - 1) % QUEUE].len;
}

static uint32_t request(int queue)
{
    offer(queue);
    return done(queue);
}
