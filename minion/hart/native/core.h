/* What the engine in C and its caller (engine.py) share.  Read by cffi: declarations only. */

struct op {
    uint64_t code;  /* In the order of table64() or table32(), from FIRST on; once linked, where. */
    uint8_t r[8];
    uint64_t i[2];
};

enum { END, PLAIN_OP, FIRST };  /* The end of a block; an instruction that is the caller's. */

/* The block that came after another one. */
struct link {
    uint64_t pc;
    uint64_t epoch;  /* Of the table that it was found in. */
    struct block *block;
};

struct block {
    uint64_t pc;
    uint64_t end;
    int64_t count;
    int64_t cost;
    int64_t taken;  /* What it costs more if its branch is taken. */
    uint64_t linked;
    struct link next;
    struct link jumped;
    struct op ops[];
};

/* The blocks of one context, by pc: open addressing. */
struct entry {
    uint64_t pc;
    struct block *block;
};
struct table {
    uint64_t mask;  /* Number of entries, less one. */
    uint64_t epoch;  /* Another one each time that blocks were forgotten. */
    struct entry *entries;
};

/* Pages of RAM that may be accessed, by the low bits of their number. */
struct page {
    uint64_t number;
    uint64_t ram;  /* What to add to a virtual address to have a pointer. */
};

/* Pages that also hold code: stores elsewhere in them are as good as any. */
struct beside {
    uint64_t number;
    uint64_t ram;
    uint64_t code[4];  /* A bit for each 16 bytes of which some are code. */
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
    uint64_t addr;  /* Of the access that PLAIN is about, perhaps. */
    int floats;     /* Whether the host's floating point is what it should be. */
    struct table *table;
    struct page *reads;
    struct page *writes;
    struct beside *besides;
};

enum { PAGES = 4096, BESIDES = 64 };
enum {
    MISSING,  /* The table has no block at pc. */
    SHORT,    /* The block at pc is longer than what is left. */
    PLAIN     /* Instruction `index` of `block` is the caller's: nothing of it has happened. */
};

int sound(void);  /* What `floats` is to be. */
int run64(struct hart *h);
int run32(struct hart *h);
const char *table64(void);
const char *table32(void);
int put(struct table *table, struct block *block);
void forget(struct table *table);
void drop(struct page *pages, uint64_t number);
void drop_all(struct page *pages);
void drop_besides(struct beside *besides);
