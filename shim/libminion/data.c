/* data.c - the calls that move bytes.  The kernel moves them; a call that succeeds costs nothing here.
 *
 * Writing needs one thing before the call: no SIGPIPE from the kernel, because Linux raises none for
 * the first write after a reset, and we know only afterwards.  So a descriptor that the hint says is
 * ours is written with MSG_NOSIGNAL, and SIGPIPE raised here where it is due.  A number seen for the
 * first time is looked up once.  A wrong hint does no harm: sendto() on what is no socket says so,
 * and on another socket it is what write() would have done.
 */
#include "internal.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/sendfile.h>
#include <time.h>

enum { FAST_OPEN = 0x20000000, UNUSUAL = MSG_OOB | MSG_ERRQUEUE | MSG_TRUNC | MSG_PEEK };

static int fail(int error)
{
    errno = error;
    return -1;
}

static bool seems_ours(int fd)
{
    enum hint hint = hint_get(fd);
    if (__builtin_expect(sandboxed, 0))
        return false;
    return hint >= HINT_OURS || (hint == HINT_NONE && proxied(fd, NULL));
}

/* For calls that are rare or would go wrong on another socket: the hint excludes, the kernel says. */
static bool is_ours(int fd)
{
    return hint_get(fd) != HINT_THEIRS && !sandboxed && proxied(fd, NULL);
}

/* ---- receiving ---- */

/* What is not asked of libc as it is: whether it is done, and how it ended.  MSG_OOB: no urgent data
 * is ever there.  MSG_ERRQUEUE: nor an error queue.  (tcp_recvmsg()) */
static bool unusual(int fd, void *buf, size_t n, int flags, ssize_t *done)
{
    if (!is_ours(fd))
        return false;
    if (flags & (MSG_OOB | MSG_ERRQUEUE))
        *done = fail(flags & MSG_ERRQUEUE ? EAGAIN : EINVAL);
    else if (flags & MSG_TRUNC)
        *done = discard(fd, n, flags);
    else if (flags & MSG_WAITALL && n)
        *done = peek_all(fd, buf, n, flags);
    else
        return false;
    if (*done == 0 || (*done < 0 && !(flags & (MSG_OOB | MSG_ERRQUEUE))))
        *done = explain_read(fd, *done);
    return true;
}

static inline ssize_t received(int fd, ssize_t n, size_t wanted)
{
    if (__builtin_expect(n > 0, 1) || (n == 0 && wanted == 0))
        return n;
    return explain_read(fd, n);
}

ssize_t minion_read(int fd, void *buf, size_t n)
{
    struct iovec whole = {buf, n};
    int more = n ? before_read(fd, &whole, 1, 0) : 0;    /* of nothing: 0, whatever the socket is */
    if (__builtin_expect(more < 0, 0))
        return -1;
    ssize_t got = received(fd, LIBC(read)(fd, buf, n), n);
    return __builtin_expect(more, 0) ? after_read(fd, &whole, 1, 0, got) : got;
}

/* In pieces; count may be nonsense, which the kernel says. */
static int before_readv(int fd, const struct iovec *iov, int count)
{
    enum hint hint = hint_get(fd);
    if (hint == HINT_OURS || hint == HINT_THEIRS || count < 0 || count > IOV_MAX)
        return 0;
    return total(iov, (size_t)count) ? prepare_read(fd, iov, (size_t)count, 0) : 0;
}

static ssize_t received_pieces(int fd, const struct iovec *iov, int count, int more, ssize_t n)
{
    if (n < 0 || (n == 0 && total(iov, (size_t)count)))
        n = explain_read(fd, n);
    return __builtin_expect(more, 0) ? after_read(fd, iov, (size_t)count, 0, n) : n;
}

ssize_t minion_readv(int fd, const struct iovec *iov, int count)
{
    int more = before_readv(fd, iov, count);
    if (__builtin_expect(more < 0, 0))
        return -1;
    return received_pieces(fd, iov, count, more, LIBC(readv)(fd, iov, count));
}

ssize_t minion_recv(int fd, void *buf, size_t n, int flags)
{
    ssize_t got;
    struct iovec whole = {buf, n};
    int more = flags & MSG_ERRQUEUE ? 0 : before_read(fd, &whole, 1, flags);
    if (__builtin_expect(more < 0, 0))
        return -1;
    if (!(__builtin_expect(flags & UNUSUAL, 0) && unusual(fd, buf, n, flags, &got)))
        got = received(fd, LIBC(recv)(fd, buf, n, flags), n);
    return __builtin_expect(more, 0) ? after_read(fd, &whole, 1, flags, got) : got;
}

ssize_t minion_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from,
                        socklen_t *len)
{
    bool ours = from && is_ours(fd);
    enum hint hint = hint_get(fd);
    if (ours || (!from && (flags & UNUSUAL || hint == HINT_NONE || hint == HINT_OURS_READS))) {
        ssize_t got = minion_recv(fd, buf, n, flags);
        if (ours && got >= 0 && len)
            *len = 0;                /* TCP gives no address (the channel would give its name) */
        return got;
    }
    return received(fd, LIBC(recvfrom)(fd, buf, n, flags, from, len), n);
}

