/* Prints what the resolver calls answer: libc's and ours must be the same lines.
 * With arguments: looks up these names, in every way. */
#include "check.h"

static const struct {
    const char *node, *service;
    int flags, family, socktype, protocol;
} TABLE[] = {
    {NULL, "80", 0, AF_INET, 0, 0},
    {NULL, "80", 0, AF_INET6, 0, 0},
    {NULL, "80", AI_PASSIVE, AF_INET, SOCK_STREAM, 0},
    {NULL, "80", AI_PASSIVE, AF_INET6, SOCK_STREAM, 0},
    {NULL, "80", AI_PASSIVE, AF_UNSPEC, SOCK_STREAM, 0},
    {NULL, "80", AI_PASSIVE | AI_ADDRCONFIG, AF_UNSPEC, SOCK_STREAM, 0},
    {NULL, "http", 0, AF_INET, 0, 0},
    {NULL, "domain", 0, AF_INET, 0, 0},
    {NULL, "ssh", 0, AF_INET, SOCK_STREAM, 0},
    {NULL, NULL, 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"*", "80", 0, AF_INET, SOCK_STREAM, 0},
    {"127.0.0.1", "*", 0, AF_INET, SOCK_STREAM, 0},
    {"1.2.3.4", "http", AI_CANONNAME, AF_UNSPEC, SOCK_STREAM, 0},
    {"1.2.3.4", "80", 0, AF_INET6, SOCK_STREAM, 0},
    {"1.2.3.4", "80", AI_V4MAPPED, AF_INET6, SOCK_STREAM, 0},
    {"1.2.3.4", "80", AI_NUMERICHOST | AI_NUMERICSERV, AF_UNSPEC, SOCK_STREAM, 0},
    {"1.2.3.4", "99999", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"1.2.3.4", "-1", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"1.2.3.4", "", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"1.2.3.4", " 80", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"1.2.3.4", "+80", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"1.2.3.4", "80", 0, 99, SOCK_STREAM, 0},
    {"1.2.3.4", "80", 0x8000, AF_UNSPEC, SOCK_STREAM, 0},
    {"1.2.3.4", NULL, 0, AF_UNSPEC, 0, 0},
    {"1.2.3.4", "ssh", 0, AF_UNSPEC, SOCK_SEQPACKET, 0},
    {"1.2.3.4", "ssh", 0, AF_UNSPEC, SOCK_RAW, 0},
    {"127.1", NULL, 0, AF_UNSPEC, SOCK_RAW, 0},
    {"127.1", NULL, 0, AF_UNSPEC, SOCK_RAW, 7},
    {"127.1", "7", 0, AF_UNSPEC, SOCK_RAW, 7},
    {"127.1", "7", 0, AF_UNSPEC, 0, 132},
    {"127.1", "7", 0, AF_UNSPEC, SOCK_DCCP, 0},
    {"127.1", "7", 0, AF_UNSPEC, 9, 0},
    {"127.1", "7", 0, AF_UNSPEC, 0, 99},
    {"127.1", "7", 0, AF_UNSPEC, SOCK_STREAM, IPPROTO_UDP},
    {"127.1", "nosuch", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"127.1", "nosuch", 0, AF_UNSPEC, 0, 0},
    {"127.1", "http", AI_NUMERICSERV, AF_UNSPEC, 0, 0},
    {"127.0.0.1", "http", 0, AF_UNSPEC, SOCK_DGRAM, 0},
    {"0x7f.1", NULL, 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"", "80", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"localhost", "80", 0, AF_INET, SOCK_STREAM, 0},
    {"localhost", "80", AI_NUMERICHOST, AF_INET, SOCK_STREAM, 0},
    {"1.2.3.4 x", "80", AI_NUMERICHOST, AF_UNSPEC, SOCK_STREAM, 0},
    {"::1", "80", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"::1", "80", AI_CANONNAME, AF_INET6, 0, 0},
    {"::1", "80", 0, AF_INET, SOCK_STREAM, 0},
    {"::ffff:1.2.3.4", "1", 0, AF_INET, SOCK_STREAM, 0},
    {"fe80::1%lo", "1", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"fe80::1%9", "1", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"fe80::1%nosuch", "1", 0, AF_UNSPEC, SOCK_STREAM, 0},
    {"nosuch", "1", AI_NUMERICHOST, AF_UNSPEC, SOCK_STREAM, 0},
    {NULL, "80", AI_CANONNAME, AF_UNSPEC, SOCK_STREAM, 0},
};

