/* brk, mmap and their kin: prints what happens; qemu-riscv64 must print the same. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long result)
{
    printf("%s: %s\n", what, result == -1 ? strerrorname_np(errno) : "done");
}

int main(void)
{
    char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    say("mmap", (long)p);
    long sum = 0;
    for (int i = 0; i < 1 << 20; i += 512)
        sum += p[i];
    printf("zeros: %ld\n", sum);
    memset(p, 7, 1 << 20);
    say("mprotect", mprotect(p + 4096, 4096, PROT_READ));
    printf("readable: %d\n", p[4096]);
    say("munmap middle", munmap(p + 8192, 4096));
    say("mprotect over a hole", mprotect(p, 1 << 20, PROT_READ));
    say("madvise", madvise(p + 16384, 4096, MADV_DONTNEED));
    printf("after DONTNEED: %d %d\n", p[16384], p[16383]);
    char *q = mremap(p + 65536, 65536, 4 << 20, MREMAP_MAYMOVE);
    printf("moved: %d %d %d\n", q != MAP_FAILED, q[0], q[65536]);
    say("shrink", (long)mremap(q, 4 << 20, 4096, 0));
    say("mmap of nothing", (long)mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    say("mmap of no file", (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0));
    say("munmap odd", munmap((char *)12345, 4096));
    say("fixed", (long)mmap(q, 4096, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    printf("fresh: %d\n", q[0]);
    void *blocks[200];
    for (int i = 0; i < 200; i++) {
        blocks[i] = malloc(100 + i * 977);
        memset(blocks[i], i, 100 + i * 977);
    }
    for (int i = 0; i < 200; i += 2)
        free(blocks[i]);
    for (int i = 1; i < 200; i += 2)
        if (((unsigned char *)blocks[i])[99 + i * 977] != i)
            printf("lost %d\n", i);
    void *before = sbrk(0);
    say("sbrk", (long)sbrk(1 << 16));
    printf("grown: %ld\n", (long)((char *)sbrk(0) - (char *)before));
    say("no children", wait(NULL));
    printf("groups: %d\n", getgroups(0, NULL) >= 0);
    return 0;
}
