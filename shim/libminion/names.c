/* names.c - is this descriptor a minion's?  (abi.h, "Names") */
#include "internal.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/un.h>

static const char OURS[MINION_NAME_PREFIX] = "\0minion-";
static const char MARK[MINION_NAME_PREFIX] = "\0minion=";

/* Length of the name in sun_path, or -1 where there is none (or it is no UNIX socket). */
static int name_of(int fd, struct sockaddr_un *name,
                   int (*ask)(int, struct sockaddr *, socklen_t *))
{
    socklen_t len = sizeof *name;
    name->sun_family = AF_UNSPEC;
    if (ask(fd, (struct sockaddr *)name, &len) < 0)
        return -1;
    if (len < offsetof(struct sockaddr_un, sun_path) || name->sun_family != AF_UNIX)
        return -1;
    return (int)len - (int)offsetof(struct sockaddr_un, sun_path);
}

bool proxied(int fd, struct proxied *sock)
{
    struct sockaddr_un name;
    int saved = errno;
    int len = name_of(fd, &name, LIBC(getsockname));
    bool closed = len < 0 && errno == EBADF;
    errno = saved;
    if (len <= NAME_PATH || len > (int)sizeof name.sun_path ||
        memcmp(name.sun_path, OURS, sizeof OURS) != 0 || name.sun_path[NAME_KIND] != 's' ||
        name.sun_path[NAME_PATH - 1] != ':') {
        hint_set(fd, closed ? HINT_NONE : HINT_THEIRS);
        return false;
    }
    if (hint_get(fd) < HINT_OURS)
        hint_ours(fd);
    if (sock) {
        memcpy(sock->id, name.sun_path + NAME_ID, MINION_ID);
        memcpy(sock->path, name.sun_path + NAME_PATH, (size_t)(len - NAME_PATH));
        sock->path[len - NAME_PATH] = '\0';
    }
    return true;
}

int minion_is_ours(int fd)
{
    return proxied(fd, NULL);
}

enum mark peer_mark(int fd)
{
    struct sockaddr_un name;
    int saved = errno;
    errno = 0;
    int len = name_of(fd, &name, LIBC(getpeername));
    bool alone = len < 0 && errno == ENOTCONN;
    errno = saved;
    if (alone)
        return MARK_NO_PEER;
    if (len < MINION_MARK_PREFIX || memcmp(name.sun_path, MARK, sizeof MARK) != 0)
        return MARK_NONE;
    return memcmp(name.sun_path + sizeof MARK, "fin", 3) == 0 ? MARK_FIN : MARK_ERR;
}

bool channel_is(int fd, int mark)
{
    int on = 0;
    socklen_t len = sizeof on;
    return LIBC(getsockopt)(fd, SOL_SOCKET, mark, &on, &len) == 0 && on;
}

void channel_mark(int fd, int mark, int on)
{
    LIBC(setsockopt)(fd, SOL_SOCKET, mark, &on, sizeof on);
}

int channel_low_water(int fd)
{
    int bytes = 1;
    socklen_t len = sizeof bytes;
    LIBC(getsockopt)(fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, &len);
    return bytes;
}

int channel_unread(int fd)
{
    int bytes = 0;
    return LIBC(ioctl)(fd, FIONREAD, &bytes) == 0 ? bytes : 0;
}

void hint_ours(int fd)
{
    int saved = errno;
    bool reads = channel_is(fd, CHANNEL_LISTENS) || channel_is(fd, CHANNEL_SHUT_RD) ||
                 channel_low_water(fd) > 1;
    hint_set(fd, reads ? HINT_OURS_READS : HINT_OURS);
    errno = saved;
}

/* One byte a descriptor; numbers beyond are asked about every time. */
static unsigned char hints[1 << 20];

enum hint hint_get(int fd)
{
    if (fd < 0 || fd >= (int)sizeof hints)
        return HINT_NONE;
    return (enum hint)__atomic_load_n(&hints[fd], __ATOMIC_RELAXED);
}

void hint_set(int fd, enum hint hint)
{
    if (fd >= 0 && fd < (int)sizeof hints)
        __atomic_store_n(&hints[fd], (unsigned char)hint, __ATOMIC_RELAXED);
}
