/* Code that is made, and made again, while the program runs; W^X and not. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static void emit(uint32_t *code, int value)
{
    code[0] = 0x00000513 | (uint32_t)value << 20;    /* li a0, value */
    code[1] = 0x00008067;                            /* ret */
    __builtin___clear_cache((char *)code, (char *)(code + 2));
}

int main(void)
{
    long sum = 0;
    uint32_t *rwx = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int (*f)(void) = (int (*)(void))rwx;
    for (int i = 0; i < 300; i++) {
        emit(rwx, i);
        for (int k = 0; k < 50; k++)
            sum += f();
    }
    printf("%ld\n", sum);
    for (int i = 0; i < 20; i++) {
        mprotect(rwx, 4096, PROT_READ | PROT_WRITE);
        emit(rwx, 2000 - i);
        mprotect(rwx, 4096, PROT_READ | PROT_EXEC);
        sum += f();
    }
    printf("%ld\n", sum);
    for (int i = 0; i < 20; i++) {                   /* other code at the same address */
        munmap(rwx, 4096);
        rwx = mmap(rwx, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        emit(rwx, i);
        sum += f();
    }
    printf("%ld\n", sum);
    return 0;
}
