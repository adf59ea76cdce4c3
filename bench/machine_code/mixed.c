/* Code that is not one hot loop: a bytecode interpreter, sorting, a tree, strings, records. */

#include <stddef.h>
#include <stdint.h>

static uint32_t seed;

static uint32_t noise(void)
{
    seed = seed * 1664525 + 1013904223;
    return seed >> 8;
}

/* -- a machine with a stack */

enum { PUSH, ADD, SUB, MUL, DUP, SWAP, LOAD, STORE, LESS, JUMP_IF, PRINT, STOP };

/* prints sums of squares: for (i = 0; i < 40; i++) { s += i * i; print(s); } */
static const uint8_t program[] = {
    PUSH, 0, STORE, 0, PUSH, 0, STORE, 1,
    LOAD, 0, DUP, MUL, LOAD, 1, ADD, DUP, STORE, 1, PRINT,
    LOAD, 0, PUSH, 1, ADD, DUP, STORE, 0, PUSH, 40, LESS, JUMP_IF, 8, STOP,
};

static uint32_t printed;

static uint32_t interpret(const uint8_t *pc)
{
    int64_t stack[16], cells[4], *top = stack;
    const uint8_t *start = pc;
    for (;;) {
        switch (*pc++) {
        case PUSH: *top++ = *pc++; break;
        case ADD: top--; top[-1] += *top; break;
        case SUB: top--; top[-1] -= *top; break;
        case MUL: top--; top[-1] *= *top; break;
        case DUP: *top = top[-1]; top++; break;
        case SWAP: { int64_t t = top[-1]; top[-1] = top[-2]; top[-2] = t; break; }
        case LOAD: *top++ = cells[*pc++]; break;
        case STORE: cells[*pc++] = *--top; break;
        case LESS: top--; top[-1] = top[-1] < *top; break;
        case JUMP_IF: pc = *--top ? start + *pc : pc + 1; break;
        case PRINT: printed = printed * 31 + (uint32_t)*--top; break;
        case STOP: return printed;
        }
    }
}

/* -- sorting */

static void sort(int32_t *first, int32_t *last)
{
    while (last - first > 8) {
        int32_t pivot = first[(last - first) / 2], *i = first, *j = last - 1;
        while (i <= j) {
            while (*i < pivot) i++;
            while (*j > pivot) j--;
            if (i <= j) {
                int32_t t = *i;
                *i++ = *j;
                *j-- = t;
            }
        }
        sort(first, j + 1);
        first = i;
    }
    for (int32_t *i = first + 1; i < last; i++) {
        int32_t value = *i, *j = i;
        for (; j > first && j[-1] > value; j--)
            *j = j[-1];
        *j = value;
    }
}

/* -- a tree of words */

struct node {
    struct node *less, *more;
    char word[12];
    uint32_t count;
};

static struct node nodes[128], *root;
static uint32_t used;

static int compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a - *b;
}

static struct node *find(struct node **place, const char *word)
{
    while (*place) {
        int order = compare(word, (*place)->word);
        if (!order)
            return *place;
        place = order < 0 ? &(*place)->less : &(*place)->more;
    }
    struct node *new = *place = &nodes[used++];
    for (int n = 0; n < 12; n++)
        new->word[n] = word[n];
    return new;
}

static uint32_t depth(const struct node *node)
{
    if (!node)
        return 0;
    uint32_t less = depth(node->less), more = depth(node->more);
    return 1 + (less > more ? less : more);
}

static uint32_t words(void)
{
    root = NULL;
    used = 0;
    for (uint8_t *p = (uint8_t *)nodes; p < (uint8_t *)(nodes + 128); p++)
        *p = 0;
    for (int n = 0; n < 200; n++) {
        char word[12] = { 0 };
        uint32_t letters = noise() % 100;
        for (int at = 0; at < 3; at++, letters /= 5)
            word[at] = 'a' + letters % 5;
        find(&root, word)->count++;
    }
    return depth(root) * used;
}

/* -- records passed by value and by pointer */

struct point {
    int32_t x, y;
    int16_t kind;
};

__attribute__((noinline)) static struct point moved(struct point p, const struct point *by)
{
    p.x += by->x;
    p.y -= by->y;
    p.kind ^= p.x > p.y;
    return p;
}

static uint32_t records(void)
{
    struct point p = { 1, 2, 0 }, by = { 3, -5, 1 };
    for (int n = 0; n < 100; n++) {
        p = moved(p, &by);
        if (p.kind)
            by.x = p.y % 17;
    }
    return p.x * 31 + p.y;
}

/* -- a table made of bits, and its use */

static uint32_t crc(const uint8_t *data, size_t length)
{
    static uint32_t table[256];
    if (!table[1])
        for (uint32_t n = 0; n < 256; n++) {
            uint32_t c = n;
            for (int bit = 0; bit < 8; bit++)
                c = c & 1 ? c >> 1 ^ 0xedb88320 : c >> 1;
            table[n] = c;
        }
    uint32_t c = ~0u;
    while (length--)
        c = table[(c ^ *data++) & 255] ^ c >> 8;
    return ~c;
}

uint32_t work(uint32_t rounds)
{
    static int32_t numbers[300];
    uint32_t sum = 0;
    seed = 1;
    for (uint32_t n = 0; n < rounds; n++) {
        sum += interpret(program);
        for (int i = 0; i < 300; i++)
            numbers[i] = noise();
        sort(numbers, numbers + 300);
        for (int i = 1; i < 300; i++)
            sum += numbers[i - 1] > numbers[i];
        sum ^= words();
        sum += records();
        sum ^= crc((const uint8_t *)numbers, sizeof numbers);
    }
    return sum;
}
