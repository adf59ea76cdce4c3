/* reading.c - reads that are more than the kernel's: on a listener, below SO_RCVLOWAT, after SHUT_RD.
 *
 * Theory of operation.  A channel is readable as soon as a byte lies in it, a TCP socket when as much
 * as SO_RCVLOWAT does.  So the driver keeps less than that, and a read, which is content with less than
 * poll(), has it handed out.  What a read leaves in the channel, less than SO_RCVLOWAT, is kept again.
 *
 * shutdown(SHUT_RD) ends reads once everything is read, but not the connection: what comes later can
 * still be read.  The kernel lets nothing more into a channel that was shut, so the driver has it.
 */
#include "internal.h"

#include <fcntl.h>
#include <string.h>

static int hand_out(const struct proxied *sock, size_t bytes)
{
    struct request r = {.sock = sock, .op = MINION_HAND_OUT,
                        .a = bytes < INT32_MAX ? (int)bytes : INT32_MAX};
    return request(&r);
}

static void keep(int fd, const struct proxied *sock)
{
    struct request r = {.sock = sock, .op = MINION_KEEP, .passed = fd + 1, .cloexec = true};
    request(&r);
}

int minion_reads(int fd)
{
    if (hint_get(fd) == HINT_NONE)
        proxied(fd, NULL);
    return hint_get(fd) == HINT_OURS_READS;
}

int kept_bytes(int fd, const struct proxied *sock)
{
    int saved = errno;
    struct request r = {.sock = sock, .op = MINION_KEEP};
    int bytes = channel_low_water(fd) > 1 ? request(&r) : 0;
    errno = saved;
    return bytes > 0 ? bytes : 0;
}

/* How many bytes a read waits for (sock_rcvlowat()). */
static size_t patience(int fd, size_t n, int flags, size_t low_water)
{
    if (flags & MSG_DONTWAIT || fcntl(fd, F_GETFL) & O_NONBLOCK)
        return 0;
    return flags & MSG_WAITALL || n < low_water ? n : low_water;
}

int prepare_read(int fd, const struct iovec *iov, size_t count, int flags)
{
    struct proxied sock;
    int saved = errno;
    if (sandboxed || !proxied(fd, &sock) || hint_get(fd) == HINT_OURS)
        return 0;
    if (channel_is(fd, CHANNEL_LISTENS)) {
        errno = ENOTCONN;            /* and what lies there is accept()'s */
        return -1;
    }
    int low_water = channel_low_water(fd);
    if (low_water > 1) {
        size_t n = total(iov, count);
        size_t lying = (size_t)channel_unread(fd), wanted = patience(fd, n, flags, (size_t)low_water);
        if (lying < n || !lying)
            hand_out(&sock, wanted > lying ? wanted - lying : 0);
    }
    errno = saved;
    return low_water > 1 || channel_is(fd, CHANNEL_SHUT_RD);
}

/* What came after shutdown(SHUT_RD), into iov; 0: nothing. */
static ssize_t read_late(const struct proxied *sock, const struct iovec *iov, size_t count, int flags)
{
    char piece[MINION_DATA_MAX];
    size_t room = total(iov, count), done = 0;
    struct request r = {.sock = sock, .op = MINION_LATE, .b = flags & MSG_PEEK, .answer = piece,
                        .a = room < sizeof piece ? (int)room : (int)sizeof piece,
                        .room = sizeof piece};
    if (!room || request(&r) < 0)
        return 0;
    for (size_t i = 0; i < count && done < r.got; i++) {
        size_t part = r.got - done < iov[i].iov_len ? r.got - done : iov[i].iov_len;
        if (part && !(flags & MSG_TRUNC))
            memcpy(iov[i].iov_base, piece + done, part);
        done += part;
    }
    return (ssize_t)done;
}

ssize_t after_read(int fd, const struct iovec *iov, size_t count, int flags, ssize_t got)
{
    struct proxied sock;
    int saved = errno, low_water = channel_low_water(fd);
    if (proxied(fd, &sock)) {
        bool shut = channel_is(fd, CHANNEL_SHUT_RD);
        if (shut && got < 0 && saved == ENOTCONN)
            got = 0;                 /* tcp_recvmsg(): shut comes before not connected */
        else if (shut && got == 0)
            got = read_late(&sock, iov, count, flags);
        if (low_water > 1) {
            int left = channel_unread(fd);
            if (left < low_water && (left || got < low_water))
                keep(fd, &sock);
        }
    }
    errno = saved;
    return got;
}

void low_water_set(int fd)
{
    struct proxied sock;
    int saved = errno, left = channel_unread(fd);
    hint_ours(fd);
    if (left && left < channel_low_water(fd) && !channel_is(fd, CHANNEL_LISTENS) &&
        proxied(fd, &sock))
        keep(fd, &sock);
    errno = saved;
}
