/* getaddrinfo.c - getaddrinfo and getnameinfo, with glibc's flags, expansions and order. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* glibc's table (sysdeps/posix/getaddrinfo.c), in its order. */
struct kind {
    int socktype, protocol;
    bool any_protocol, no_service, by_default;
    const char *name;
};

static const struct kind KINDS[] = {
    {SOCK_STREAM, IPPROTO_TCP, false, false, true, "tcp"},
    {SOCK_DGRAM, IPPROTO_UDP, false, false, true, "udp"},
    {SOCK_DCCP, IPPROTO_DCCP, false, false, false, "dccp"},
    {SOCK_DGRAM, IPPROTO_UDPLITE, false, false, false, "udplite"},
    {SOCK_STREAM, IPPROTO_SCTP, false, false, false, "sctp"},
    {SOCK_SEQPACKET, IPPROTO_SCTP, false, false, false, "sctp"},
    {SOCK_RAW, 0, true, true, true, "raw"},
};

enum {
    KIND_COUNT = sizeof KINDS / sizeof *KINDS,
    KNOWN_FLAGS = AI_PASSIVE | AI_CANONNAME | AI_NUMERICHOST | AI_ADDRCONFIG | AI_V4MAPPED |
                  AI_NUMERICSERV | AI_ALL | AI_IDN | AI_CANONIDN | 0x300, /* (deprecated IDN) */
};

struct endpoint {
    int socktype, protocol;
    in_port_t port;                  /* network byte order */
};

struct service {
    const char *name;                /* NULL: none */
    int number;                      /* -1: by name */
};

static bool matches(const struct kind *kind, const struct addrinfo *hints)
{
    return (!hints->ai_socktype || hints->ai_socktype == kind->socktype) &&
           (!hints->ai_protocol || kind->any_protocol || hints->ai_protocol == kind->protocol);
}

static struct endpoint endpoint(const struct kind *kind, const struct addrinfo *hints,
                                in_port_t port)
{
    return (struct endpoint){kind->socktype,
                             kind->any_protocol ? hints->ai_protocol : kind->protocol, port};
}

static bool port_of(const char *name, const char *protocol, in_port_t *port)
{
    struct servent entry, *result = NULL;
    char buf[4096];
    if (getservbyname_r(name, protocol, &entry, buf, sizeof buf, &result) != 0 || !result)
        return false;
    *port = (in_port_t)result->s_port;
    return true;
}

/* How many, or an EAI_ code (they are negative). */
static int expand(const struct service *service, const struct addrinfo *hints,
                  struct endpoint out[KIND_COUNT])
{
    bool chosen = hints->ai_socktype || hints->ai_protocol;
    int count = 0, first = 0;
    while (chosen && first < KIND_COUNT && !matches(&KINDS[first], hints))
        first++;
    if (first == KIND_COUNT)
        return hints->ai_socktype ? EAI_SOCKTYPE : EAI_SERVICE;
    if (chosen && service->name && KINDS[first].no_service)
        return EAI_SERVICE;
    for (int i = first; i < KIND_COUNT; i++) {
        const struct kind *kind = &KINDS[i];
        in_port_t port = service->name ? htons((uint16_t)service->number) : 0;
        if (!service->name || service->number >= 0) {
            if (chosen || kind->by_default)
                out[count++] = endpoint(kind, hints, port);
        } else if (!kind->no_service && matches(kind, hints) &&
                   port_of(service->name, kind->name, &port)) {
            out[count++] = endpoint(kind, hints, port);
        }
        if (chosen)
            break;
    }
    return count ? count : EAI_SERVICE;
}

static int read_service(const char *text, const struct addrinfo *hints, struct service *service)
{
    char *end;
    *service = (struct service){NULL, -1};
    if (!text || !*text)
        return 0;
    service->name = text;
    service->number = (int)strtoul(text, &end, 10);
    if (*end) {
        if (hints->ai_flags & AI_NUMERICSERV)
            return EAI_NONAME;
        service->number = -1;
    }
    return 0;
}

static void add(struct found *found, int family, const void *addr, size_t size)
{
    struct minion_address *to = &found->address[found->count++];
    memset(to, 0, sizeof *to);
    to->family = (uint16_t)family;
    memcpy(to->addr, addr, size);
}

/* No node: any address (passive), or loopback.  glibc puts ::1 first where the machine has IPv6; the
 * minion has none, so what works comes first. */
static void local_addresses(const struct addrinfo *hints, struct found *found)
{
    bool passive = hints->ai_flags & AI_PASSIVE;
    struct in_addr v4 = {htonl(passive ? INADDR_ANY : INADDR_LOOPBACK)};
    found->count = found->scope = 0;
    if (hints->ai_family != AF_INET6)
        add(found, AF_INET, &v4, sizeof v4);
    if (hints->ai_family != AF_INET)
        add(found, AF_INET6, passive ? &in6addr_any : &in6addr_loopback, sizeof in6addr_any);
}

static void map_to_ipv6(struct minion_address *address)
{
    uint8_t v4[4];
    memcpy(v4, address->addr, sizeof v4);
    memset(address->addr, 0, 10);
    address->addr[10] = address->addr[11] = 0xff;
    memcpy(address->addr + 12, v4, sizeof v4);
    address->family = AF_INET6;
}

/* Bring every address into the family that was asked for; 0, or EAI_ADDRFAMILY. */
static int fit_family(const struct addrinfo *hints, struct found *found)
{
    for (size_t i = 0; i < found->count; i++) {
        struct minion_address *address = &found->address[i];
        if (hints->ai_family == AF_UNSPEC || hints->ai_family == address->family)
            continue;
        if (address->family == AF_INET && (hints->ai_flags & AI_V4MAPPED)) {
            map_to_ipv6(address);
        } else if (address->family == AF_INET6 &&
                   IN6_IS_ADDR_V4MAPPED((struct in6_addr *)address->addr)) {
            memmove(address->addr, address->addr + 12, 4);
            address->family = AF_INET;
        } else {
            return EAI_ADDRFAMILY;
        }
    }
    return 0;
}

