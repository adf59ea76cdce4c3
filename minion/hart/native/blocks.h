/* Blocks: where they are found, and the way from one to the next.
 *
 * Theory of operation.  A block is decoded for a pc, but it belongs to a place in memory: it stays
 * whatever becomes of translations, and two virtual addresses of one place have a block each.  One
 * of which the place cannot be told (a ROM, a page that PMP divides) is loose: it is good for one
 * regime and one epoch.  Each block remembers which two came after it last, for an epoch; if both lie
 * in one page, then until blocks change: whoever is in a page need not look where it is.
 */

enum { PROBES = 8 };

/* In place of a block's where: no pointer is as small. */
uint64_t loose(const struct hart *h)
{
    return 2 + 2 * (uint64_t)(h->code - h->regimes);
}

static inline uint64_t hashed(uint64_t pc, uint64_t where)
{
    return pc * UINT64_C(0x9e3779b97f4a7c15) ^ where * UINT64_C(0xc2b2ae3d27d4eb4f);
}

static inline struct entry *probed(const struct table *table, uint64_t hash, uint64_t probe)
{
    return &table->entries[((hash >> 32) + probe) & table->mask];
}

static struct entry *entry(const struct table *table, uint64_t pc, uint64_t where)
{
    uint64_t hash = hashed(pc, where);
    for (uint64_t probe = 0; probe < PROBES; probe++) {
        struct entry *place = probed(table, hash, probe);
        if (place->hash == hash && place->block && place->block->pc == pc
            && place->block->where == where)
            return place;
    }
    return NULL;
}

static bool insert(struct table *table, struct block *block)
{
    uint64_t hash = hashed(block->pc, block->where);
    struct entry *place = entry(table, block->pc, block->where);
    for (uint64_t probe = 0; !place && probe < PROBES; probe++)
        if (!probed(table, hash, probe)->block)
            place = probed(table, hash, probe);
    if (place)
        *place = (struct entry){hash, block};
    return place != NULL;
}

/* A block that has just been found to be what is at its pc.  0 if there is no room for it. */
int put(struct hart *h, struct block *block)
{
    block->epoch = h->epoch;
    block->generation = h->generation;
    return insert(&h->table, block);
}

/* Larger entries for the table, all of them NULL.  0 if they are not large enough. */
int grow(struct hart *h, struct entry *entries, uint64_t mask)
{
    struct table larger = {mask, entries};
    for (uint64_t at = 0; h->table.entries && at <= h->table.mask; at++)
        if (h->table.entries[at].block && !insert(&larger, h->table.entries[at].block))
            return 0;
    h->table = larger;
    return 1;
}

/* Blocks may not be what is in memory any more. */
void doubt(struct hart *h)
{
    h->generation++;
    new_epochs(h);
}

/* A block is not to be executed again; after all such ones, doubt(). */
void withdraw(struct hart *h, struct block *block)
{
    struct entry *place = entry(&h->table, block->pc, block->where);
    if (place && place->block == block)
        place->block = NULL;
}

void empty(struct hart *h)
{
    memset(h->table.entries, 0, (h->table.mask + 1) * sizeof *h->table.entries);
    doubt(h);
}

/* Whether a block is what is in memory. */
static bool unchanged(struct hart *h, struct block *block, const char *at)
{
    if (block->generation == h->generation)
        return true;
    const char *bytes = (const char *)&block->ops[block->count + 1];
    size_t first = block->second ? 2 : block->bytes;
    if (memcmp(at, bytes, first))
        return false;
    if (block->second && memcmp((char *)(uintptr_t)block->second, bytes + 2, 2))
        return false;
    block->generation = h->generation;
    return true;
}

/* The block at pc, to which a link of another one may lead from now on; NULL: the caller has it. */
static __attribute__((noinline)) struct block *follow(
    struct hart *h, struct link *link, const struct block *from, uint64_t pc)
{
    if (link->pc == pc && link->generation == h->generation) {
        link->epoch = h->epoch;
        return link->block;
    }
    const char *at = fetchable(h, pc);
    struct entry *place = entry(&h->table, pc, (at ? (uintptr_t)at : loose(h)) + h->fp);
    if (!place)
        return NULL;
    struct block *block = place->block;
    if (!at) {
        if (block->epoch != h->epoch)
            return NULL;
    } else {
        if (block->second && fetchable(h, (pc + 2) & h->mask) != (char *)(uintptr_t)block->second)
            return NULL;
        if (!unchanged(h, block, at))
            return NULL;
    }
    bool near = from && at && !from->system && !from->second && !block->second
        && (from->pc ^ pc) >> 12 == 0 && (from->where ^ block->where) >> 12 == 0;
    *link = (struct link){pc, h->epoch, near ? h->generation : 0, block};
    return block;
}
