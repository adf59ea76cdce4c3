/* client.c - one request on a control connection, and its answer.
 *
 * Nothing here allocates or locks: the callers are calls which POSIX lets a signal handler make.
 */
#include "internal.h"

#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static bool server_is_trusted(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;
    return LIBC(getsockopt)(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == geteuid() || peer.uid == place_owner() || peer.uid == 0);
}

static int connect_to(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = LIBC(socket)(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    strcpy(addr.sun_path, path);     /* PATH_ROOM is less than sun_path */
    int done;
    do
        done = LIBC(connect)(fd, (struct sockaddr *)&addr, sizeof addr);
    while (done < 0 && errno == EINTR);
    if (done == 0 && server_is_trusted(fd))
        return fd;
    int error = done < 0 ? errno : EPERM;
    close(fd);
    errno = error;
    return -1;
}

/* Nobody there, as opposed to "we cannot even ask". */
static bool is_absent(int error)
{
    return error == ENOENT || error == ECONNREFUSED;
}

/* What the program is told when no connection can be made. */
static int as_network_error(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
        return error;
    default:
        return ENETDOWN;
    }
}

/* sendmsg() of a request with a descriptor (SCM_RIGHTS), if fd is one. */
static ssize_t send_with(int conn, struct iovec *parts, size_t count, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct msghdr msg = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t n;
    if (fd >= 0) {
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control;
    }
    do
        n = LIBC(sendmsg)(conn, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Out of reach since we dropped our privileges: one end of a pair, sent through a connection from
 * before, makes the other end a connection too. */
static int connect_through(int door)
{
    int pair[2];
    struct minion_request head = {.abi = MINION_ABI, .op = MINION_ADOPT};
    struct iovec part = {&head, sizeof head};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    ssize_t n = send_with(door, &part, 1, pair[1]);
    close(pair[1]);
    if (n >= 0)
        return pair[0];
    int error = errno;
    close(pair[0]);
    errno = error;
    return -1;
}

enum { TRIES = 16 };

static int through_a_door(const char *path)
{
    int fd = -1, door = -1;
    for (int i = 0; i < TRIES && fd < 0 && (door = pool_door(path)) >= 0; i++)
        fd = connect_through(door);    /* another thread may close what was the parent's meanwhile */
    return fd;
}

/* A path that cannot be reached may only be out of reach by now: in another root or namespace, or for
 * another user.  A connection from before still leads there. */
static int reach(const char *path)
{
    int fd = -1;
    if (sandboxed && pool_door(path) >= 0)
        return through_a_door(path);    /* its filter need not allow the calls of the other way */
    fd = connect_to(path);
    if (fd >= 0 || (errno != EACCES && errno != ENOENT))
        return fd;
    int error = errno;
    fd = through_a_door(path);
    if (fd < 0)
        errno = error;
    return fd;
}

/* Why, and what to do about it. */
static const char *why(int error)
{
    switch (error) {
    case ENOENT:
        return chrooted ? ": it has gone down, or the program has changed its root and closed the "
                          "connections it had"
                        : ": none answers: it has gone down, or lies outside of the program's "
                          "root or /tmp";
    case ECONNREFUSED:
        return ": none answers: it has died";
    case EACCES:
        return ": permission denied: the program had no connection when it became another user "
               "than the minion's; start both as the same one";
    case EPERM:
        return sandboxed ? ": a seccomp filter forbids it"
                         : ": it is not run by this user";
    case EPIPE:
    case ECONNRESET:
        return ": it has gone down";
    case EPROTO:
        return ": it is of another version than this libminion; start it by the `minion` that "
               "`minion lib` belongs to";
    default:
        return "";
    }
}

/* That a minion has gone is what the errors of its sockets say; and a lack of descriptors says it all. */
static void report(const struct request *r, const char *path, int error)
{
    bool gone = is_absent(error) || error == EPIPE || error == ECONNRESET;
    if (gone ? r->place != NULL : as_network_error(error) == ENETDOWN)
        complain("no minion can be reached at ", path, why(error));
}

static int started(const struct place *place, const char *path)
{
    if (sandboxed || chrooted) {
        complain("minion ", place->name, " is not up, and a program that has locked itself in "
                 "(chroot, seccomp) cannot start it; run `minion up` before");
        errno = ENETDOWN;
        return -1;
    }
    if (autostart(place))
        return connect_to(path);
    errno = ENETDOWN;
    return -1;
}

static int connection(const struct request *r, const char *path, int *slot)
{
    int fd = reach(path);
    if (fd < 0 && is_absent(errno) && r->place && r->place->name[0])
        fd = started(r->place, path);
    else if (fd < 0)
        report(r, path, errno);
    if (fd < 0) {
        errno = as_network_error(errno);
        return -1;
    }
    return pool_new(fd, path, slot);
}

static bool has_own(const char *path)
{
    int slot, fd = pool_take(path, &slot);
    if (fd >= 0)
        pool_give(slot, fd);
    return fd >= 0;
}

void door_open(enum door door)
{
    struct place place;
    int slot, saved = errno;
    if (place_find(&place) &&
        !(door == DOOR_OWN ? has_own(place.path) : pool_door(place.path) >= 0)) {
        int fd = reach(place.path);
        if (fd < 0 && door == DOOR_STARTED && is_absent(errno) && place.name[0])
            fd = started(&place, place.path);
        if (fd >= 0) {
            fd = pool_new(fd, place.path, &slot);
            pool_give(slot, fd);
        }
    }
    errno = saved;
}

static ssize_t send_request(int fd, const struct request *r)
{
    struct minion_request head = {
        .abi = MINION_ABI, .op = (uint32_t)r->op, .a = r->a, .b = r->b, .c = r->c,
        .len = (uint32_t)r->len,
    };
    struct iovec parts[] = {{&head, sizeof head}, {(void *)r->data, r->len}};
    if (r->sock)
        memcpy(head.id, r->sock->id, MINION_ID);
    return send_with(fd, parts, r->len ? 2 : 1, r->passed - 1);
}

/* Bytes of the answer's message, or -1: EINTR, EAGAIN (time is up), or any error: it is gone. */
static ssize_t receive_reply(int fd, struct request *r, struct minion_reply *head, bool *full)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec parts[] = {{head, sizeof *head}, {r->answer, r->room}};
    struct msghdr msg;
    ssize_t n;
    do {
        msg = (struct msghdr){.msg_iov = parts, .msg_iovlen = 2, .msg_control = control.room,
                              .msg_controllen = sizeof control.room};
        n = LIBC(recvmsg)(fd, &msg, r->cloexec ? MSG_CMSG_CLOEXEC : 0);
    } while (n < 0 && errno == EINTR && !r->interruptible);
    if (n <= 0)
        return n;
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(&r->fd, CMSG_DATA(c), sizeof r->fd);
    *full = (msg.msg_flags & MSG_CTRUNC) && r->fd < 0;    /* no number was free for it */
    return n;
}

/* The reply's result; errno is its error.  An invalid reply is not believed. */
static int read_reply(struct request *r, const struct minion_reply *head, size_t n, bool full)
{
    size_t data = n - sizeof *head;
    if (n < sizeof *head || head->abi != MINION_ABI || head->op != (uint32_t)r->op ||
        head->len > data) {
        errno = EPROTO;
        return -1;
    }
    r->answered = true;
    r->got = head->len;
    if (full) {
        errno = EMFILE;
        return -1;
    }
    if (head->result < 0)
        errno = head->error;
    return head->result;
}

static void set_wait(int fd, const struct timeval *wait)
{
    LIBC(setsockopt)(fd, SOL_SOCKET, SO_RCVTIMEO, wait, sizeof *wait);
}

/* -1, and nothing of the answer kept. */
static int failed(struct request *r, int slot, int fd, int error)
{
    pool_drop(slot, fd);
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    errno = error;
    return -1;
}

int request(struct request *r)
{
    const char *path = r->place ? r->place->path : r->sock->path;
    bool timed = r->wait.tv_sec || r->wait.tv_usec;
    int saved = errno;
    r->fd = -1;
    r->got = 0;
    r->answered = false;
    for (;;) {
        struct minion_reply head;
        bool full = false;
        int slot;
        int fd = pool_take(path, &slot);
        bool fresh = fd < 0;
        if (fresh && (fd = connection(r, path, &slot)) < 0)
            return -1;
        if (timed)
            set_wait(fd, &r->wait);
        if (send_request(fd, r) < 0) {
            int error = errno;
            pool_drop(slot, fd);
            if (!fresh && error != EFAULT && error != EMSGSIZE)
                continue;            /* it went down while the connection was idle: ask anew */
            if (error != EFAULT)
                report(r, path, error);
            errno = error == EFAULT ? EFAULT : ENETDOWN;
            return -1;
        }
        ssize_t n = receive_reply(fd, r, &head, &full);
        if (n < 0 && (errno == EINTR || errno == EFAULT || (timed && errno == EAGAIN)))
            return failed(r, slot, fd, errno);
        if (n <= 0) {
            report(r, path, n < 0 ? errno : ECONNRESET);
            return failed(r, slot, fd, ENETDOWN);
        }
        int result = read_reply(r, &head, (size_t)n, full);
        if (!r->answered) {
            report(r, path, EPROTO);
            return failed(r, slot, fd, EPROTO);
        }
        if (timed)
            set_wait(fd, &(struct timeval){0, 0});
        pool_give(slot, fd);
        if (result >= 0)
            errno = saved;
        return result;
    }
}
