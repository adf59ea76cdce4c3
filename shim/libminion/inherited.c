/* inherited.c - a seccomp filter that was there before the program was executed.
 *
 * Theory of operation.  A service manager's filter knows nothing of us either, but a container's allows
 * nearly everything, and a program in one is to be told as much as elsewhere.  So where there is a filter
 * the calls that we add of our own are tried in a child, with a descriptor that is none: if one of them
 * kills it, or is refused, the program is treated as one with a filter of its own (inside.c).
 */
#include "internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_FD = -1 };

/* Not by libc's functions: some of them make other calls than those of their names. */
static long call(long number, long a, const void *b, long c)
{
    return LIBC(syscall)(number, a, (long)(intptr_t)b, c, 0, 0, 0);
}

static bool has_filter(void)
{
    char text[4096];
    size_t length = 0;
    long n;
    long fd = call(SYS_openat, AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while ((n = call(SYS_read, fd, text + length, (long)(sizeof text - 1 - length))) > 0)
        length += (size_t)n;
    call(SYS_close, fd, NULL, 0);
    text[length] = 0;
    return strstr(text, "\nSeccomp:\t2") != NULL;
}

/* Each says that there is no such descriptor, unless something else answered before. */
static bool all_answer(void)
{
    static const long CALLS[] = {SYS_getsockname, SYS_getsockopt, SYS_ioctl, SYS_fcntl,
                                 SYS_sendmsg, SYS_recvmsg};
    for (size_t i = 0; i < sizeof CALLS / sizeof *CALLS; i++)
        if (call(CALLS[i], NO_FD, NULL, 0) == 0 || errno != EBADF)
            return false;
    return true;
}

static bool refused(void)
{
    int status = -1;
    long child = call(SYS_clone, 0, NULL, 0);    /* without SIGCHLD at its end */
    if (child == 0) {
        call(SYS_exit_group, all_answer() ? 0 : 1, NULL, 0);
        __builtin_trap();
    }
    if (child < 0)
        return true;
    while (call(SYS_wait4, child, &status, __WALL) < 0 && errno == EINTR)
        ;
    return status != 0;
}

__attribute__((constructor(102))) static void at_load(void)
{
    int saved = errno;
    sandboxed = has_filter() && refused();
    errno = saved;
}
