/* interfaces.c - which interfaces there are: the minion's.  getifaddrs(), if_nametoindex() and friends,
 * and the SIOCGIF* requests, on a minion's descriptor or any other socket.
 */
#include "internal.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { INTERFACES_MAX = 16 };

struct listing {
    size_t count;
    struct minion_interface at[INTERFACES_MAX];
};

static int fail(int error)
{
    errno = error;
    return -1;
}

/* sock: of the minion that is asked; NULL: the environment's. */
static int list(const struct proxied *sock, struct listing *found)
{
    struct place place;
    struct request r = {.sock = sock, .op = MINION_INTERFACES, .answer = found->at,
                        .room = sizeof found->at, .cloexec = true};
    if (!sock && !place_find(&place))
        return -1;
    if (!sock)
        r.place = &place;
    if (request(&r) < 0)
        return -1;
    found->count = r.got / sizeof *found->at;
    return 0;
}

static const struct minion_interface *named(const struct listing *found, const char *name)
{
    for (size_t i = 0; i < found->count; i++)
        if (strncmp((const char *)found->at[i].name, name, IFNAMSIZ) == 0)
            return &found->at[i];
    return NULL;
}

static void put_address(void *to, const uint8_t addr[4])
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    memcpy(&in.sin_addr, addr, sizeof in.sin_addr);
    memcpy(to, &in, sizeof in);
}

static void put_broadcast(void *to, const struct minion_interface *one)
{
    uint8_t addr[4];
    for (size_t i = 0; i < sizeof addr; i++)
        addr[i] = one->addr[i] | (uint8_t)~one->netmask[i];
    put_address(to, addr);
}

static bool has_address(const struct minion_interface *one)
{
    static const uint8_t none[4];
    return memcmp(one->addr, none, sizeof none) != 0;
}

/* ---- ioctl ---- */

bool is_interface_request(unsigned long code)
{
    switch (code) {
    case SIOCGIFCONF: case SIOCGIFNAME: case SIOCGIFINDEX: case SIOCGIFFLAGS: case SIOCGIFADDR:
    case SIOCGIFDSTADDR: case SIOCGIFBRDADDR: case SIOCGIFNETMASK: case SIOCGIFMETRIC:
    case SIOCGIFMTU: case SIOCGIFHWADDR: case SIOCGIFTXQLEN: case SIOCGIFMAP:
        return true;
    default:
        return false;
    }
}

/* dev_ifconf(): as many as fit; without a buffer, how much they take. */
static int configuration(const struct listing *found, struct ifconf *conf)
{
    int used = 0;
    for (size_t i = 0; i < found->count; i++) {
        struct ifreq one = {0};
        if (!has_address(&found->at[i]))
            continue;
        if (conf->ifc_buf && conf->ifc_len - used < (int)sizeof one)
            break;
        memcpy(one.ifr_name, found->at[i].name, IFNAMSIZ);
        put_address(&one.ifr_addr, found->at[i].addr);
        if (conf->ifc_buf)
            memcpy(conf->ifc_buf + used, &one, sizeof one);
        used += (int)sizeof one;
    }
    conf->ifc_len = used;
    return 0;
}

static int name_of_index(const struct listing *found, struct ifreq *req)
{
    if (req->ifr_ifindex < 1 || (size_t)req->ifr_ifindex > found->count)
        return fail(ENODEV);
    memcpy(req->ifr_name, found->at[req->ifr_ifindex - 1].name, IFNAMSIZ);
    return 0;
}

static int answer(const struct listing *found, unsigned long code, struct ifreq *req)
{
    const struct minion_interface *one = named(found, req->ifr_name);
    if (!one)
        return fail(ENODEV);
    memset(&req->ifr_ifru, 0, sizeof req->ifr_ifru);
    switch (code) {
    case SIOCGIFINDEX:
        req->ifr_ifindex = (int)one->index;
        return 0;
    case SIOCGIFFLAGS:
        req->ifr_flags = (short)one->flags;
        return 0;
    case SIOCGIFMTU:
        req->ifr_mtu = (int)one->mtu;
        return 0;
    case SIOCGIFTXQLEN:
        req->ifr_qlen = 1000;
        return 0;
    case SIOCGIFHWADDR:
        req->ifr_hwaddr.sa_family = one->flags & IFF_LOOPBACK ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
        memcpy(req->ifr_hwaddr.sa_data, one->hwaddr, 6);
        return 0;
    case SIOCGIFMETRIC:
    case SIOCGIFMAP:
        return 0;
    default:
        break;
    }
    if (!has_address(one))
        return fail(EADDRNOTAVAIL);
    if (code == SIOCGIFNETMASK)
        put_address(&req->ifr_netmask, one->netmask);
    else if (code == SIOCGIFBRDADDR && one->flags & IFF_BROADCAST)
        put_broadcast(&req->ifr_broadaddr, one);
    else if (code == SIOCGIFBRDADDR)
        put_address(&req->ifr_broadaddr, (const uint8_t[4]){0});
    else
        put_address(&req->ifr_addr, one->addr);
    return 0;
}

