/* raw.c - syscall(2) by number, for programs that do it themselves. */
#include "internal.h"

#include <sys/syscall.h>

long minion_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    switch (number) {
#ifdef SYS_socket                    /* not on machines with only socketcall(2) */
    case SYS_socket:
        return minion_socket((int)a, (int)b, (int)c);
    case SYS_bind:
        return minion_bind((int)a, (const struct sockaddr *)b, (socklen_t)c);
    case SYS_listen:
        return minion_listen((int)a, (int)b);
    case SYS_connect:
        return minion_connect((int)a, (const struct sockaddr *)b, (socklen_t)c);
    case SYS_accept4:
        return minion_accept4((int)a, (struct sockaddr *)b, (socklen_t *)c, (int)d);
    case SYS_getsockname:
        return minion_getsockname((int)a, (struct sockaddr *)b, (socklen_t *)c);
    case SYS_getpeername:
        return minion_getpeername((int)a, (struct sockaddr *)b, (socklen_t *)c);
    case SYS_getsockopt:
        return minion_getsockopt((int)a, (int)b, (int)c, (void *)d, (socklen_t *)e);
    case SYS_setsockopt:
        return minion_setsockopt((int)a, (int)b, (int)c, (const void *)d, (socklen_t)e);
    case SYS_shutdown:
        return minion_shutdown((int)a, (int)b);
#endif
#ifdef SYS_accept
    case SYS_accept:
        return minion_accept((int)a, (struct sockaddr *)b, (socklen_t *)c);
#endif
    case SYS_prctl:
        return minion_prctl((int)a, (unsigned long)b, (unsigned long)c, (unsigned long)d,
                            (unsigned long)e);
    case SYS_seccomp:
        return minion_seccomp(a, b, c);
    default:
        return LIBC(syscall)(number, a, b, c, d, e, f);
    }
}
