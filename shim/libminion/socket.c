/* socket.c - the control calls. */
#include "internal.h"

#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

enum { TYPE_FLAGS = SOCK_NONBLOCK | SOCK_CLOEXEC };

static int fail(int error)
{
    errno = error;
    return -1;
}

/* Applies what the channel's kernel descriptor carries: O_NONBLOCK, and our hint. */
static int adopt(int fd, int flags, enum hint hint)
{
    hint_set(fd, hint);
    if (flags & SOCK_NONBLOCK)
        fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
    return fd;
}

int minion_socket(int domain, int type, int protocol)
{
    int kind = type & ~TYPE_FLAGS;
    bool internet = kind == SOCK_STREAM || kind == SOCK_DGRAM || kind == SOCK_RAW;
    if (domain == AF_INET6 && internet)
        return fail(EAFNOSUPPORT);   /* so that programs fall back to IPv4 */
    if (domain == AF_INET && kind == SOCK_STREAM && protocol == IPPROTO_MPTCP)
        return fail(EPROTONOSUPPORT);    /* so that programs fall back to TCP, not to the host */
    if (domain != AF_INET || kind != SOCK_STREAM || (protocol != 0 && protocol != IPPROTO_TCP)) {
        int fd = LIBC(socket)(domain, type, protocol);
        hint_set(fd, HINT_THEIRS);
        return fd;
    }
    struct place place;
    if (!place_find(&place))
        return -1;
    struct request r = {.place = &place, .op = MINION_SOCKET, .a = domain, .b = kind,
                        .c = protocol, .cloexec = type & SOCK_CLOEXEC};
    if (request(&r) < 0)
        return -1;
    return r.fd < 0 ? fail(EPROTO) : adopt(r.fd, type, HINT_OURS);
}

/* 0, or the errno Linux has for an address that is no IPv4 one. */
static int check_address(const struct sockaddr *addr, socklen_t len, bool may_be_unspec)
{
    if (!addr)
        return len ? EFAULT : EINVAL;
    if (len < sizeof addr->sa_family || len > sizeof(struct sockaddr_storage))
        return EINVAL;
    if (addr->sa_family == AF_UNSPEC && may_be_unspec)
        return 0;
    if (len < sizeof(struct sockaddr_in))
        return EINVAL;
    return addr->sa_family == AF_INET || addr->sa_family == AF_UNSPEC ? 0 : EAFNOSUPPORT;
}

int minion_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct proxied sock;
    if (!proxied(fd, &sock))
        return LIBC(bind)(fd, addr, len);
    int error = check_address(addr, len, false);
    if (error)
        return fail(error);
    struct request r = {.sock = &sock, .op = MINION_BIND, .data = addr, .len = len};
    return request(&r);
}

/* What the number keeps when another socket takes it, beside its flags. */
static const int KEPT[] = {SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT, SO_PEEK_OFF, SO_LINGER};
static void copy_options(int from, int to)
{
    for (size_t i = 0; i < sizeof KEPT / sizeof *KEPT; i++) {
        struct timeval value;
        socklen_t len = sizeof value;
        if (LIBC(getsockopt)(from, SOL_SOCKET, KEPT[i], &value, &len) == 0)
            LIBC(setsockopt)(to, SOL_SOCKET, KEPT[i], &value, len);
    }
}

/* As copy_options() for a new channel, which has nothing but defaults. */
static void inherit_options(int listener, int fd)
{
    for (size_t i = 0; i < sizeof KEPT / sizeof *KEPT; i++) {
        struct timeval value = {0, 0};
        socklen_t len = sizeof value;
        if (LIBC(getsockopt)(listener, SOL_SOCKET, KEPT[i], &value, &len) < 0)
            continue;
        int bytes;
        memcpy(&bytes, &value, sizeof bytes);
        int unset = KEPT[i] == SO_RCVLOWAT ? 1 : -1;
        bool set = len == sizeof bytes ? bytes != unset : value.tv_sec || value.tv_usec;
        if (set)
            LIBC(setsockopt)(fd, SOL_SOCKET, KEPT[i], &value, len);
        if (set && KEPT[i] == SO_RCVLOWAT)
            low_water_set(fd);
    }
    if (channel_is(listener, CHANNEL_TELLS_INQ))
        channel_mark(fd, CHANNEL_TELLS_INQ, 1);
}

/* The channel has ended, and here is another: it takes the old one's number.  What dup() and fork()
 * have made of the old one stays as dead as it is. */
static void replace(int fd, int fresh)
{
    int saved = errno;
    int flags = fcntl(fd, F_GETFL), cloexec = fcntl(fd, F_GETFD) & FD_CLOEXEC;
    copy_options(fd, fresh);
    channel_mark(fresh, CHANNEL_TELLS_INQ, channel_is(fd, CHANNEL_TELLS_INQ));
    fcntl(fresh, F_SETFL, flags & ~O_ACCMODE);
    if (flags & O_ASYNC)
        fcntl(fresh, F_SETOWN, fcntl(fd, F_GETOWN));
    LIBC(dup3)(fresh, fd, cloexec ? O_CLOEXEC : 0);
    close(fresh);
    hint_ours(fd);
    errno = saved;
}

