/* resolve.c - the questions about names: literals and localhost here, the rest on the line. */
#include "internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void one(struct found *found, int family, const void *addr, size_t size)
{
    found->count = 1;
    found->scope = 0;
    memset(&found->address[0], 0, sizeof found->address[0]);
    found->address[0].family = (uint16_t)family;
    memcpy(found->address[0].addr, addr, size);
}

static bool has_space(const char *text)
{
    for (; *text; text++)
        if (isspace((unsigned char)*text))
            return true;
    return false;
}

/* RFC 4007 section 11: an interface's name, where that makes sense, or a number. */
static bool read_scope(const char *text, const struct in6_addr *addr, uint32_t *scope)
{
    char *end;
    if ((IN6_IS_ADDR_LINKLOCAL(addr) || IN6_IS_ADDR_MC_LINKLOCAL(addr)) &&
        (*scope = LIBC(if_nametoindex)(text)) != 0)
        return true;
    unsigned long number = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : UINT32_MAX;
    if (number >= UINT32_MAX || *end)
        return false;
    *scope = (uint32_t)number;
    return true;
}

bool resolve_literal(const char *text, struct found *found)
{
    struct in_addr v4;
    struct in6_addr v6;
    char plain[INET6_ADDRSTRLEN];
    if (inet_aton(text, &v4) && !has_space(text)) {
        one(found, AF_INET, &v4, sizeof v4);
        return true;
    }
    size_t len = strcspn(text, "%");
    if (len >= sizeof plain || !memchr(text, ':', len))
        return false;
    memcpy(plain, text, len);
    plain[len] = '\0';
    if (inet_pton(AF_INET6, plain, &v6) != 1)
        return false;
    one(found, AF_INET6, &v6, sizeof v6);
    if (text[len] == '%' && !read_scope(text + len + 1, &v6, &found->scope))
        return false;
    return true;
}

static bool is_localhost(const char *name)
{
    return strcasecmp(name, "localhost") == 0 || strcasecmp(name, "localhost.") == 0;
}

/* An EAI_ code for a request that failed.  The minion's own is the result, with errno 0. */
static int as_eai(const struct request *r, int result)
{
    if (r->answered && errno == 0)
        return result;
    return r->answered || errno == EMFILE || errno == ENFILE || errno == ENOMEM ? EAI_SYSTEM
                                                                                 : EAI_AGAIN;
}

/* As request(), with an EAI_ code; errno stays unless that is EAI_SYSTEM. */
static int ask(struct request *r)
{
    struct place place;
    int saved = errno;
    if (!place_find(&place)) {
        errno = saved;
        return EAI_AGAIN;
    }
    r->place = &place;
    int result = request(r);
    r->place = NULL;
    if (result >= 0)
        return 0;
    result = as_eai(r, result);
    if (result != EAI_SYSTEM)
        errno = saved;
    return result;
}

int resolve_name(const char *name, int family, int flags, struct found *found)
{
    size_t len = strlen(name);
    if (is_localhost(name)) {
        struct in_addr loopback = {htonl(INADDR_LOOPBACK)};
        one(found, AF_INET, &loopback, sizeof loopback);
        return 0;
    }
    if (len == 0 || len > 1024)      /* a name has 255 bytes; IDNs may be longer before encoding */
        return EAI_NONAME;
    struct request r = {.op = MINION_GETADDRINFO, .a = family, .b = flags, .data = name,
                        .len = len, .answer = found->address, .room = sizeof found->address};
    int error = ask(&r);
    if (error)
        return error;
    found->count = r.got / sizeof found->address[0];
    found->scope = 0;
    return found->count ? 0 : EAI_NONAME;
}

int resolve_address(const void *addr, int flags, char *name, size_t room)
{
    struct sockaddr_in sin = {.sin_family = AF_INET};
    memcpy(&sin.sin_addr, addr, sizeof sin.sin_addr);
    if (sin.sin_addr.s_addr == htonl(INADDR_LOOPBACK)) {
        if (room < sizeof "localhost")
            return EAI_OVERFLOW;
        strcpy(name, "localhost");
        return 0;
    }
    char answer[1025];               /* NI_MAXHOST */
    struct request r = {.op = MINION_GETNAMEINFO, .a = flags, .data = &sin, .len = sizeof sin,
                        .answer = answer, .room = sizeof answer - 1};
    int error = ask(&r);
    if (error)
        return error;
    if (r.got == 0 || memchr(answer, '\0', r.got) != NULL)
        return EAI_NONAME;
    if (r.got >= room)
        return EAI_OVERFLOW;
    memcpy(name, answer, r.got);
    name[r.got] = '\0';
    return 0;
}
