/* Translations: what the tables of pages hold, and how they come to it (privileged, 4.2.1, 4.3).
 *
 * Theory of operation.  A regime is a privilege level, an address space and the bits of mstatus that
 * decide about an access.  Its tag is part of what a page is looked up by, so several share the
 * tables; forgetting one is to give it another tag.  A page that is not there is looked for in the
 * page tables; what is found is kept only if it is RAM, whole in PMP's eyes, and the access is
 * allowed.  Everything else, every fault too, is the caller's, who finds it once more and exactly.
 *
 * What the hart fetches has an epoch besides, for links between blocks: a link that holds leads to a
 * page that is in `fetches`.  So dropping one from there, for whatever reason, ends the epoch.
 */

enum { TO_LOAD, TO_STORE, TO_FETCH };  /* Access of fields.py. */
enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128 };
enum { USER, SUPERVISOR, MACHINE = 3, PMP_LOCK = 0x80, TAG_SHIFT = 52, TAGS = 4095 };
static const uint64_t NOWHERE = ~UINT64_C(0);  /* No page has this number: no regime has its tag. */

/* -- forgetting */

static void new_epoch(struct hart *h, struct regime *r)
{
    r->epoch = ++h->epochs;
    h->epoch = h->code->epoch;
}

static void new_epochs(struct hart *h)
{
    for (int n = 0; n < h->regimes_used; n++)
        new_epoch(h, &h->regimes[n]);
}

static void wipe(struct hart *h)
{
    for (int n = 0; n < PAGES; n++)
        h->reads[n].number = h->writes[n].number = h->fetches[n].number = NOWHERE;
    for (int n = 0; n < BESIDES; n++)
        h->besides[n].number = NOWHERE;
    for (int n = 0; n < h->regimes_used; n++)
        h->regimes[n].tag = 0;
    h->tags = 0;
}

static void tag(struct hart *h, struct regime *r)
{
    r->tag = ++h->tags << TAG_SHIFT;
    new_epoch(h, r);
}

/* Have both regimes in use tags, and the hart's be theirs. */
static void retag(struct hart *h)
{
    if (h->tags + 2 >= TAGS)
        wipe(h);
    if (!h->data->tag)
        tag(h, h->data);
    if (!h->code->tag)
        tag(h, h->code);
    h->data_tag = h->data->tag;
    h->code_tag = h->code->tag;
    h->epoch = h->code->epoch;
}

void start(struct hart *h)
{
    h->regimes_used = 0;
    h->data = h->code = &h->regimes[0];
    h->generation = 1;
    wipe(h);
}

/* The regimes with these numbers are in force. */
void enter(struct hart *h, int data, int code)
{
    h->data = &h->regimes[data];
    h->code = &h->regimes[code];
    retag(h);
}

static void flush_asid(struct hart *h, uint64_t asid)
{
    for (int n = 0; n < h->regimes_used; n++)
        if (h->regimes[n].levels && h->regimes[n].asid == asid)
            h->regimes[n].tag = 0;
    retag(h);
}

void flush_all(struct hart *h)
{
    for (int n = 0; n < h->regimes_used; n++)
        h->regimes[n].tag = 0;
    memset(h->large, 0, sizeof h->large);
    if (h->regimes_used)
        retag(h);
}

static uint64_t untagged(uint64_t number)
{
    return number == NOWHERE ? NOWHERE : number & ((UINT64_C(1) << TAG_SHIFT) - 1);
}

/* What an address means, in any regime: also if it is one in a superpage. */
void flush_page(struct hart *h, uint64_t addr)
{
    uint64_t number = addr >> 12;
    for (int level = 1; level < LEVELS; level++)
        if (h->large[level] >> (number >> level * h->vpn_bits & 63) & 1) {
            flush_all(h);
            return;
        }
    struct page *pages[] = {h->reads, h->writes, h->fetches};
    for (int n = 0; n < 3; n++) {
        struct page *page = &pages[n][number % PAGES];
        if (untagged(page->number) == number) {
            page->number = NOWHERE;
            if (n == TO_FETCH)
                new_epochs(h);
        }
    }
    struct beside *beside = &h->besides[number % BESIDES];
    if (untagged(beside->number) == number)
        beside->number = NOWHERE;
}

