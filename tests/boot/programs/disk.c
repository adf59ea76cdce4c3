/* virtio-blk (VIRTIO 1.2, 5.2): reads sector 0, writes it reversed to sector 1, goes too far. */
#include "virtio.h"

static struct { uint32_t type, reserved; uint64_t sector; } header;
static volatile uint8_t status;
static char data[512], back[512];

static int transfer(int type, uint64_t sector, char *buffer)
{
    header.type = type;
    header.sector = sector;
    status = 0xff;
    descs[0][0] = (struct desc){ (uintptr_t)&header, 16, NEXT, 1 };
    descs[0][1] = (struct desc){ (uintptr_t)buffer, 512, type ? NEXT : NEXT | WRITE, 2 };
    descs[0][2] = (struct desc){ (uintptr_t)&status, 1, WRITE, 0 };
    request(0);
    return status;
}

int main(void)
{
    int failed = start(2, 1);
    if (failed)
        return failed;
    print("vendor ");
    print_hex(get(0x0c));
    print(" sectors ");
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
