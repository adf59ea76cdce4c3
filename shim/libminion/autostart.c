/* autostart.c - start a named minion: `minion up NAME --auto --linger 10`.
 *
 * Theory of operation.  The program must not notice: no SIGCHLD, no child in its wait(-1).  The kernel
 * hides a child whose exit signal is 0 from both, but execve() resets that signal to SIGCHLD.  So two
 * processes: a `keeper`, cloned with exit signal 0, which never executes anything, starts the launcher,
 * waits for it with a time limit and exits with its verdict; and the launcher, its child.  Both are
 * vfork-like (CLONE_VM | CLONE_VFORK): no copy of a big program, and no fork handlers run.  All
 * signals are blocked meanwhile, so no handler runs in the shared memory.
 */
#include "internal.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    STACK = 128 * 1024,              /* execvpe() builds a path and an argv on it */
    TICK_MS = 5,
    LIMIT_MS = 15000,
    NO_EXEC = 127,
    TIMED_OUT = 126,
};

extern char **environ;

struct start {
    const char *launcher;
    char *const *argv;
    char **env;
    char *keeper_stack;              /* their upper ends */
    char *launcher_stack;
};

static void default_signals(void)
{
    struct sigaction act = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int sig = 1; sig < NSIG; sig++)
        sigaction(sig, &act, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(int first)
{
#ifdef SYS_close_range
    if (LIBC(syscall)(SYS_close_range, first, ~0U, 0, 0, 0, 0) == 0)
        return;
#endif
    struct rlimit limit;
    int top = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536
                  ? (int)limit.rlim_cur : 65536;
    for (int fd = first; fd < top; fd++)
        close(fd);
}

static int run_launcher(void *arg)
{
    struct start *s = arg;
    int null = open("/dev/null", O_RDWR);
    LIBC(dup2)(null, STDIN_FILENO);
    LIBC(dup2)(null, STDOUT_FILENO);
    close_from(3);                   /* the minion outlives us: it must not hold our pipes */
    default_signals();
    execvpe(s->launcher, s->argv, s->env);
    _exit(NO_EXEC);
}

/* Raw calls: libc's wait4 and nanosleep are cancellation points of a thread that is not here. */
static int keep(void *arg)
{
    struct start *s = arg;
    struct sigaction act = {.sa_handler = SIG_DFL};
    struct timespec tick = {0, TICK_MS * 1000000L};
    int status;
    sigaction(SIGCHLD, &act, NULL);  /* the program may ignore it: then nobody could wait */
    int pid = clone(run_launcher, s->launcher_stack, CLONE_VM | CLONE_VFORK | SIGCHLD, s);
    if (pid < 0)
        _exit(NO_EXEC);
    for (int ms = 0; ms < LIMIT_MS; ms += TICK_MS) {
        if (LIBC(syscall)(SYS_wait4, pid, (long)&status, WNOHANG, 0, 0, 0) == pid)
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
        LIBC(syscall)(SYS_nanosleep, (long)&tick, 0, 0, 0, 0, 0);
    }
    kill(pid, SIGKILL);
    LIBC(syscall)(SYS_wait4, pid, (long)&status, 0, 0, 0, 0);
    _exit(TIMED_OUT);
}

/* Exit status of the launcher; -1 if no process could be made. */
static int run(struct start *s)
{
    sigset_t all, before;
    int status = 0;
    int result = -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int keeper = clone(keep, s->keeper_stack, CLONE_VM | CLONE_VFORK, s);
    if (keeper >= 0 &&
        LIBC(syscall)(SYS_wait4, keeper, (long)&status, __WCLONE, 0, 0, 0) == keeper)
        result = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

static bool executable(char *path, size_t room, const char *dir, size_t len, const char *file)
{
    if (len + strlen(file) >= room)
        return false;
    memcpy(path, dir, len);
    strcpy(path + len, file);
    return access(path, X_OK) == 0;
}

/* In a venv this library lies a few folders below the one which has bin/minion. */
static bool beside_library(char *path, size_t room)
{
    Dl_info self;
    if (!dladdr((void *)&beside_library, &self) || !self.dli_fname)
        return false;
    size_t len = strlen(self.dli_fname);
    for (int up = 0; up < 7 && len > 0; up++) {
        while (len > 0 && self.dli_fname[len - 1] != '/')
            len--;
        if (executable(path, room, self.dli_fname, len, "bin/minion"))
            return true;
        while (len > 0 && self.dli_fname[len - 1] == '/')
            len--;
    }
    return false;
}

static const char *find_launcher(char *path, size_t room, const struct place *place)
{
    const char *chosen = secure_getenv("MINION_EXE");
    if (chosen && *chosen)
        return chosen;
    if (executable(path, room, place->dir, strlen(place->dir), "/launcher") ||
        beside_library(path, room))
        return path;
    return "minion";
}

static bool is_preload(const char *entry)
{
    return strncmp(entry, "LD_PRELOAD=", sizeof "LD_PRELOAD=" - 1) == 0;
}

bool autostart(const struct place *place)
{
    char path[4096];
    size_t count = 0;
    while (environ && environ[count])
        count++;
    size_t size = 2 * STACK + (count + 1) * sizeof(char *);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    char *argv[] = {"minion", "up", (char *)place->name, "--auto", "--linger", "10", NULL};
    struct start s = {
        .launcher = find_launcher(path, sizeof path, place),
        .argv = argv,
        .keeper_stack = memory + STACK,
        .launcher_stack = memory + 2 * STACK,
        .env = (char **)(memory + 2 * STACK),
    };
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_preload(environ[i]))
            s.env[kept++] = environ[i];
    int status = run(&s);
    munmap(memory, size);
    if (status == NO_EXEC)
        complain("cannot run the command that starts minion ", place->name,
                 "; set MINION_EXE to the `minion` command");
    else if (status == TIMED_OUT)
        complain("no answer within 15 s from starting minion ", place->name,
                 "; run `minion up` by hand to see why");
    else if (status != 0)
        complain("could not start minion ", place->name, "; run `minion up` by hand to see why");
    return status == 0;
}
