/* errors.c - what an EOF or a broken pipe on a channel means in TCP (abi.h, "Names").
 *
 * libc has been called already, and told little: a channel only knows "closed".  The mark on the
 * minion's end and MINION_ERROR know the rest.
 */
#include "internal.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The pending error (taken by asking), or 0 and the fate; -1: nobody answers, or knows the socket. */
static int ask_error(const struct proxied *sock, uint32_t *fate)
{
    struct request r = {.sock = sock, .op = MINION_ERROR, .answer = fate, .room = sizeof *fate};
    *fate = MINION_FATE_OPEN;
    return request(&r);
}

/* A minion that went down resets its connections: told once, then it is an end (as on Linux). */
static int lost(int fd)
{
    if (hint_get(fd) == HINT_OURS_LOST)
        return 0;
    hint_set(fd, HINT_OURS_LOST);
    return ECONNRESET;
}

/* Another process may have connected it meanwhile: then it is asked only once. */
int minion_unconnected(int fd)
{
    struct proxied sock;
    uint32_t fate;
    int saved = errno;
    if (hint_get(fd) != HINT_OURS_NEW)
        return 0;
    bool ours = proxied(fd, &sock);
    bool fresh = ours && ask_error(&sock, &fate) == 0 && fate == MINION_FATE_UNCONNECTED;
    if (!fresh)
        hint_set(fd, ours ? HINT_OURS : HINT_NONE);
    errno = saved;
    return fresh;
}

static int why_no_data(int fd, const struct proxied *sock)
{
    uint32_t fate;
    if (peer_mark(fd) == MARK_FIN)
        return 0;
    int error = ask_error(sock, &fate);
    if (error < 0)
        return lost(fd);
    if (error == 0 && fate == MINION_FATE_UNCONNECTED)
        return ENOTCONN;
    return error;
}

static int why_not_taken(int fd, const struct proxied *sock)
{
    uint32_t fate;
    int error = ask_error(sock, &fate);
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
    if (n < 0 && !is_loss(saved))
        return n;
    if (!proxied(fd, &sock))
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
    if (!is_loss(error))
        return -1;
    if (proxied(fd, &sock))
        error = why_not_taken(fd, &sock);
    if (error == EPIPE)
        return refuse_write(quiet);
    errno = error;
    return -1;
}
