/* virtio-console (VIRTIO 1.2, 5.3): a question, a line of an answer, the answer in upper case. */
#include "virtio.h"

static char line[64];

static void put(const char *text, uint32_t length)
{
    descs[1][0] = (struct desc){ (uintptr_t)text, length, 0, 0 };
    request(1);
}

int main(void)
{
    int failed = start(3, 2);
    if (failed)
        return failed;
    put("name? ", 6);
    for (;;) {
        descs[0][0] = (struct desc){ (uintptr_t)line, sizeof line, WRITE, 0 };
        uint32_t length = request(0);
        for (uint32_t n = 0; n < length; n++) {
            if (line[n] >= 'a' && line[n] <= 'z')
                line[n] -= 'a' - 'A';
            put(&line[n], 1);
            if (line[n] == '\n')
                return interrupts ? 0 : 1;
        }
    }
}