static void look_up(const char *node, const char *service, const struct addrinfo *hints)
{
    struct addrinfo *list;
    int error = getaddrinfo(node, service, hints, &list);
    printf("getaddrinfo %s %s: %d", node ? node : "NULL", service ? service : "NULL", error);
    for (struct addrinfo *a = error ? NULL : list; a; a = a->ai_next) {
        char host[100], port[100];
        CHECK(getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV) == 0);
        printf(" [%d %d %d %u %x %s %s %s]", a->ai_family, a->ai_socktype, a->ai_protocol,
               a->ai_addrlen, a->ai_flags, host, port, a->ai_canonname ? a->ai_canonname : "-");
    }
    puts("");
    if (!error)
        freeaddrinfo(list);
}

static void show(const char *what, const struct hostent *h, int error)
{
    printf("%s: %d", what, h ? 0 : error);
    if (h) {
        printf(" %s %d %d", h->h_name, h->h_addrtype, h->h_length);
        for (char **a = h->h_addr_list; *a; a++)
            printf(" %s", inet_ntoa(*(struct in_addr *)*a));
        CHECK(h->h_aliases[0] == NULL);
    }
    puts("");
}

static void old_calls(const char *name)
{
    struct hostent entry, *h = NULL;
    char buf[512];
    int error = 0;
    h = gethostbyname(name);
    show("gethostbyname", h, h_errno);
    h = gethostbyname2(name, AF_INET);
    show("gethostbyname2", h, h_errno);
    int status = gethostbyname_r(name, &entry, buf, sizeof buf, &h, &error);
    printf("%d ", status);
    show("gethostbyname_r", h, error);
    status = gethostbyname_r(name, &entry, buf, 8, &h, &error);
    printf("%d ", h ? 0 : status);
    show("gethostbyname_r", h, error);
}

static void reverse(const char *text, int flags)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(22)};
    char host[100] = "", service[100] = "";
    inet_aton(text, &sin.sin_addr);
    int error = getnameinfo(any(&sin), sizeof sin, host, sizeof host, service, sizeof service,
                            flags);
    printf("getnameinfo %s %x: %d %s %s\n", text, flags, error, host, service);
    error = getnameinfo(any(&sin), sizeof sin, host, 3, NULL, 0, flags);
    printf("getnameinfo into 3: %d\n", error);
    error = getnameinfo(any(&sin), 4, host, 3, NULL, 0, flags);
    printf("getnameinfo of 4: %d\n", error);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 1 && i < sizeof TABLE / sizeof *TABLE; i++) {
        struct addrinfo hints = {.ai_flags = TABLE[i].flags, .ai_family = TABLE[i].family,
                                 .ai_socktype = TABLE[i].socktype,
                                 .ai_protocol = TABLE[i].protocol};
        look_up(TABLE[i].node, TABLE[i].service, &hints);
    }
    for (int i = 1; i < argc; i++) {
        look_up(argv[i], "80", &(struct addrinfo){.ai_socktype = SOCK_STREAM});
        look_up(argv[i], NULL, &(struct addrinfo){.ai_socktype = SOCK_STREAM,
                                                  .ai_flags = AI_CANONNAME});
        look_up(argv[i], "80", &(struct addrinfo){.ai_family = AF_INET6});
        old_calls(argv[i]);
        struct in_addr addr;
        if (inet_aton(argv[i], &addr)) {
            struct hostent *h = gethostbyaddr(&addr, sizeof addr, AF_INET);
            show("gethostbyaddr", h, h_errno);
            reverse(argv[i], 0);
            reverse(argv[i], NI_NAMEREQD);
        }
    }
    if (argc == 1) {
        old_calls("1.2.3.4");
        reverse("1.2.3.4", NI_NUMERICHOST);
        reverse("1.2.3.4", NI_NUMERICHOST | NI_NUMERICSERV);
        look_up("1.2.3.4", "80", NULL);
    }
}
