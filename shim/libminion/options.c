/* options.c - getsockopt and setsockopt: the kernel's channel, here, or the minion. */
#include "internal.h"

#include <linux/capability.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/syscall.h>

enum { RCVTIMEO_NEW = 66, SNDTIMEO_NEW = 67 };   /* with 64-bit time, on 32-bit machines */

static int fail(int error)
{
    errno = error;
    return -1;
}

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
    case SO_PEEK_OFF:
        return true;
    default:
        return false;
    }
}

static bool is_level(int level)
{
    return level == SOL_SOCKET || level == IPPROTO_IP || level == IPPROTO_TCP;
}

static int give_int(void *value, socklen_t *len, int number)
{
    if (*len > sizeof number)
        *len = sizeof number;
    memcpy(value, &number, *len);
    return 0;
}

/* A minion that has gone took the connection with it: that is the socket's error, not ours. */
static int pending_error(int fd, const struct proxied *sock)
{
    uint32_t fate;
    int saved = errno;
    struct request r = {.sock = sock, .op = MINION_ERROR, .answer = &fate, .room = sizeof fate};
    int error = request(&r);
    forget_channels_error(fd);
    errno = saved;
    return error >= 0 ? error : ECONNRESET;
}

int minion_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    struct proxied sock;
    char nowhere[MINION_VALUE_MAX];
    if (is_channels(level, name) || !proxied(fd, &sock))
        return LIBC(getsockopt)(fd, level, name, value, len);
    if (!len)
        return fail(is_level(level) ? EFAULT : EOPNOTSUPP);
    if (level == SOL_SOCKET && value && (int)*len >= 0) {
        switch (name) {
        case SO_TYPE:
            return give_int(value, len, SOCK_STREAM);
        case SO_DOMAIN:
            return give_int(value, len, AF_INET);
        case SO_PROTOCOL:
            return give_int(value, len, IPPROTO_TCP);
        case SO_ERROR:
            return give_int(value, len, pending_error(fd, &sock));
        default:
            break;
        }
    }
    size_t room = value ? *len : sizeof nowhere;
    if (room > MINION_DATA_MAX)
        room = MINION_DATA_MAX;
    struct request r = {.sock = &sock, .op = MINION_GETSOCKOPT, .a = level, .b = name,
                        .c = (int)*len, .answer = value ? value : nowhere, .room = room};
    int result = request(&r);
    if (result >= 0 && !value && r.got)
        return fail(EFAULT);
    if (result >= 0)
        *len = (socklen_t)r.got;
    return result;
}

/* Has the program CAP_NET_ADMIN?  Asked only where Linux does, as a sandbox may not like the call. */
static bool is_admin(int level, int name)
{
    static const int asked[][2] = {
        {SOL_SOCKET, SO_DEBUG}, {SOL_SOCKET, SO_SNDBUFFORCE}, {SOL_SOCKET, SO_RCVBUFFORCE},
        {SOL_SOCKET, SO_PRIORITY}, {SOL_SOCKET, SO_MARK}, {SOL_SOCKET, SO_BUSY_POLL},
        {SOL_SOCKET, SO_BINDTODEVICE}, {SOL_SOCKET, SO_TXTIME}, {SOL_SOCKET, SO_BINDTOIFINDEX},
        {SOL_SOCKET, 69 /* SO_PREFER_BUSY_POLL */}, {SOL_SOCKET, 70 /* SO_BUSY_POLL_BUDGET */},
        {IPPROTO_IP, IP_TRANSPARENT}, {IPPROTO_IP, IP_IPSEC_POLICY}, {IPPROTO_IP, IP_XFRM_POLICY},
    };
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++)
        if (asked[i][0] == level && asked[i][1] == name)
            return LIBC(syscall)(SYS_capget, (long)&head, (long)caps, 0, 0, 0, 0) == 0 &&
                   (caps[CAP_NET_ADMIN / 32].effective & 1u << CAP_NET_ADMIN % 32);
    return false;
}

/* What the channel is to know, too: how much a read waits for; that close() is to wait (which means
 * nothing to AF_UNIX); that recvmsg() is to tell TCP_INQ. */
static void tell_channel(int fd, int level, int name, const void *value, socklen_t len)
{
    int number;
    if (level == SOL_SOCKET && name == SO_LINGER)
        LIBC(setsockopt)(fd, level, name, value, len);
    memcpy(&number, value, sizeof number);
    if (level == SOL_SOCKET && name == SO_RCVLOWAT) {
        LIBC(setsockopt)(fd, level, name, &number, sizeof number);
        low_water_set(fd);
    }
    if (level == IPPROTO_TCP && name == TCP_INQ)
        channel_mark(fd, CHANNEL_TELLS_INQ, number);
}

/* SO_SNDBUF bounds what the channel holds as well (the socket has the other half).  It is never
 * raised: a channel that is full of what keeps it from being written to would seem to have room. */
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
    if (is_channels(level, name) || !proxied(fd, &sock))
        return LIBC(setsockopt)(fd, level, name, value, len);
    if ((int)len < 0)
        return fail(EINVAL);
    int told = len < 1 << 20 ? (int)len : 1 << 20, saved = errno;
    int flags = (value ? 0 : MINION_NULL) | (is_admin(level, name) ? MINION_ADMIN : 0);
    errno = saved;
    struct request r = {.sock = &sock, .op = MINION_SETSOCKOPT, .a = level, .b = name,
                        .c = flags | told << 8, .data = value,
                        .len = !value ? 0 : len < MINION_VALUE_MAX ? len : MINION_VALUE_MAX};
    int result = request(&r);
    if (result >= 0 && value && len >= sizeof(int))
        tell_channel(fd, level, name, value, len);
    if (result >= 0 && value && level == SOL_SOCKET && name == SO_SNDBUF && len >= sizeof(int))
        shrink_channel(fd, value);
    return result;
}
