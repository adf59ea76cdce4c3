/* numbers.c - descriptors change hands: close and dup.
 *
 * close() with SO_LINGER and a time waits until what was written has been acknowledged.
 *
 * Theory of operation.  Only the kernel knows which close is the last.  So the driver holds a copy of the
 * descriptor while this one is closed; then it lets go of it, and sees whether the socket is still there.
 * A process that ends does not wait, as on Linux (inet_release()).
 */
#include "internal.h"

#include <fcntl.h>
#include <unistd.h>

static bool lingers(int fd)
{
    struct linger value = {0, 0};
    socklen_t len = sizeof value;
    return LIBC(getsockopt)(fd, SOL_SOCKET, SO_LINGER, &value, &len) == 0 && value.l_onoff &&
           value.l_linger;
}

int minion_close(int fd)
{
    struct proxied sock;
    enum hint hint = hint_get(fd);
    if (__builtin_expect(hint < HINT_OURS, 1) || sandboxed)
        return LIBC(close)(fd);
    int saved = errno;
    struct request r = {.op = MINION_LINGER, .passed = fd + 1, .cloexec = true};
    bool waits = lingers(fd) && proxied(fd, &sock);
    if (waits) {
        r.sock = &sock;
        waits = request(&r) == 0;
    }
    errno = saved;
    hint_set(fd, HINT_NONE);         /* before: the number may be another's at once */
    int result = LIBC(close)(fd);
    if (waits) {
        saved = errno;
        struct request wait = {.sock = &sock, .op = MINION_LINGER, .interruptible = true};
        request(&wait);              /* a signal ends it, as on Linux: it is closed all the same */
        errno = saved;
    }
    return result;
}

/* Another takes a number: what we remembered about the number is void. */
static int renewed(int from, int fd)
{
    enum hint hint = hint_get(from);
    if (fd >= 0 && fd != from)
        hint_set(fd, hint == HINT_OURS || hint == HINT_OURS_READS ? hint : HINT_NONE);
    return fd;
}

int minion_dup(int fd)
{
    return renewed(fd, LIBC(dup)(fd));
}

int minion_dup2(int fd, int to)
{
    return renewed(fd, LIBC(dup2)(fd, to));
}

int minion_dup3(int fd, int to, int flags)
{
    return renewed(fd, LIBC(dup3)(fd, to, flags));
}

/* Its third argument is an int, a pointer or nothing: all go through in a long. */
int minion_fcntl(int fd, int command, long argument)
{
    int result = LIBC(fcntl)(fd, command, argument);
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? renewed(fd, result) : result;
}
