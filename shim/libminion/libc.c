/* libc.c - the libc underneath: what each interposed name means without us. */
#include "internal.h"

#include <dlfcn.h>

struct libc_calls libc_calls;
bool libc_ready;

static void *lookup(const char *name)
{
#ifdef MINION_PLAIN
    /* Inside the Python module: past a preloaded libminion.so, which would ask the minion again. */
    static void *libc;
    if (!libc)
        libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    return dlsym(libc, name);
#else
    return dlsym(RTLD_NEXT, name);
#endif
}

/* Idempotent, so two threads at once do no harm: both write the same words. */
void libc_resolve(void)
{
    int saved = errno;
#define CALL(result, name, params, args) libc_calls.name = (result(*) params)lookup(#name);
#define ALIAS(result, alias, name, params, args)
#define CHECKED(result, alias, name, params, args, passed, fits) \
    libc_calls.alias = (result(*) params)lookup(#alias);
#define VARIADIC(result, name, params, last, call)
#define LEFT(name, reason)
#include "calls.h"
    __atomic_store_n(&libc_ready, true, __ATOMIC_RELEASE);
    errno = saved;
}

__attribute__((constructor(101))) static void at_load(void)
{
    libc_resolve();
}
