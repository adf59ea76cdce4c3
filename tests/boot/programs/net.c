/* virtio-net (VIRTIO 1.2, 5.1): asks for the gateway's hardware address and hears of it. */
#include "virtio.h"

#define HEADER 12

static uint8_t received[HEADER + 1514], sent[HEADER + 42] = {
    [HEADER] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* to everybody */
    0, 0, 0, 0, 0, 0, 8, 6,                        /* from us: ARP */
    0, 1, 8, 0, 6, 4, 0, 1,                        /* Ethernet, IPv4: who has */
    0, 0, 0, 0, 0, 0, 10, 0, 2, 15,                /* tell us */
    0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
};

int main(void)
{
    int failed = start(1, 2);
    if (failed)
        return failed;
    for (int n = 0; n < 6; n++)
        sent[HEADER + 6 + n] = sent[HEADER + 22 + n] = REG8(base + 0x100 + n);
    descs[0][0] = (struct desc){ (uintptr_t)received, sizeof received, WRITE, 0 };
    descs[1][0] = (struct desc){ (uintptr_t)sent, sizeof sent, 0, 0 };
    offer(0);
    request(1);
    for (;;) {
        uint32_t length = done(0);
        const uint8_t *arp = received + HEADER + 14;
        if (length >= HEADER + 42 && arp[-1] == 6 && arp[-2] == 8 && arp[7] == 2)
            break;
        offer(0);
    }
    print("answer from ");
    for (int n = 0; n < 4; n++) {
        print_dec(received[HEADER + 28 + n]);
        print(n < 3 ? "." : "\r\n");
    }
    int same = 1;
    for (int n = 0; n < 6; n++)
        same &= received[HEADER + n] == sent[HEADER + 6 + n];
    print(same ? "to us\r\n" : "to others\r\n");
    return interrupts ? 0 : 1;
}
