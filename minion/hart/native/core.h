/* What the engine in C and its caller (engine.py) share.  Read by cffi: declarations only. */

enum { PAGES = 4096, BESIDES = 64, REGIMES = 256, REGIONS = 16, LEVELS = 5 };
enum { END, PLAIN_OP, FIRST };  /* The end of a block; an instruction that is the caller's. */

struct op {
    uint64_t code;  /* In the order of table64() or table32(), from FIRST on; once linked, where. */
    uint8_t r[8];
    uint64_t i[2];
};

/* The block that came after another one. */
struct link {
    uint64_t pc;
    uint64_t epoch;       /* As long as that is the hart's, or */
    uint64_t generation;  /* that: for a block in the same page; it is never 0. */
    struct block *block;
};

struct block {
    uint64_t pc;
    uint64_t where;       /* In memory, plus 1 if floating point was on; see hart.loose. */
    uint64_t second;      /* Where its second half is, if that lies in another page. */
    uint64_t end;
    int64_t count;
    int64_t cost;
    int64_t taken;        /* What it costs more if its branch is taken. */
    int64_t number;       /* The caller's name for it. */
    uint64_t bytes;       /* Of code: they follow the operations. */
    uint64_t system;      /* After it, an address may mean something else. */
    uint64_t linked;
    uint64_t epoch;       /* Of a loose one: it is good as long as that is the hart's. */
    uint64_t generation;  /* Of any other: if it is not the hart's, its bytes are to be compared. */
    struct link next;
    struct link jumped;
    struct op ops[];
};

/* All blocks, by pc and place: open addressing. */
struct entry {
    uint64_t hash;
    struct block *block;
};
struct table {
    uint64_t mask;  /* Number of entries, less one. */
    struct entry *entries;
};

/* A page of RAM that may be accessed; in its place by the low bits of its number. */
struct page {
    uint64_t number;  /* With the regime's tag. */
    uint64_t ram;     /* What to add to a virtual address to have a pointer. */
};

/* A page that also holds code: stores elsewhere in it are as good as any. */
struct beside {
    uint64_t number;
    uint64_t ram;
    const uint64_t *code;  /* A bit for each 16 bytes of which some are code. */
};

/* What gives a virtual address its meaning. */
struct regime {
    uint64_t tag;     /* An identifier above the bits of page numbers; 0: to be given one. */
    uint64_t epoch;   /* Another one each time that what can be fetched has changed. */
    uint64_t root;    /* Of the page tables. */
    uint64_t asid;
    int levels;       /* 0: addresses are physical. */
    int priv;
    int sum;
    int mxr;
};

/* An entry of PMP that is on. */
struct region {
    uint64_t first;
    uint64_t last;
    uint64_t cfg;
};

struct hart {
    uint64_t x[33];
    uint64_t f[32];
    unsigned int frm;
    unsigned int fflags;
    uint64_t mstatus;  /* Bits that have been set. */
    uint64_t reserved_addr;
    uint64_t reserved_size;  /* 0: no reservation. */
    uint64_t reserved_value;
    uint64_t pc;
    int64_t left;    /* Of the budget, at the beginning of `block`. */
    int64_t cycles;
    struct block *block;  /* To be gone on with at `index`; NULL: at pc. */
    uint64_t index;
    int floats;     /* Whether the host's floating point is what it should be. */
    int may_fence;  /* Whether sfence.vma is legal now. */
    int fenced;     /* Whether there was one. */
    uint64_t mask;  /* Of addresses. */
    uint64_t fp;    /* 1 if floating point is on. */
    uint64_t data_tag;
    uint64_t code_tag;
    uint64_t epoch;       /* Of the regime that code is fetched in. */
    uint64_t generation;  /* Another one each time that blocks may not be what is in memory. */
    struct regime *data;
    struct regime *code;
    struct table table;

    uint64_t ram;       /* Where it is. */
    uint64_t ram_base;
    uint64_t ram_bytes;
    uint64_t *csrs;       /* The values of CSRs, and what of them can be written, by number. */
    uint64_t *csr_masks;
    unsigned char *watched;  /* By page of RAM: UNWATCHED, DECODED or WATCHED. */
    uint64_t *granules;      /* By page of RAM: four words, as in struct beside. */
    int pte_bytes;
    int vpn_bits;
    int ppn_bits;
    int regions_on;
    struct region regions[REGIONS];

    int regimes_used;
    uint64_t tags;    /* Given. */
    uint64_t epochs;  /* Given. */
    uint64_t large[LEVELS];  /* By level: a bit for each superpage met, by its number modulo 64. */
    struct regime regimes[REGIMES];
    struct beside besides[BESIDES];
    struct page reads[PAGES];
    struct page writes[PAGES];
    struct page fetches[PAGES];
};

enum { UNWATCHED, DECODED, WATCHED };  /* Stores are seen by nobody, by who decodes code, by others. */
enum {
    MISSING,  /* There is no block at pc. */
    SHORT,    /* The block at pc, `block`, is longer than what is left. */
    PLAIN     /* Instruction `index` of `block` is the caller's: nothing of it has happened. */
};

int sound(void);  /* What `floats` is to be. */
int run64(struct hart *h);
int run32(struct hart *h);
const char *table64(void);
const char *table32(void);

uint64_t loose(const struct hart *h);
int put(struct hart *h, struct block *block);
int grow(struct hart *h, struct entry *entries, uint64_t mask);
void withdraw(struct hart *h, struct block *block);
void empty(struct hart *h);
void doubt(struct hart *h);

void start(struct hart *h);
void enter(struct hart *h, int data, int code);
void flush_all(struct hart *h);
void flush_page(struct hart *h, uint64_t addr);
void watch(struct hart *h, uint64_t page, int how);
