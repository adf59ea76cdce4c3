/* An interpreter of decoded instructions in C; its pieces are generated (write.py).
 *
 * Theory of operation.  engine.py decodes, as for the other engines, and has blocks put into a table
 * by where they are in memory (blocks.h).  run64 goes from block to block; each remembers the two
 * that came after it last.  RAM is reached through tables of pages, which fill themselves from the
 * hart's page tables (tlb.h); whatever is not there (a device, a fault, a store into code), and
 * whatever has no piece here (a CSR, a trap), ends the run before the instruction has changed
 * anything.  Nothing here calls back, and nothing here raises a trap.
 */

#include <stdbool.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "RAM is little-endian, as the host has to be"
#endif

typedef unsigned __int128 u128;
typedef __int128 i128;

#include "floating.h"
#include "tlb.h"
#include "blocks.h"

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

/* A CSR instruction that code.py has left to us: of fflags, frm or fcsr while there is floating
 * point, or of a register that is no more than its bits.  False if it traps. */
static inline bool exchange(
    struct hart *h, uint64_t csr, uint64_t clear, uint64_t bits, uint64_t writes, uint64_t *old)
{
    if (csr > 3) {
        if ((uint64_t)h->code->priv < (csr >> 8 & 3) || (writes && csr >> 10 == 3))
            return false;
        uint64_t value = *old = h->csrs[csr], writable = h->csr_masks[csr];
        if (writes)
            h->csrs[csr] = (value & ~writable) | (((value & ~clear) | bits) & writable);
        return true;
    }
    unsigned int shift = csr == 2 ? 5 : 0, mask = csr == 1 ? 31 : csr == 2 ? 7 : 255;
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

/* Where an access goes, by the table `pages`, or as `otherwise` says. */
#define AT(pointer, bits, where, pages, otherwise) \
    char *pointer; \
    do { \
        uint64_t at_ = (where); \
        const struct page *page_ = &h->pages[(at_ >> 12) % PAGES]; \
        if (__builtin_expect(found(page_->number, at_, h->data_tag, (bits) / 8), 1)) { \
            pointer = (char *)(uintptr_t)(page_->ram + at_); \
        } else { \
            pointer = otherwise; \
            if (!pointer) \
                goto plain; \
        } \
    } while (0)

#define READABLE(pointer, bits, where) \
    AT(pointer, bits, where, reads, fill(h, at_, (bits) / 8, TO_LOAD))
#define WRITABLE(pointer, bits, where) \
    AT(pointer, bits, where, writes, beside(h, at_, (bits) / 8))

#define ALIGNED(bits, where) \
    do { if ((where) & ((bits) / 8 - 1)) goto plain; } while (0)

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

/* Code that follows it is looked for anew: see struct block, system. */
#define SFENCE(rs1, addr, rs2, asid) \
    do { \
        if (!h->may_fence) \
            goto plain; \
        fence(h, (rs1) != 0, (addr), (rs2) != 0, (asid)); \
    } while (0)

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
