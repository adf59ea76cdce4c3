/* virtio-blk (VIRTIO 1.2) by interrupt: reads sector 0, writes it reversed to sector 1, reads on. */
#include "board.h"

#define QUEUE 8
static struct { uint64_t addr; uint32_t len; uint16_t flags, next; } desc[QUEUE] __attribute__((aligned(16)));
static volatile struct { uint16_t flags, idx, ring[QUEUE], event; } avail;
static volatile struct { uint16_t flags, idx; struct { uint32_t id, len; } ring[QUEUE]; } used __attribute__((aligned(4)));
static struct { uint32_t type, reserved; uint64_t sector; } request;
static volatile uint8_t status;
static char data[512], back[512];
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

static int transfer(int type, uint64_t sector, char *buffer)
{
    uint16_t before = used.idx;
    request.type = type;
    request.sector = sector;
    status = 0xff;
    desc[0] = (typeof(desc[0])){ (uintptr_t)&request, 16, 1, 1 };
    desc[1] = (typeof(desc[0])){ (uintptr_t)buffer, 512, type ? 1 : 3, 2 };
    desc[2] = (typeof(desc[0])){ (uintptr_t)&status, 1, 2, 0 };
    avail.ring[avail.idx % QUEUE] = 0;
    __sync_synchronize();
    avail.idx++;
    __sync_synchronize();
    set(0x50, 0);
    while (used.idx == before)
        wfi();
    __sync_synchronize();
    return status;
}

int main(void)
{
    for (int slot = 0; slot < 8; slot++)
        if (REG32(0x10001000 + slot * 0x1000) == 0x74726976 &&
            REG32(0x10001008 + slot * 0x1000) == 2)
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
    set(0x20, 1);
    set(0x70, 11);
    if (!(get(0x70) & 8))
        return 4;
    set(0x30, 0);
    set(0x38, QUEUE);
    address(0x80, desc);
    address(0x90, &avail);
    address(0xa0, &used);
    set(0x44, 1);
    set(0x70, 15);
    print("sectors ");
    print_dec(REG32(base + 0x100));
    print("\r\nread ");
    print_dec(transfer(0, 0, data));
    print(" ");
    print(data);
    for (int i = 0; i < 512; i++)
        back[i] = data[511 - i];
    print("\r\nwrite ");
    print_dec(transfer(1, 1, back));
    print("\r\nbeyond ");
    print_dec(transfer(0, 1 << 20, data));
    print(interrupts ? "\r\ninterrupts\r\n" : "\r\npolled\r\n");
    return 0;
}