/* sfence.vma.  What it is said to leave alone (global pages, of one address another space's) is
 * forgotten with the rest. */
static void fence(struct hart *h, bool by_addr, uint64_t addr, bool by_asid, uint64_t asid)
{
    h->fenced = 1;
    if (by_addr)
        flush_page(h, addr);
    else if (by_asid)
        flush_asid(h, asid & (h->pte_bytes == 8 ? 0xffff : 0x1ff));
    else
        flush_all(h);
}

/* -- finding */

static char *physical(const struct hart *h, uint64_t paddr, uint64_t size)
{
    uint64_t at = paddr - h->ram_base;
    return at < h->ram_bytes && size <= h->ram_bytes - at ? (char *)(uintptr_t)(h->ram + at) : NULL;
}

/* As Pmp.permits: the first entry with any byte of it decides, and must have all of them. */
static bool permitted(const struct hart *h, uint64_t paddr, uint64_t size, int access, int priv)
{
    static const unsigned char needs[] = {1, 2, 4};
    uint64_t end = paddr + size - 1;
    for (int n = 0; n < h->regions_on; n++) {
        const struct region *region = &h->regions[n];
        if (paddr > region->last || region->first > end)
            continue;
        if (paddr < region->first || region->last < end)
            return false;
        return (priv == MACHINE && !(region->cfg & PMP_LOCK)) || region->cfg & needs[access];
    }
    return priv == MACHINE;
}

static bool leaf_permits(const struct regime *r, uint64_t pte, int access)
{
    if (pte & U ? r->priv == SUPERVISOR && (access == TO_FETCH || !r->sum) : r->priv == USER)
        return false;
    if (access == TO_LOAD)
        return pte & R || (r->mxr && pte & X);
    return pte & (access == TO_STORE ? W : X);
}

/* As Walker.translate, where that raises nothing: A and D are set. */
static bool walk(
    struct hart *h, const struct regime *r, uint64_t addr, int access, uint64_t *paddr)
{
    if (!r->levels) {
        *paddr = addr;
        return true;
    }
    int unused = 64 - 12 - r->levels * h->vpn_bits;
    if (h->pte_bytes == 8 && (uint64_t)((int64_t)(addr << unused) >> unused) != addr)
        return false;
    uint64_t table = r->root;
    for (int level = r->levels - 1; level >= 0; level--) {
        int low = 12 + level * h->vpn_bits;
        uint64_t inside = (UINT64_C(1) << low) - 1, pte = 0;
        uint64_t index = addr >> low & ((UINT64_C(1) << h->vpn_bits) - 1);
        uint64_t place = table + index * (uint64_t)h->pte_bytes;
        char *at = physical(h, place, (uint64_t)h->pte_bytes);
        if (!at || !permitted(h, place, (uint64_t)h->pte_bytes, TO_LOAD, SUPERVISOR))
            return false;
        memcpy(&pte, at, (size_t)h->pte_bytes);
        if (!(pte & V) || (pte & (R | W)) == W || pte >> (10 + h->ppn_bits))
            return false;
        uint64_t base = pte >> 10 << 12;
        if (!(pte & (R | X))) {
            if (pte & (D | A | U))
                return false;
            table = base;
            continue;
        }
        if (base & inside & ~UINT64_C(0xfff) || !leaf_permits(r, pte, access))
            return false;
        uint64_t touched = pte | A | (access == TO_STORE ? D : 0);
        if (touched != pte) {
            if (!permitted(h, place, (uint64_t)h->pte_bytes, TO_STORE, SUPERVISOR))
                return false;
            memcpy(at, &touched, (size_t)h->pte_bytes);
        }
        h->large[level] |= UINT64_C(1) << (addr >> low & 63);
        *paddr = base | (addr & inside);
        return true;
    }
    return false;
}