/* The numbers of descriptors that came along are new to us. */
static void forget_received(struct msghdr *msg)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            hint_set(fd, HINT_NONE);
        }
    }
}

ssize_t minion_recvmsg(int fd, struct msghdr *msg, int flags)
{
    ssize_t n;
    size_t room = msg && msg->msg_control ? msg->msg_controllen : 0;
    int more = !msg || flags & MSG_ERRQUEUE
                   ? 0 : before_read(fd, msg->msg_iov, msg->msg_iovlen, flags);
    if (__builtin_expect(more < 0, 0))
        return -1;
    if (__builtin_expect(flags & UNUSUAL, 0) && msg &&
        unusual(fd, msg->msg_iovlen ? msg->msg_iov->iov_base : NULL,
                flags & MSG_TRUNC ? total(msg->msg_iov, msg->msg_iovlen)
                : msg->msg_iovlen == 1 ? msg->msg_iov->iov_len : 0, flags, &n)) {
        msg->msg_controllen = 0;
        msg->msg_namelen = 0;
        msg->msg_flags = 0;
        return more ? after_read(fd, msg->msg_iov, msg->msg_iovlen, flags, n) : n;
    }
    if (msg && msg->msg_name && is_ours(fd)) {
        void *name = msg->msg_name;
        msg->msg_name = NULL;
        n = LIBC(recvmsg)(fd, msg, flags);
        msg->msg_name = name;
        msg->msg_namelen = 0;
    } else {
        n = LIBC(recvmsg)(fd, msg, flags);
    }
    if (n >= 0 && msg->msg_controllen)
        forget_received(msg);
    else if (n >= 0 && room && is_ours(fd))
        tell_inq(fd, msg, room);
    if (n < 0 || (n == 0 && total(msg->msg_iov, msg->msg_iovlen)))
        n = explain_read(fd, n);
    return __builtin_expect(more, 0) ? after_read(fd, msg->msg_iov, msg->msg_iovlen, flags, n) : n;
}

/* ---- sending ---- */

ssize_t minion_write(int fd, const void *buf, size_t n)
{
    if (seems_ours(fd)) {
        ssize_t sent = LIBC(sendto)(fd, buf, n, MSG_NOSIGNAL, NULL, 0);
        if (__builtin_expect(sent >= 0, 1))
            return sent;
        if (errno != ENOTSOCK)
            return explain_write(fd, false);
        hint_set(fd, HINT_NONE);
    }
    ssize_t sent = LIBC(write)(fd, buf, n);
    return sent >= 0 ? sent : explain_write(fd, true);
}

ssize_t minion_writev(int fd, const struct iovec *iov, int count)
{
    if (seems_ours(fd) && count >= 0 && count <= IOV_MAX) {
        struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
        ssize_t sent = LIBC(sendmsg)(fd, &msg, MSG_NOSIGNAL);
        if (__builtin_expect(sent >= 0, 1))
            return sent;
        if (errno != ENOTSOCK)
            return explain_write(fd, false);
        hint_set(fd, HINT_NONE);
    }
    ssize_t sent = LIBC(writev)(fd, iov, count);
    return sent >= 0 ? sent : explain_write(fd, true);
}

ssize_t minion_send(int fd, const void *buf, size_t n, int flags)
{
    return minion_sendto(fd, buf, n, flags, NULL, 0);
}

ssize_t minion_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
                      socklen_t len)
{
    bool ours = seems_ours(fd);
    if (ours && (to || (flags & (MSG_OOB | FAST_OPEN))))
        ours = proxied(fd, NULL);
    if (!ours) {
        ssize_t sent = LIBC(sendto)(fd, buf, n, flags, to, len);
        return sent >= 0 ? sent : explain_write(fd, true);
    }
    if (flags & MSG_OOB)
        return fail(EOPNOTSUPP);
    if (flags & FAST_OPEN && fast_open(fd, to, len) < 0)
        return -1;
    flags &= ~FAST_OPEN;
    if (flags & MSG_MORE)
        minion_more(fd, n);
    /* TCP ignores an address; the channel would call it an error. */
    ssize_t sent = LIBC(sendto)(fd, buf, n, flags | MSG_NOSIGNAL, NULL, 0);
    if (flags & MSG_MORE && sent != (ssize_t)n)
        minion_more(fd, 0);
    return sent >= 0 ? sent : explain_write(fd, flags & MSG_NOSIGNAL);
}

