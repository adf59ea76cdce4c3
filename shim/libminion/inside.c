/* inside.c - a program locks itself in: chroot, another uid, a namespace, a seccomp filter.
 *
 * Theory of operation.  What it holds goes on working, and so must what it opens afterwards; but the
 * minion's control socket may be out of reach then.  So the door is opened before it closes: the calls
 * that lock in make sure of a control connection first, through which others can be had (client.c).
 *
 * A seccomp filter is another matter: it was written for the calls that the program makes, and one of
 * ours could end it.  From then on (`sandboxed`) a read is a read and a write a write: nothing is
 * looked up, and nothing explained.  What comes of that: an EOF may have been a reset, and the first
 * write after a reset raises SIGPIPE.  A filter that was there before exec: inherited.c.
 */
#include "internal.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

bool sandboxed;
bool chrooted;

int minion_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
    if (option == PR_SET_SECCOMP) {
        door_open(DOOR_OWN);
        sandboxed = true;            /* before: afterwards even this might be too late for a thread */
    }
    int result = LIBC(prctl)(option, a, b, c, d);
    if (result < 0 && option == PR_SET_SECCOMP)
        sandboxed = false;
    return result;
}

/* By syscall(2), as libseccomp does: there is no function of libc's. */
long minion_seccomp(long operation, long flags, long argument)
{
    bool filters = operation == SECCOMP_SET_MODE_STRICT || operation == SECCOMP_SET_MODE_FILTER;
    if (filters) {
        door_open(DOOR_OWN);
        sandboxed = true;
    }
    long result = LIBC(syscall)(SYS_seccomp, operation, flags, argument, 0, 0, 0);
    if (result < 0 && filters)
        sandboxed = false;
    return result;
}

/* Afterwards no minion can be started: the command is not there.  So it is started before. */
int minion_chroot(const char *path)
{
    door_open(geteuid() == 0 ? DOOR_STARTED : DOOR_ANY);    /* others may not chroot */
    int result = LIBC(chroot)(path);
    chrooted |= result == 0;
    return result;
}

int minion_unshare(int flags)
{
    door_open(DOOR_ANY);
    return LIBC(unshare)(flags);
}

int minion_setns(int fd, int kind)
{
    door_open(DOOR_ANY);
    return LIBC(setns)(fd, kind);
}

int minion_setuid(uid_t uid)
{
    door_open(DOOR_ANY);
    return LIBC(setuid)(uid);
}

int minion_seteuid(uid_t uid)
{
    door_open(DOOR_ANY);
    return LIBC(seteuid)(uid);
}

int minion_setreuid(uid_t real, uid_t effective)
{
    door_open(DOOR_ANY);
    return LIBC(setreuid)(real, effective);
}

int minion_setresuid(uid_t real, uid_t effective, uid_t saved)
{
    door_open(DOOR_ANY);
    return LIBC(setresuid)(real, effective, saved);
}

int minion_setgid(gid_t gid)
{
    door_open(DOOR_ANY);
    return LIBC(setgid)(gid);
}

int minion_setresgid(gid_t real, gid_t effective, gid_t saved)
{
    door_open(DOOR_ANY);
    return LIBC(setresgid)(real, effective, saved);
}
