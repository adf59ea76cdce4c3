/* An interpreter of decoded instructions in C; its pieces are generated (write.py).
 *
 * Theory of operation.  engine.py decodes, as for the other engines, and puts blocks into a table by
 * pc.  run64 goes from block to block; each remembers the two that came after it last.  RAM is reached through two direct-mapped tables of pages;
 * whatever is not there (a device, a page not met yet, a store into code), and whatever has no piece
 * here (a CSR, a trap), ends the run before the instruction has changed anything.  Nothing here
 * calls back, and nothing here knows about modes, translation or faults.
 */

#include <stdbool.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "RAM is little-endian, as the host has to be"
#endif

typedef unsigned __int128 u128;
typedef __int128 i128;

#include "floating.h"

enum { PROBES = 8 };
static const uint64_t NOWHERE = ~UINT64_C(0);  /* No page has this number. */

static inline uint64_t slot(const struct table *table, uint64_t pc)
{
    return (pc >> 1 ^ pc >> 13) & table->mask;
}

static inline struct block *look(const struct table *table, uint64_t pc)
{
    uint64_t at = slot(table, pc);
    for (int probe = 0; probe < PROBES; probe++) {
        struct entry *entry = &table->entries[(at + probe) & table->mask];
        if (entry->pc == pc)
            return entry->block;
    }
    return NULL;
}

/* 0 if there is no room: the table is to be made larger. */
int put(struct table *table, struct block *block)
{
    uint64_t at = slot(table, block->pc);
    for (int probe = 0; probe < PROBES; probe++) {
        struct entry *entry = &table->entries[(at + probe) & table->mask];
        if (!entry->block || entry->pc == block->pc) {
            *entry = (struct entry){block->pc, block};
            return 1;
        }
    }
    return 0;
}

void forget(struct table *table)
{
    static uint64_t epochs;
    table->epoch = __atomic_add_fetch(&epochs, 1, __ATOMIC_RELAXED);
    for (uint64_t at = 0; at <= table->mask; at++)
        table->entries[at] = (struct entry){1, NULL};  /* No pc is odd. */
}

void drop(struct page *pages, uint64_t number)
{
    if (pages[number % PAGES].number == number)
        pages[number % PAGES].number = NOWHERE;
}

void drop_all(struct page *pages)
{
    for (int at = 0; at < PAGES; at++)
        pages[at].number = NOWHERE;
}

void drop_besides(struct beside *besides)
{
    for (int at = 0; at < BESIDES; at++)
        besides[at].number = NOWHERE;
}

/* Where an access goes that lies in one page of RAM; NULL otherwise. */
static inline char *in_ram(const struct page *pages, uint64_t addr, unsigned size)
{
    const struct page *page = &pages[(addr >> 12) % PAGES];
    if (page->number != addr >> 12 || (addr & 0xfff) > 0x1000 - size)
        return NULL;
    return (char *)(uintptr_t)(page->ram + addr);
}

/* The same of a store beside code. */
static inline char *beside_code(const struct beside *besides, uint64_t addr, unsigned size)
{
    const struct beside *page = &besides[(addr >> 12) % BESIDES];
    unsigned first = addr >> 4 & 255, last = (addr + size - 1) >> 4 & 255;
    if (page->number != addr >> 12 || (addr & 0xfff) > 0x1000 - size)
        return NULL;
    if ((page->code[first / 64] >> first % 64 | page->code[last / 64] >> last % 64) & 1)
        return NULL;
    return (char *)(uintptr_t)(page->ram + addr);
}

/* Towards minus infinity, as Python divides; in 64 bits where that is enough. */
static inline i128 floor_quotient(i128 a, i128 b)
{
    if (a == (int64_t)a && b == (int64_t)b && b != -1) {
        int64_t x = (int64_t)a, y = (int64_t)b, q = x / y;
        return q - (x % y != 0 && (x < 0) != (y < 0));
    }
    i128 q = a / b;
    return q - (a % b != 0 && (a < 0) != (b < 0));
}