/* A request that may give the socket another channel. */
static int request_renewing(int fd, struct request *r)
{
    int result = request(r);
    if (r->fd >= 0)
        replace(fd, r->fd);
    return result;
}

int minion_listen(int fd, int backlog)
{
    struct proxied sock;
    if (!proxied(fd, &sock))
        return LIBC(listen)(fd, backlog);
    struct request r = {.sock = &sock, .op = MINION_LISTEN, .a = backlog, .passed = fd + 1,
                        .cloexec = true};
    int result = request_renewing(fd, &r);
    if (result < 0)
        return -1;
    channel_mark(fd, CHANNEL_LISTENS, 1);
    hint_set(fd, HINT_OURS_READS);
    return result;
}

int minion_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct proxied sock;
    if (!proxied(fd, &sock))
        return LIBC(connect)(fd, addr, len);
    int error = check_address(addr, len, true);
    if (error)
        return fail(error);
    struct request r = {.sock = &sock, .op = MINION_CONNECT, .data = addr, .len = len,
                        .passed = fd + 1, .cloexec = true, .interruptible = true};
    if (fcntl(fd, F_GETFL) & O_NONBLOCK) {
        r.a = MINION_NONBLOCK;
    } else {
        socklen_t room = sizeof r.wait;
        LIBC(getsockopt)(fd, SOL_SOCKET, SO_SNDTIMEO, &r.wait, &room);
    }
    if (hint_get(fd) != HINT_OURS_READS)
        hint_set(fd, HINT_OURS);
    int result = request_renewing(fd, &r);
    if (result >= 0 || r.answered || (errno != EAGAIN && errno != EINTR))
        return result;
    /* A signal, or SO_SNDTIMEO (socket(7)): the connection goes on without us.  The channel must be
     * that of a connecting socket when we return. */
    int reason = errno == EAGAIN ? EINPROGRESS : EINTR;
    struct request ask = {.sock = &sock, .op = MINION_CONNECT, .a = MINION_NONBLOCK | MINION_ASK,
                          .data = addr, .len = len, .passed = fd + 1, .cloexec = true};
    result = request_renewing(fd, &ask);
    return result < 0 && errno == EALREADY ? fail(reason) : result;
}

/* accept(2): as much as fits, and how much there would have been. */
static void give_address(struct sockaddr *addr, socklen_t *len, const void *from, size_t size)
{
    if (!addr)
        return;
    memcpy(addr, from, *len < size ? *len : size);
    *len = (socklen_t)size;
}

/* The minion that carried the listener has gone.  accept() has said so; from now on nothing comes, or
 * a server that tries again and again would never rest. */
static void quieten(int fd)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    int pair[2];
    if (LIBC(getsockname)(fd, (struct sockaddr *)&name, &len) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return;                      /* out of descriptors: it will be told again */
    replace(fd, pair[0]);
    LIBC(bind)(fd, (struct sockaddr *)&name, len);
    channel_mark(fd, CHANNEL_LISTENS, 1);
    hint_set(fd, HINT_OURS_READS);
    moved_high(pair[1]);             /* and stays open */
}

/* No message: shut down by the program (EINVAL, as on Linux), or lost. */
static int listener_ended(int fd)
{
    int error = minion_explain(fd, 0);
    if (error == 0 || error == ENOTCONN)
        return fail(EINVAL);
    if (error != ECONNRESET)
        return fail(error);
    quieten(fd);
    return fail(ENETDOWN);
}

/* The descriptor of the next connection; message and address filled. */
static int receive_accepted(int fd, struct minion_accept *msg, int flags)
{
    char mark;
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {msg, sizeof *msg};
    struct msghdr head = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
                          .msg_controllen = sizeof control.room};
    int accepted = -1;
    ssize_t n = LIBC(recvmsg)(fd, &head, flags & SOCK_CLOEXEC ? MSG_CMSG_CLOEXEC : 0);
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return listener_ended(fd);
    if (n < 0)
        return -1;
    struct cmsghdr *c = CMSG_FIRSTHDR(&head);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof accepted))
        memcpy(&accepted, CMSG_DATA(c), sizeof accepted);
    if (accepted < 0)
        return fail(head.msg_flags & MSG_CTRUNC ? EMFILE : ECONNABORTED);
    if (n != sizeof *msg || msg->abi != MINION_ABI) {
        close(accepted);
        return fail(ECONNABORTED);
    }
    LIBC(recv)(accepted, &mark, sizeof mark, MSG_DONTWAIT);
    return accepted;
}

