/* unusual.c - what TCP does with flags of receives and sends, and AF_UNIX does not: MSG_TRUNC discards,
 * MSG_PEEK with MSG_WAITALL waits, MSG_FASTOPEN connects, TCP_INQ tells what is left.
 */
#include "internal.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 16384, CM_INQ = TCP_INQ };

/* MSG_PEEK | MSG_TRUNC: how much there is, up to n. */
static ssize_t count(int fd, size_t n, int flags)
{
    char one;
    ssize_t got = LIBC(recv)(fd, &one, n ? 1 : 0, flags & ~(MSG_TRUNC | MSG_WAITALL));
    if (got <= 0)
        return got;
    size_t there = (size_t)channel_unread(fd);
    return (ssize_t)(there < n ? there : n);
}

ssize_t discard(int fd, size_t n, int flags)
{
    char piece[PIECE];
    size_t done = 0;
    if (flags & MSG_PEEK)
        return count(fd, n, flags);
    flags &= ~MSG_TRUNC;
    do {
        size_t want = n - done < PIECE ? n - done : PIECE;
        bool more = done && !(flags & MSG_WAITALL);    /* the first has waited */
        ssize_t got = LIBC(recv)(fd, piece, want, more ? flags | MSG_DONTWAIT : flags);
        if (got <= 0)
            return done ? (ssize_t)done : got;
        done += (size_t)got;
        if ((size_t)got < want)
            break;
    } while (done < n);
    return (ssize_t)done;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Milliseconds a receive may take; -1: as long as it wants. */
static int64_t patience(int fd)
{
    struct timeval limit = {0, 0};
    socklen_t len = sizeof limit;
    LIBC(getsockopt)(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, &len);
    return limit.tv_sec || limit.tv_usec ? limit.tv_sec * 1000 + (limit.tv_usec + 999) / 1000 : -1;
}

/* Data that was seen already is no news to poll(); an edge of epoll is. */
ssize_t peek_all(int fd, void *buf, size_t n, int flags)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET};
    ssize_t got = LIBC(recv)(fd, buf, n, flags);
    if (got <= 0 || (size_t)got == n || flags & MSG_DONTWAIT || fcntl(fd, F_GETFL) & O_NONBLOCK)
        return got;
    int64_t limit = patience(fd), end = now_ms() + limit;
    int saved = errno, edges = epoll_create1(EPOLL_CLOEXEC);
    if (edges < 0 || epoll_ctl(edges, EPOLL_CTL_ADD, fd, &event) < 0)
        goto out;
    for (;;) {
        ssize_t more = LIBC(recv)(fd, buf, n, flags | MSG_DONTWAIT);
        struct pollfd ended = {.fd = fd, .events = POLLRDHUP};
        if (more > got)
            got = more;
        if ((size_t)got == n || more <= 0 || (poll(&ended, 1, 0) > 0 && ended.revents))
            break;
        int64_t left = limit < 0 ? -1 : end - now_ms();
        if ((limit >= 0 && left <= 0) ||
            epoll_wait(edges, &event, 1, left > INT_MAX ? INT_MAX : (int)left) <= 0)
            break;                   /* time is up, or a signal: what there is */
    }
out:
    if (edges >= 0)
        close(edges);
    errno = saved;
    return got;
}

void tell_inq(int fd, struct msghdr *msg, size_t room)
{
    if (!channel_is(fd, CHANNEL_TELLS_INQ))
        return;
    if (room < CMSG_SPACE(sizeof(int))) {
        msg->msg_flags |= MSG_CTRUNC;
        return;
    }
    int left = channel_unread(fd);
    struct pollfd ended = {.fd = fd, .events = POLLRDHUP};
    if (poll(&ended, 1, 0) > 0)
        left++;                      /* the end is worth a read, too (tcp_inq_hint()) */
    struct cmsghdr *head = msg->msg_control;
    *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof left), .cmsg_level = IPPROTO_TCP,
                             .cmsg_type = CM_INQ};
    memcpy(CMSG_DATA(head), &left, sizeof left);
    msg->msg_controllen = CMSG_SPACE(sizeof left);
}

/* TCP Fast Open, always without a cookie: a connect, and then the data (RFC 7413, 4.1.3).  0: go on. */
int fast_open(int fd, const struct sockaddr *to, socklen_t len)
{
    if (to && len >= sizeof to->sa_family && to->sa_family == AF_UNSPEC) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return minion_connect(fd, to, len);
}
