/* One engine: RUN, of the pieces CODE, whose labels are LIST. */

int RUN(struct hart *h)
{
    static const void *const labels[] = {&&end, &&plain, LIST};
    struct link first = {0};
    struct link *link = &first;
    struct block *block = h->block;
    const struct op *op;
    uint64_t pc = h->pc;
    int64_t left = h->left, cycles = h->cycles;
    int why;

    if (block) {
        op = &block->ops[h->index];
        goto *(const void *)(uintptr_t)op->code;
    }
enter:
    if (__builtin_expect(link->pc == pc && link->epoch == h->epoch, 1)) {
        block = link->block;
    } else {
        block = follow(h, link, block, pc);
        if (!block) {
            why = MISSING;
            goto out;
        }
        if (!block->linked) {
            for (int64_t n = 0; n <= block->count; n++)
                block->ops[n].code = (uintptr_t)labels[block->ops[n].code];
            block->linked = 1;
        }
    }
    if (block->count > left) {
        why = SHORT;
        goto out;
    }
    op = block->ops;
    goto *(const void *)(uintptr_t)op->code;

CODE

end:
    pc = block->end;
    left -= block->count;
    cycles += block->cost;
    link = &block->next;
    goto enter;
plain:
    h->index = (uint64_t)(op - block->ops);
    why = PLAIN;
out:
    h->block = block;
    h->pc = pc;
    h->left = left;
    h->cycles = cycles;
    return why;
}
