/* options.c - getsockopt and setsockopt: the kernel's channel, here, or the minion. */
#include "internal.h"

#include <string.h>

enum { RCVTIMEO_NEW = 66, SNDTIMEO_NEW = 67 };   /* with 64-bit time, on 32-bit machines */

/* What read() and write() heed is an option of the channel they work on. */
static bool is_channels(int level, int name)
{
    if (level != SOL_SOCKET)
        return false;
    switch (name) {
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
    case RCVTIMEO_NEW:
    case SNDTIMEO_NEW:
    case SO_RCVLOWAT:
    case SO_PEEK_OFF:
        return true;
    default:
        return false;
    }
}

static int give(void *value, socklen_t *len, const void *from, size_t size)
{
    if (*len > size)
        *len = (socklen_t)size;
    memcpy(value, from, *len);
    return 0;
}

static int give_int(void *value, socklen_t *len, int number)
{
    return give(value, len, &number, sizeof number);
}

/* A minion that has gone took the connection with it: that is the socket's error, not ours. */
static int pending_error(const struct proxied *sock)
{
    uint32_t fate;
    struct request r = {.sock = sock, .op = MINION_ERROR, .answer = &fate, .room = sizeof fate};
    int error = request(&r);
    return error >= 0 ? error : ECONNRESET;
}

int minion_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    struct proxied sock;
    if (is_channels(level, name) || !proxied(fd, &sock))
        return LIBC(getsockopt)(fd, level, name, value, len);
    if (!value || !len || (int)*len < 0) {
        errno = value && len ? EINVAL : EFAULT;
        return -1;
    }
    if (level == SOL_SOCKET) {
        switch (name) {
        case SO_TYPE:
            return give_int(value, len, SOCK_STREAM);
        case SO_DOMAIN:
            return give_int(value, len, AF_INET);
        case SO_PROTOCOL:
            return give_int(value, len, IPPROTO_TCP);
        case SO_ERROR: {
            int saved = errno;
            int error = pending_error(&sock);
            forget_channels_error(fd);
            errno = saved;
            return give_int(value, len, error);
        }
        default:
            break;
        }
    }
    size_t room = *len < MINION_DATA_MAX ? *len : MINION_DATA_MAX;
    struct request r = {.sock = &sock, .op = MINION_GETSOCKOPT, .a = level, .b = name,
                        .c = (int)room, .answer = value, .room = room};
    int result = request(&r);
    if (result >= 0)
        *len = (socklen_t)r.got;
    return result;
}

/* SO_SNDBUF bounds what the channel holds as well (the socket has the other half).  It is never raised: a channel that is full of
 * what keeps it from being written to would seem to have room. */
static void shrink_channel(int fd, const int *value)
{
    int room, half = *value / 2, saved = errno;
    socklen_t size = sizeof room;
    if (LIBC(getsockopt)(fd, SOL_SOCKET, SO_SNDBUF, &room, &size) == 0 && half < room / 2)
        LIBC(setsockopt)(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof half);
    errno = saved;
}

int minion_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    struct proxied sock;
    if (is_channels(level, name)) {
        int low;
        socklen_t size = sizeof low;
        /* On a listener this one is our mark (socket.c); it has no other use there. */
        if (name == SO_RCVLOWAT && proxied(fd, NULL) &&
            LIBC(getsockopt)(fd, level, name, &low, &size) == 0 &&
            low == sizeof(struct minion_accept))
            return 0;
        return LIBC(setsockopt)(fd, level, name, value, len);
    }
    if (!proxied(fd, &sock))
        return LIBC(setsockopt)(fd, level, name, value, len);
    if (len > MINION_DATA_MAX || (!value && len)) {
        errno = value ? EINVAL : EFAULT;
        return -1;
    }
    struct request r = {.sock = &sock, .op = MINION_SETSOCKOPT, .a = level, .b = name,
                        .data = value, .len = len};
    int result = request(&r);
    if (result >= 0 && level == SOL_SOCKET && name == SO_SNDBUF && len >= sizeof(int))
        shrink_channel(fd, value);
    return result;
}