/* The host's kernel is asked first whether the descriptor is a socket at all. */
int interface_request(int fd, const struct proxied *sock, unsigned long code, void *arg)
{
    struct listing found;
    struct ifreq before;
    int saved = errno;
    if (!arg)
        return fail(EFAULT);
    if (!sock) {
        struct ifconf conf;
        bool config = code == SIOCGIFCONF;
        memcpy(config ? (void *)&conf : (void *)&before, arg, config ? sizeof conf : sizeof before);
        int result = LIBC(ioctl)(fd, code, config ? (void *)&(struct ifconf){0} : (void *)&before);
        if (result < 0 && (errno == EBADF || errno == ENOTTY || errno == EINVAL))
            return result;
    }
    if (list(sock, &found) < 0)
        return -1;
    int result = code == SIOCGIFCONF   ? configuration(&found, arg)
                 : code == SIOCGIFNAME ? name_of_index(&found, arg)
                                       : answer(&found, code, arg);
    if (result == 0)
        errno = saved;
    return result;
}

/* ---- getifaddrs(3), if_nametoindex(3), if_nameindex(3) ---- */

/* One entry, and what it points to. */
struct entry {
    struct ifaddrs head;
    char name[IFNAMSIZ];
    struct sockaddr_storage addr, netmask, other;
};

static void link_entry(struct entry *e, const struct minion_interface *one)
{
    struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_ifindex = (int)one->index,
                             .sll_halen = 6};
    ll.sll_hatype = one->flags & IFF_LOOPBACK ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
    memcpy(ll.sll_addr, one->hwaddr, 6);
    memcpy(&e->addr, &ll, sizeof ll);
    memset(ll.sll_addr, one->flags & IFF_LOOPBACK ? 0 : 0xff, 6);
    memcpy(&e->other, &ll, sizeof ll);
    e->head.ifa_broadaddr = (struct sockaddr *)&e->other;
}

static void address_entry(struct entry *e, const struct minion_interface *one)
{
    put_address(&e->addr, one->addr);
    put_address(&e->netmask, one->netmask);
    if (one->flags & IFF_BROADCAST)
        put_broadcast(&e->other, one);
    else
        put_address(&e->other, one->addr);
    e->head.ifa_netmask = (struct sockaddr *)&e->netmask;
    e->head.ifa_broadaddr = (struct sockaddr *)&e->other;
}

int minion_getifaddrs(struct ifaddrs **first)
{
    struct listing found;
    if (list(NULL, &found) < 0)
        return -1;
    struct entry *all = calloc(2 * found.count + 1, sizeof *all);
    size_t used = 0;
    if (!all)
        return -1;
    for (size_t i = 0; i < 2 * found.count; i++) {
        const struct minion_interface *one = &found.at[i % found.count];
        if (i >= found.count && !has_address(one))
            continue;
        struct entry *e = &all[used++];
        memcpy(e->name, one->name, IFNAMSIZ);
        e->head.ifa_name = e->name;
        e->head.ifa_flags = one->flags;
        e->head.ifa_addr = (struct sockaddr *)&e->addr;
        if (i < found.count)
            link_entry(e, one);
        else
            address_entry(e, one);
        if (used > 1)
            all[used - 2].head.ifa_next = &e->head;
    }
    *first = used ? &all[0].head : NULL;
    if (!used)
        free(all);
    return 0;
}

void minion_freeifaddrs(struct ifaddrs *first)
{
    free(first);                     /* as glibc: one block */
}

unsigned minion_if_nametoindex(const char *name)
{
    struct listing found;
    if (list(NULL, &found) < 0)
        return 0;
    const struct minion_interface *one = named(&found, name);
    if (!one)
        errno = ENODEV;
    return one ? one->index : 0;
}

char *minion_if_indextoname(unsigned index, char *name)
{
    struct listing found;
    if (list(NULL, &found) < 0)
        return NULL;
    if (index < 1 || index > found.count) {
        errno = ENXIO;
        return NULL;
    }
    return memcpy(name, found.at[index - 1].name, IFNAMSIZ);
}

struct if_nameindex *minion_if_nameindex(void)
{
    struct listing found;
    if (list(NULL, &found) < 0)
        return NULL;
    struct if_nameindex *all =
        calloc(1, (found.count + 1) * sizeof *all + found.count * IFNAMSIZ);
    if (!all)
        return NULL;
    char *names = (char *)&all[found.count + 1];
    for (size_t i = 0; i < found.count; i++) {
        all[i].if_index = found.at[i].index;
        all[i].if_name = memcpy(names + i * IFNAMSIZ, found.at[i].name, IFNAMSIZ);
    }
    return all;
}

void minion_if_freenameindex(struct if_nameindex *all)
{
    free(all);
}
