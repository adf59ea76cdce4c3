/* errors.c - what an EOF or a broken pipe on a channel means in TCP (abi.h, "Names").
 *
 * libc has been called already, and told little: a channel only knows "closed".  The mark on the
 * minion's end and MINION_ERROR know the rest.
 */
#include "internal.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An error that has been told is not to be polled for again: the kernel keeps one of its own. */
void forget_channels_error(int fd)
{
    int error;
    socklen_t len = sizeof error;
    LIBC(getsockopt)(fd, SOL_SOCKET, SO_ERROR, &error, &len);
}

/* The pending error (taken by asking), or 0 and the fate; -1: nobody answers, or knows the socket. */
static int ask_error(int fd, const struct proxied *sock, uint32_t *fate)
{
    struct request r = {.sock = sock, .op = MINION_ERROR, .answer = fate, .room = sizeof *fate};
    *fate = MINION_FATE_OPEN;
    int error = request(&r);
    if (error > 0)
        forget_channels_error(fd);
    return error;
}

/* A minion that went down resets its connections: told once, then it is an end (as on Linux). */
static int lost(int fd)
{
    if (hint_get(fd) == HINT_OURS_LOST)
        return 0;
    hint_set(fd, HINT_OURS_LOST);
    return ECONNRESET;
}

/* After a failure the minion closes its end: then both directions are shut. */
static bool hung_up(int fd)
{
    struct pollfd one = {.fd = fd};
    return poll(&one, 1, 0) > 0 && (one.revents & POLLHUP);
}

static int why_no_data(int fd, const struct proxied *sock)
{
    uint32_t fate;
    if (!hung_up(fd) || peer_mark(fd) == MARK_FIN)
        return 0;
    int error = ask_error(fd, sock, &fate);
    if (error < 0)
        return lost(fd);
    if (error == 0 && fate == MINION_FATE_UNCONNECTED)
        return ENOTCONN;
    return error;
}

static int why_not_taken(int fd, const struct proxied *sock)
{
    uint32_t fate;
    int error = ask_error(fd, sock, &fate);
    if (error < 0)
        error = lost(fd);
    return error ? error : EPIPE;
}

int minion_explain(int fd, int writing)
{
    struct proxied sock;
    int saved = errno;
    int error = 0;
    if (proxied(fd, &sock))
        error = writing ? why_not_taken(fd, &sock) : why_no_data(fd, &sock);
    errno = saved;
    return error;
}

ssize_t explain_read(int fd, ssize_t n)
{
    struct proxied sock;
    int saved = errno;
    if (sandboxed || (n < 0 && !is_loss(saved) && saved != EINVAL))
        return n;
    /* EINVAL: what AF_UNIX says to a read on a socket that is not connected, and to much else. */
    if (!proxied(fd, &sock) || (n < 0 && saved == EINVAL && peer_mark(fd) != MARK_NO_PEER))
        return n;
    int error = why_no_data(fd, &sock);
    errno = error ? error : saved;
    return error ? -1 : 0;
}

/* As the kernel does it: to the thread that wrote. */
static void raise_sigpipe(void)
{
    LIBC(syscall)(SYS_tgkill, getpid(), LIBC(syscall)(SYS_gettid, 0, 0, 0, 0, 0, 0), SIGPIPE,
                  0, 0, 0);
}

ssize_t refuse_write(bool quiet)
{
    if (!quiet)
        raise_sigpipe();
    errno = EPIPE;
    return -1;
}

ssize_t explain_write(int fd, bool quiet)
{
    struct proxied sock;
    int error = errno;
    if (sandboxed || !is_loss(error))
        return -1;
    if (proxied(fd, &sock))
        error = why_not_taken(fd, &sock);
    if (error == EPIPE)
        return refuse_write(quiet);
    errno = error;
    return -1;
}
