/* Ways to die: faults MODE */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Winfinite-recursion"
#pragma GCC diagnostic ignored "-Warray-bounds"

static volatile int sink;

__attribute__((noinline)) static int deeper(int n)
{
    volatile char room[4096];
    room[n % 4096] = 1;
    return deeper(n + 1) + room[0];
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IONBF, 0);
    if (!strcmp(mode, "null"))
        sink = *(volatile int *)16;
    if (!strcmp(mode, "write-code"))
        *(volatile int *)main = 1;
    if (!strcmp(mode, "kernel"))
        sink = *(volatile int *)0x80000000;
    if (!strcmp(mode, "nowhere"))
        ((void (*)(void))0x123456780000)();
    if (!strcmp(mode, "data")) {
        static int code[4];
        ((void (*)(void))code)();
    }
    if (!strcmp(mode, "illegal"))
        __asm__ volatile(".word 0");
    if (!strcmp(mode, "privileged"))
        __asm__ volatile("csrr a0, mstatus");
    if (!strcmp(mode, "break"))
        __asm__ volatile("ebreak");
    if (!strcmp(mode, "stack"))
        return deeper(0);
    if (!strcmp(mode, "abort"))
        abort();
    if (!strcmp(mode, "pipe")) {
        int p[2];
        if (pipe(p) || close(p[0]))
            return 1;
        if (write(p[1], "x", 1) < 0)
            return 2;
    }
    if (!strcmp(mode, "hog")) {
        for (long n = 0;; n++) {
            char *p = malloc(1 << 20);
            if (!p) {
                printf("no more\n");
                return 9;
            }
            memset(p, 1, 1 << 20);
        }
    }
    if (!strcmp(mode, "spin"))
        for (;;)
            sink++;
    if (!strcmp(mode, "fork"))
        return fork() < 0 ? 10 : 11;
    return 0;
}