int minion_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
    int saved = errno;
    /* libc's accept comes first.  On ours it does no harm: EINVAL, or EMFILE while the queued
     * connection stays where it is, as it must. */
    int got = LIBC(accept4)(fd, addr, len, flags);
    if (got >= 0 || errno != EINVAL) {
        hint_set(got, HINT_THEIRS);
        return got;
    }
    if ((flags & ~TYPE_FLAGS) || !proxied(fd, NULL) || !channel_is(fd, CHANNEL_LISTENS))
        return -1;                   /* EINVAL it is */
    if (addr && (!len || (int)*len < 0))
        return fail(len ? EINVAL : EFAULT);
    struct minion_accept msg;
    got = receive_accepted(fd, &msg, flags);
    if (got < 0)
        return -1;
    adopt(got, flags, HINT_OURS);
    inherit_options(fd, got);
    give_address(addr, len, msg.peer, sizeof(struct sockaddr_in));
    errno = saved;
    return got;
}

int minion_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    return minion_accept4(fd, addr, len, 0);
}

static int ask_name(int op, const struct proxied *sock, struct sockaddr *addr, socklen_t *len)
{
    struct sockaddr_storage whole;
    if (len && (int)*len < 0)
        return fail(EINVAL);
    if (!addr || !len)
        return fail(EFAULT);
    struct request r = {.sock = sock, .op = op, .answer = &whole, .room = sizeof whole};
    int result = request(&r);
    if (result >= 0)
        give_address(addr, len, &whole, r.got);
    return result;
}

int minion_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    struct proxied sock;
    if (!proxied(fd, &sock))
        return LIBC(getsockname)(fd, addr, len);
    return ask_name(MINION_GETSOCKNAME, &sock, addr, len);
}

int minion_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    struct proxied sock;
    if (!proxied(fd, &sock))
        return LIBC(getpeername)(fd, addr, len);
    return ask_name(MINION_GETPEERNAME, &sock, addr, len);
}

/* What comes later can be read all the same (reading.c). */
static void shut_reading(int fd)
{
    int saved = errno;
    LIBC(shutdown)(fd, SHUT_RD);
    channel_mark(fd, CHANNEL_SHUT_RD, 1);
    hint_set(fd, HINT_OURS_READS);
    errno = saved;
}

int minion_shutdown(int fd, int how)
{
    struct proxied sock;
    if (!proxied(fd, &sock))
        return LIBC(shutdown)(fd, how);
    struct request r = {.sock = &sock, .op = MINION_SHUTDOWN, .a = how, .cloexec = true};
    int result = request_renewing(fd, &r);
    if (result == 0 && how != SHUT_WR)
        shut_reading(fd);
    if (result == 0)
        LIBC(shutdown)(fd, how);
    else if (result < 0 && errno == ENOTCONN && how != SHUT_WR && peer_mark(fd) == MARK_NO_PEER)
        shut_reading(fd);            /* refused, and done all the same (inet_shutdown()) */
    return result < 0 ? -1 : 0;
}

enum { REQUEST_IO = 0x5411, REQUEST_SIOC = 0x89 };   /* SIOCOUTQ (also a terminal's); SIOC... */

static size_t ioctl_bytes(unsigned long request)
{
    switch (request) {
    case SIOCOUTQ: case SIOCOUTQNSD: case SIOCATMARK:
        return sizeof(int);
    case SIOCDARP: case SIOCGARP: case SIOCSARP:
        return sizeof(struct arpreq);
    default:
        return sizeof(struct ifreq);
    }
}

/* FIONREAD (SIOCINQ). */
static int count_unread(int fd, const struct proxied *sock, int *count)
{
    if (channel_is(fd, CHANNEL_LISTENS))
        return fail(EINVAL);
    int result = LIBC(ioctl)(fd, FIONREAD, count);
    if (result == 0)
        *count += kept_bytes(fd, sock);
    return result;
}

int minion_ioctl(int fd, unsigned long request_code, void *arg)
{
    struct proxied sock;
    bool ours = request_code == REQUEST_IO ||
                (request_code >> 8 == REQUEST_SIOC && request_code != FIOSETOWN &&
                 request_code != FIOGETOWN && request_code != SIOCSPGRP &&
                 request_code != SIOCGPGRP);
    if (is_interface_request(request_code))
        return interface_request(fd, proxied(fd, &sock) ? &sock : NULL, request_code, arg);
    if (request_code == FIONREAD && hint_get(fd) == HINT_OURS_READS && proxied(fd, &sock))
        return count_unread(fd, &sock, arg);
    if (!ours || !proxied(fd, &sock))
        return LIBC(ioctl)(fd, request_code, arg);
    if (!arg)
        return fail(EFAULT);
    size_t size = ioctl_bytes(request_code);
    struct request r = {.sock = &sock, .op = MINION_IOCTL, .a = (int)request_code, .data = arg,
                        .len = size, .answer = arg, .room = size};
    return request(&r);
}
