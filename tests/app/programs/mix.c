/* Code that is not one loop: records, strings, lists, sorting, recursion, doubles. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    struct item *next;
    char name[24];
    int value;
    double weight;
};

static int by_name(const void *a, const void *b)
{
    return strcmp((*(struct item *const *)a)->name, (*(struct item *const *)b)->name);
}

static int ackermann(int m, int n)
{
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

int main(int argc, char **argv)
{
    int rounds = argc > 1 ? atoi(argv[1]) : 1;
    unsigned long digest = 5381;
    for (int r = 0; r < rounds; r++) {
        struct item *list = NULL, *all[200];
        unsigned seed = 42 + r;
        for (int i = 0; i < 200; i++) {
            struct item *it = calloc(1, sizeof *it);
            seed = seed * 1664525 + 1013904223;
            snprintf(it->name, sizeof it->name, "%08x-%d", seed, i);
            it->value = seed >> 8;
            it->weight = sqrt(it->value) / (i + 1);
            it->next = list;
            all[i] = list = it;
        }
        qsort(all, 200, sizeof *all, by_name);
        double sum = 0;
        for (struct item *it = list; it; it = it->next)
            sum += it->weight * sin(it->value);
        for (int i = 0; i < 200; i++)
            for (const char *c = all[i]->name; *c; c++)
                digest = digest * 33 + *c;
        char text[64];
        snprintf(text, sizeof text, "%.12g", sum);
        for (const char *c = text; *c; c++)
            digest = digest * 33 + *c;
        digest += ackermann(2, 9);
        while (list) {
            struct item *next = list->next;
            free(list);
            list = next;
        }
    }
    printf("%016lx %s\n", digest, argc > 2 ? argv[2] : "");
    return 0;
}
