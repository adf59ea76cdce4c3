/* hostent.c - the old resolver calls: gethostbyname and gethostbyaddr, in all their forms. */
#include "internal.h"

#include <arpa/inet.h>
#include <string.h>

/* Hands out aligned pieces of the caller's buffer; NULL when it is used up. */
struct arena {
    char *next;
    size_t left;
};

static void *take(struct arena *arena, size_t size)
{
    size_t skip = -(uintptr_t)arena->next & (sizeof(void *) - 1);
    if (arena->left < skip || arena->left - skip < size)
        return NULL;
    void *piece = arena->next + skip;
    arena->next += skip + size;
    arena->left -= skip + size;
    return piece;
}

static bool fill(struct hostent *entry, struct arena *arena, const char *name, int family,
                 const struct found *found)
{
    size_t size = family == AF_INET ? 4 : 16;
    char **aliases = take(arena, sizeof *aliases);
    char **list = take(arena, (found->count + 1) * sizeof *list);
    char *bytes = take(arena, found->count * size);
    char *own_name = take(arena, strlen(name) + 1);
    if (!aliases || !list || !bytes || !own_name)
        return false;
    aliases[0] = NULL;
    for (size_t i = 0; i < found->count; i++)
        list[i] = memcpy(bytes + i * size, found->address[i].addr, size);
    list[found->count] = NULL;
    strcpy(own_name, name);
    *entry = (struct hostent){own_name, aliases, family, (int)size, list};
    return true;
}

static int as_h_errno(int eai)
{
    switch (eai) {
    case EAI_AGAIN:
        return TRY_AGAIN;
    case EAI_SYSTEM:
    case EAI_MEMORY:
        return NETDB_INTERNAL;
    case EAI_FAIL:
        return NO_RECOVERY;
    default:
        return HOST_NOT_FOUND;
    }
}

/* glibc's return value: "not found" is no error, only a NULL result. */
static int as_status(int host_error)
{
    switch (host_error) {
    case TRY_AGAIN:
        return EAGAIN;
    case NETDB_INTERNAL:
        return errno;
    case NO_RECOVERY:
        return EIO;
    default:
        return 0;
    }
}

static int too_small(int *error)
{
    *error = NETDB_INTERNAL;
    errno = ERANGE;
    return ERANGE;
}

int minion_gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buf,
                            size_t room, struct hostent **result, int *error)
{
    struct arena arena = {buf, room};
    struct found found;
    *result = NULL;
    if (family != AF_INET && family != AF_INET6) {
        *error = NETDB_INTERNAL;
        errno = EAFNOSUPPORT;
        return EAFNOSUPPORT;
    }
    int eai = 0;
    if (!resolve_literal(name, &found))
        eai = family == AF_INET ? resolve_name(name, AF_INET, 0, &found) : EAI_NONAME;
    if (!eai && found.address[0].family != family)
        eai = EAI_NONAME;
    if (eai) {
        *error = as_h_errno(eai);
        return as_status(*error);
    }
    if (!fill(entry, &arena, name, family, &found))
        return too_small(error);
    *error = NETDB_SUCCESS;
    *result = entry;
    return 0;
}

int minion_gethostbyname_r(const char *name, struct hostent *entry, char *buf, size_t room,
                           struct hostent **result, int *error)
{
    return minion_gethostbyname2_r(name, AF_INET, entry, buf, room, result, error);
}

int minion_gethostbyaddr_r(const void *addr, socklen_t len, int family, struct hostent *entry,
                           char *buf, size_t room, struct hostent **result, int *error)
{
    struct arena arena = {buf, room};
    struct found found = {.count = 1};
    char name[NI_MAXHOST];
    *result = NULL;
    if (family == AF_INET && len < sizeof(struct in_addr)) {
        *error = NETDB_INTERNAL;
        errno = EINVAL;
        return EINVAL;
    }
    int eai = family == AF_INET ? resolve_address(addr, 0, name, sizeof name) : EAI_NONAME;
    if (eai) {
        *error = as_h_errno(eai);
        return as_status(*error);
    }
    memcpy(found.address[0].addr, addr, sizeof(struct in_addr));
    if (!fill(entry, &arena, name, AF_INET, &found))
        return too_small(error);
    *error = NETDB_SUCCESS;
    *result = entry;
    return 0;
}

/* The forms without _r: static storage, as ever. */
static struct hostent last;
static char last_buf[8192];

struct hostent *minion_gethostbyname2(const char *name, int family)
{
    struct hostent *result;
    int error = 0;
    minion_gethostbyname2_r(name, family, &last, last_buf, sizeof last_buf, &result, &error);
    h_errno = error;
    return result;
}

struct hostent *minion_gethostbyname(const char *name)
{
    return minion_gethostbyname2(name, AF_INET);
}

struct hostent *minion_gethostbyaddr(const void *addr, socklen_t len, int family)
{
    struct hostent *result;
    int error = 0;
    minion_gethostbyaddr_r(addr, len, family, &last, last_buf, sizeof last_buf, &result, &error);
    h_errno = error;
    return result;
}
