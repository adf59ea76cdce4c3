/* QEMU's virt, as a bare program sees it. */
#include <stddef.h>
#include <stdint.h>

typedef unsigned long word;

#define REG8(addr) (*(volatile uint8_t *)(uintptr_t)(addr))
#define REG32(addr) (*(volatile uint32_t *)(uintptr_t)(addr))
#define REG64(addr) (*(volatile uint64_t *)(uintptr_t)(addr))

#define UART 0x10000000UL
#define FINISHER 0x100000UL
#define MSIP REG32(0x2000000UL)
#define MTIMECMP REG64(0x2004000UL)
#define MTIME REG64(0x200bff8UL)
#define PLIC 0xc000000UL
#define PLIC_ENABLE REG32(PLIC + 0x2000)
#define PLIC_THRESHOLD REG32(PLIC + 0x200000)
#define PLIC_CLAIM REG32(PLIC + 0x200004)

#define csr_read(name) ({ word v_; __asm__ volatile("csrr %0, " #name : "=r"(v_)); v_; })
#define csr_write(name, v) __asm__ volatile("csrw " #name ", %0" ::"r"((word)(v)) : "memory")
#define csr_set(name, v) __asm__ volatile("csrs " #name ", %0" ::"r"((word)(v)) : "memory")
#define csr_clear(name, v) __asm__ volatile("csrc " #name ", %0" ::"r"((word)(v)) : "memory")
#define wfi() __asm__ volatile("wfi" ::: "memory")

#define MIE_GLOBAL 8
#define SOFTWARE 3
#define TIMER 7
#define EXTERNAL 11
#define INTERRUPT (1UL << (__riscv_xlen - 1))

/* Between the look at what an interrupt changes and the wfi, no interrupt may slip through. */
#define wait_until_(status, enable, condition)      \
    do {                                            \
        csr_clear(status, enable);                  \
        while (!(condition)) {                      \
            wfi();                                  \
            csr_set(status, enable);                \
            csr_clear(status, enable);              \
        }                                           \
        csr_set(status, enable);                    \
    } while (0)
#define wait_until(condition) wait_until_(mstatus, MIE_GLOBAL, condition)
#define s_wait_until(condition) wait_until_(sstatus, 2, condition)

extern char vector[];
void finish(int status) __attribute__((noreturn));

static inline void putch(char c)
{
    while (!(REG8(UART + 5) & 0x20))
        ;
    REG8(UART) = c;
}

static inline void print(const char *s)
{
    while (*s)
        putch(*s++);
}

static inline void print_hex(word value)
{
    for (int shift = __riscv_xlen - 4; shift >= 0; shift -= 4)
        putch("0123456789abcdef"[value >> shift & 15]);
}

static inline void print_dec(word value)
{
    char digits[24];
    int n = 0;
    do
        digits[n++] = '0' + value % 10;
    while (value /= 10);
    while (n)
        putch(digits[--n]);
}