static inline i128 floor_remainder(i128 a, i128 b)
{
    if (a == (int64_t)a && b == (int64_t)b && b != -1) {
        int64_t x = (int64_t)a, y = (int64_t)b, r = x % y;
        return r != 0 && (r < 0) != (y < 0) ? r + y : r;
    }
    i128 r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/* An access to fflags, frm or fcsr while there is floating point; false for any other CSR. */
static inline bool exchange(
    struct hart *h, uint64_t csr, uint64_t clear, uint64_t bits, uint64_t writes, uint64_t *old)
{
    unsigned int shift = csr == 2 ? 5 : 0, mask = csr == 1 ? 31 : csr == 2 ? 7 : 255;
    if (csr < 1 || csr > 3)
        return false;
    unsigned int fcsr = h->frm << 5 | h->fflags;
    *old = fcsr >> shift & mask;
    if (writes) {
        fcsr = (fcsr & ~(mask << shift)) | ((unsigned int)((*old & ~clear) | bits) & mask) << shift;
        h->fflags = fcsr & 31;
        h->frm = fcsr >> 5;
        h->mstatus |= FS;
    }
    return true;
}

/* The instruction has to be the caller's. */
#define LEAVE(where) do { h->addr = (where); goto plain; } while (0)

#define READABLE(pointer, bits, where) \
    char *pointer; \
    do { \
        uint64_t at_ = (where); \
        pointer = in_ram(h->reads, at_, (bits) / 8); \
        if (__builtin_expect(!pointer, 0)) \
            LEAVE(at_); \
    } while (0)

#define WRITABLE(pointer, bits, where) \
    char *pointer; \
    do { \
        uint64_t at_ = (where); \
        pointer = in_ram(h->writes, at_, (bits) / 8); \
        if (__builtin_expect(!pointer, 0)) { \
            pointer = beside_code(h->besides, at_, (bits) / 8); \
            if (!pointer) \
                LEAVE(at_); \
        } \
    } while (0)

#define ALIGNED(bits, where) \
    do { if ((where) & ((bits) / 8 - 1)) LEAVE(where); } while (0)

#define GET(bits, target, pointer) \
    uint64_t target; \
    do { uint##bits##_t got_; memcpy(&got_, pointer, (bits) / 8); target = got_; } while (0)

#define PUT(bits, pointer, what) \
    do { uint##bits##_t put_ = (uint##bits##_t)(what); memcpy(pointer, &put_, (bits) / 8); } while (0)

#define LOAD(bits, target, where) \
    READABLE(target##_at, bits, where); \
    GET(bits, target, target##_at)

#define STORE(bits, where, what) \
    do { \
        WRITABLE(to_, bits, where); \
        PUT(bits, to_, what); \
    } while (0)

/* The store that follows finds what the load has found. */
#define AMO(bits, target, where) \
    ALIGNED(bits, where); \
    WRITABLE(target##_at, bits, where); \
    GET(bits, target, target##_at)

#define LOAD_RESERVED(bits, target, where) \
    ALIGNED(bits, where); \
    LOAD(bits, target, where); \
    h->reserved_addr = (where); \
    h->reserved_size = (bits) / 8; \
    h->reserved_value = target

#define STORE_CONDITIONAL(bits, target, where, what) \
    uint64_t target = 1; \
    ALIGNED(bits, where); \
    if (h->reserved_size == (bits) / 8 && h->reserved_addr == (where)) { \
        WRITABLE(to_, bits, where); \
        GET(bits, old_, to_); \
        if (old_ == h->reserved_value) { \
            PUT(bits, to_, what); \
            target = 0; \
        } \
    } \
    h->reserved_size = 0

#define FLOATING(target, function, ...) \
    uint64_t target; \
    if (__builtin_expect(!h->floats || !function(__VA_ARGS__, &target, &h->fflags), 0)) \
        goto plain

#define EXCHANGE(target, csr, clear, bits, writes) \
    uint64_t target; \
    if (!exchange(h, csr, clear, bits, writes, &target)) \
        goto plain

#define NEXT do { op++; goto *(const void *)(uintptr_t)op->code; } while (0)

#define JUMP(target) \
    do { \
        pc = (target); \
        left -= block->count; \
        cycles += block->cost + block->taken; \
        link = &block->jumped; \
        goto enter; \
    } while (0)

#define BRANCH(condition, target) \
    do { if (condition) JUMP(target); goto end; } while (0)

#define RUN run64
#define LIST LIST_64
#define CODE CODE_64
#include "loop.h"
#undef RUN
#undef LIST
#undef CODE
#define RUN run32
#define LIST LIST_32
#define CODE CODE_32
#include "loop.h"

int sound(void)
{
    return fp_host_is_sound();
}

const char *table64(void)
{
    return TABLE_64;
}

const char *table32(void)
{
    return TABLE_32;
}