ssize_t minion_sendmsg(int fd, const struct msghdr *msg, int flags)
{
    bool ours = msg && seems_ours(fd);
    if (ours && (msg->msg_name || msg->msg_controllen || (flags & (MSG_OOB | FAST_OPEN))))
        ours = proxied(fd, NULL);
    if (!ours) {
        ssize_t sent = LIBC(sendmsg)(fd, msg, flags);
        return sent >= 0 ? sent : explain_write(fd, true);
    }
    if (flags & MSG_OOB)
        return fail(EOPNOTSUPP);
    if (flags & FAST_OPEN && fast_open(fd, msg->msg_name, msg->msg_namelen) < 0)
        return -1;
    flags &= ~FAST_OPEN;
    /* Neither an address nor control data (descriptors!) goes over TCP. */
    struct msghdr data = {.msg_iov = msg->msg_iov, .msg_iovlen = msg->msg_iovlen};
    size_t n = flags & MSG_MORE ? total(msg->msg_iov, msg->msg_iovlen) : 0;
    if (n)
        minion_more(fd, n);
    ssize_t sent = LIBC(sendmsg)(fd, &data, flags | MSG_NOSIGNAL);
    if (n && sent != (ssize_t)n)
        minion_more(fd, 0);
    return sent >= 0 ? sent : explain_write(fd, flags & MSG_NOSIGNAL);
}

/* sendfile and splice have no MSG_NOSIGNAL: the signal is blocked and taken away. */
struct silence {
    sigset_t before;
    bool on;
};

static void silence(struct silence *s)
{
    sigset_t pipe;
    int saved = errno;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    s->on = pthread_sigmask(SIG_BLOCK, &pipe, &s->before) == 0 &&
            !sigismember(&s->before, SIGPIPE);
    errno = saved;
}

static void end_silence(const struct silence *s, ssize_t n)
{
    sigset_t pipe;
    int saved = errno;
    if (!s->on)
        return;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (n < 0 && saved == EPIPE)
        sigtimedwait(&pipe, NULL, &(struct timespec){0, 0});
    pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    errno = saved;
}

ssize_t minion_sendfile(int out, int in, off_t *offset, size_t n)
{
    struct silence quiet;
    if (!seems_ours(out)) {
        ssize_t sent = LIBC(sendfile)(out, in, offset, n);
        return sent >= 0 ? sent : explain_write(out, true);
    }
    silence(&quiet);
    ssize_t sent = LIBC(sendfile)(out, in, offset, n);
    end_silence(&quiet, sent);
    return sent >= 0 ? sent : explain_write(out, false);
}

ssize_t minion_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t n,
                      unsigned flags)
{
    struct silence quiet = {.on = false};
    enum hint hint = hint_get(in);
    struct iovec whole = {NULL, n};
    int reads = hint == HINT_OURS_READS ? prepare_read(in, &whole, 1, 0) : 0;
    if (reads < 0)
        return -1;
    bool ours = seems_ours(out);
    bool more = ours && flags & SPLICE_F_MORE;
    if (more)
        minion_more(out, n);
    if (ours)
        silence(&quiet);
    ssize_t moved = LIBC(splice)(in, in_offset, out, out_offset, n, flags);
    if (ours)
        end_silence(&quiet, moved);
    if (more && moved != (ssize_t)n)
        minion_more(out, 0);
    if (reads)
        moved = after_read(in, NULL, 0, 0, moved);
    if (moved > 0 || n == 0)
        return moved;
    if (moved == 0 || errno == ECONNRESET || errno == EINVAL)
        return explain_read(in, moved);
    return explain_write(out, !ours);
}

/* ---- several at once, and at no offset ---- */

int minion_sendmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags)
{
    if (!msgs || !is_ours(fd))
        return LIBC(sendmmsg)(fd, msgs, count, flags);
    unsigned done = 0;
    for (; done < count && done < IOV_MAX; done++) {
        ssize_t sent = minion_sendmsg(fd, &msgs[done].msg_hdr, flags);
        if (sent < 0)
            return done ? (int)done : -1;
        msgs[done].msg_len = (unsigned)sent;
    }
    return (int)done;
}

int minion_recvmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags,
                    struct timespec *timeout)
{
    if (!msgs || timeout || !is_ours(fd))
        return LIBC(recvmmsg)(fd, msgs, count, flags, timeout);
    unsigned done = 0;
    for (; done < count && done < IOV_MAX; done++) {
        ssize_t got = minion_recvmsg(fd, &msgs[done].msg_hdr, flags & ~MSG_WAITFORONE);
        if (got < 0)
            return done ? (int)done : -1;
        msgs[done].msg_len = (unsigned)got;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
    }
    return (int)done;
}

ssize_t minion_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    int more = offset == -1 ? before_readv(fd, iov, count) : 0;
    if (__builtin_expect(more < 0, 0))
        return -1;
    ssize_t n = LIBC(preadv2)(fd, iov, count, offset, flags);
    return offset == -1 ? received_pieces(fd, iov, count, more, n) : n;
}

ssize_t minion_pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
    struct silence quiet;
    if (offset != -1 || !seems_ours(fd))
        return LIBC(pwritev2)(fd, iov, count, offset, flags);
    silence(&quiet);
    ssize_t sent = LIBC(pwritev2)(fd, iov, count, offset, flags);
    end_silence(&quiet, sent);
    return sent >= 0 ? sent : explain_write(fd, false);
}