static int find(const char *node, const struct addrinfo *hints, struct found *found)
{
    if (!node) {
        local_addresses(hints, found);
        return 0;
    }
    if (!resolve_literal(node, found)) {
        if (hints->ai_flags & AI_NUMERICHOST || strchr(node, '%'))
            return EAI_NONAME;
        if (hints->ai_family == AF_INET6 && !(hints->ai_flags & AI_V4MAPPED))
            return EAI_ADDRFAMILY;   /* the minion has no IPv6 */
        int error = resolve_name(node, AF_INET, hints->ai_flags, found);
        if (error)
            return error;
    }
    return fit_family(hints, found);
}

/* One block, as glibc makes them: so its freeaddrinfo() frees ours, and ours its. */
static struct addrinfo *entry(const struct minion_address *address, uint32_t scope,
                              const struct endpoint *end, int flags)
{
    struct {
        struct addrinfo info;
        union {
            struct sockaddr_in v4;
            struct sockaddr_in6 v6;
        } addr;
    } *block = calloc(1, sizeof *block);
    if (!block)
        return NULL;
    if (address->family == AF_INET) {
        block->addr.v4.sin_family = AF_INET;
        block->addr.v4.sin_port = end->port;
        memcpy(&block->addr.v4.sin_addr, address->addr, 4);
    } else {
        block->addr.v6.sin6_family = AF_INET6;
        block->addr.v6.sin6_port = end->port;
        block->addr.v6.sin6_scope_id = scope;
        memcpy(&block->addr.v6.sin6_addr, address->addr, 16);
    }
    block->info = (struct addrinfo){
        .ai_flags = flags, .ai_family = address->family, .ai_socktype = end->socktype,
        .ai_protocol = end->protocol, .ai_addr = (struct sockaddr *)&block->addr,
        .ai_addrlen = address->family == AF_INET ? sizeof block->addr.v4
                                                 : sizeof block->addr.v6,
    };
    return &block->info;
}

static int build(const struct found *found, const struct endpoint *ends, int end_count,
                 const char *canonical, int flags, struct addrinfo **list)
{
    struct addrinfo *first = NULL, **next = &first;
    for (size_t i = 0; i < found->count; i++) {
        for (int j = 0; j < end_count; j++) {
            *next = entry(&found->address[i], found->scope, &ends[j], flags);
            if (!*next)
                goto no_memory;
            next = &(*next)->ai_next;
        }
    }
    if (canonical && !(first->ai_canonname = strdup(canonical)))
        goto no_memory;
    *list = first;
    return 0;
no_memory:
    minion_freeaddrinfo(first);
    return EAI_MEMORY;
}

static bool is_star(const char *text)
{
    return text && text[0] == '*' && text[1] == '\0';
}

int minion_getaddrinfo(const char *node, const char *service_text, const struct addrinfo *hints,
                       struct addrinfo **list)
{
    static const struct addrinfo none = {.ai_flags = AI_V4MAPPED | AI_ADDRCONFIG};
    struct endpoint ends[KIND_COUNT];
    struct service service;
    struct found found;
    node = is_star(node) ? NULL : node;
    service_text = is_star(service_text) ? NULL : service_text;
    hints = hints ? hints : &none;
    if (!node && !service_text)
        return EAI_NONAME;
    if ((hints->ai_flags & ~KNOWN_FLAGS) || ((hints->ai_flags & AI_CANONNAME) && !node))
        return EAI_BADFLAGS;
    if (hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET &&
        hints->ai_family != AF_INET6)
        return EAI_FAMILY;
    int error = read_service(service_text, hints, &service);
    if (error)
        return error;
    int end_count = expand(&service, hints, ends);
    if (end_count < 0)
        return end_count;
    error = find(node, hints, &found);
    if (error)
        return error;
    return build(&found, ends, end_count, hints->ai_flags & AI_CANONNAME ? node : NULL,
                 hints->ai_flags, list);
}

void minion_freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_canonname);
        free(list);
        list = next;
    }
}

/* libc does all but names of IPv4 hosts: numbers and services need no network. */
int minion_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host,
                       socklen_t host_room, char *service, socklen_t service_room, int flags)
{
    bool by_name = addr && len >= sizeof(struct sockaddr_in) && addr->sa_family == AF_INET &&
                   host && host_room && !(flags & NI_NUMERICHOST);
    if (!by_name) {
        if (addr && len >= sizeof addr->sa_family && addr->sa_family == AF_INET6 && host &&
            (flags & NI_NAMEREQD))
            return EAI_NONAME;
        if (addr && len >= sizeof addr->sa_family && addr->sa_family != AF_UNIX)
            flags |= NI_NUMERICHOST;
        return LIBC(getnameinfo)(addr, len, host, host_room, service, service_room, flags);
    }
    const struct sockaddr_in *sin = (const struct sockaddr_in *)addr;
    int error = resolve_address(&sin->sin_addr, flags, host, host_room);
    if (error == EAI_OVERFLOW || (error && (flags & NI_NAMEREQD)))
        return error;
    if (error)
        return LIBC(getnameinfo)(addr, len, host, host_room, service, service_room,
                                 flags | NI_NUMERICHOST);
    if (!service || !service_room)
        return 0;
    return LIBC(getnameinfo)(addr, len, NULL, 0, service, service_room, flags & ~NI_NAMEREQD);
}