static uint64_t granule(const uint64_t *code, uint64_t addr)
{
    unsigned number = addr >> 4 & 255;
    return code[number / 64] >> number % 64 & 1;
}

/* A page that was not there is entered.  Where the access goes; NULL: it is the caller's. */
static __attribute__((noinline, cold)) char *fill(struct hart *h, uint64_t addr, unsigned size, int access)
{
    struct regime *r = access == TO_FETCH ? h->code : h->data;
    uint64_t paddr, number = addr >> 12;
    if ((addr & 0xfff) > 0x1000 - size || !walk(h, r, addr, access, &paddr))
        return NULL;
    char *page = physical(h, paddr & ~UINT64_C(0xfff), 0x1000);
    if (!page || !permitted(h, paddr & ~UINT64_C(0xfff), 0x1000, access, r->priv))
        return NULL;
    uint64_t ram = (uintptr_t)page - (addr & ~UINT64_C(0xfff));
    struct page entry = {number ^ r->tag, ram};
    if (access == TO_STORE) {
        uint64_t at = (paddr - h->ram_base) >> 12;
        if (h->watched[at] == WATCHED)
            return NULL;
        if (h->watched[at] == DECODED) {
            const uint64_t *code = &h->granules[4 * at];
            h->besides[number % BESIDES] = (struct beside){entry.number, ram, code};
            if (granule(code, addr) | granule(code, addr + size - 1))
                return NULL;
        } else
            h->writes[number % PAGES] = entry;
    } else if (access == TO_FETCH) {
        struct page *place = &h->fetches[number % PAGES];
        if (place->number != NOWHERE)
            for (int n = 0; n < h->regimes_used; n++)
                if (h->regimes[n].tag == (place->number & ~((UINT64_C(1) << TAG_SHIFT) - 1)))
                    new_epoch(h, &h->regimes[n]);
        *place = entry;
    } else
        h->reads[number % PAGES] = entry;
    return (char *)(uintptr_t)(ram + addr);
}

/* Who sees stores to a page of RAM has changed. */
void watch(struct hart *h, uint64_t page, int how)
{
    uint64_t at = h->ram + (page << 12);
    h->watched[page] = (unsigned char)how;
    if (how == UNWATCHED)
        return;
    for (int n = 0; n < PAGES; n++)
        if (h->writes[n].ram + (h->writes[n].number << 12) == at)
            h->writes[n].number = NOWHERE;
    for (int n = 0; how == WATCHED && n < BESIDES; n++)
        if (h->besides[n].ram + (h->besides[n].number << 12) == at)
            h->besides[n].number = NOWHERE;
}

/* -- looking */

static inline bool found(uint64_t number, uint64_t addr, uint64_t tag, unsigned size)
{
    return number == (addr >> 12 ^ tag) && (addr & 0xfff) <= 0x1000 - size;
}

/* A store beside code, or to a page that was not there. */
static __attribute__((noinline, cold)) char *beside(struct hart *h, uint64_t addr, unsigned size)
{
    const struct beside *page = &h->besides[(addr >> 12) % BESIDES];
    if (!found(page->number, addr, h->data_tag, size))
        return fill(h, addr, size, TO_STORE);
    if (granule(page->code, addr) | granule(page->code, addr + size - 1))
        return NULL;
    return (char *)(uintptr_t)(page->ram + addr);
}

static inline char *fetchable(struct hart *h, uint64_t pc)
{
    const struct page *page = &h->fetches[(pc >> 12) % PAGES];
    if (found(page->number, pc, h->code_tag, 2))
        return (char *)(uintptr_t)(page->ram + pc);
    return fill(h, pc, 2, TO_FETCH);
}
