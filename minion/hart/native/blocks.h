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

static inline uint64_t slot(const struct table *table, uint64_t pc, uint64_t where)
{
    return (pc >> 1 ^ pc >> 13 ^ where >> 12 ^ where >> 23) & table->mask;
}

static struct block **entry(const struct table *table, uint64_t pc, uint64_t where)
{
    uint64_t at = slot(table, pc, where);
    for (int probe = 0; probe < PROBES; probe++) {
        struct block **place = &table->entries[(at + (uint64_t)probe) & table->mask];
        if (*place && (*place)->pc == pc && (*place)->where == where)
            return place;
    }
    return NULL;
}

static bool insert(struct table *table, struct block *block)
{
    struct block **place = entry(table, block->pc, block->where);
    uint64_t at = slot(table, block->pc, block->where);
    for (int probe = 0; !place && probe < PROBES; probe++)
        if (!table->entries[(at + (uint64_t)probe) & table->mask])
            place = &table->entries[(at + (uint64_t)probe) & table->mask];
    if (place)
        *place = block;
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
int grow(struct hart *h, struct block **entries, uint64_t mask)
{
    struct table larger = {mask, entries};
    for (uint64_t at = 0; h->table.entries && at <= h->table.mask; at++)
        if (h->table.entries[at] && !insert(&larger, h->table.entries[at]))
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
    struct block **place = entry(&h->table, block->pc, block->where);
    if (place && *place == block)
        *place = NULL;
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
    struct block **place = entry(&h->table, pc, (at ? (uintptr_t)at : loose(h)) + h->fp);
    if (!place)
        return NULL;
    struct block *block = *place;
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
