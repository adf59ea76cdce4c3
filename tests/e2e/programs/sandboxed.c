/* Children that lock themselves in with seccomp: a write is a write, a read is a read. */
#include "filter.h"
#include "say.h"

static struct sock_filter FILTER[] = {
    LOAD_NUMBER,
    ALLOW(SYS_read), ALLOW(SYS_write), ALLOW(SYS_exit_group), ALLOW(SYS_exit),
    ELSE(SECCOMP_RET_KILL_PROCESS)};
static struct sock_fprog program = {sizeof FILTER / sizeof *FILTER, FILTER};

/* For a program that goes on using sockets, and nothing that it would need for files or processes. */
static struct sock_filter SOCKETS[] = {
    LOAD_NUMBER,
    FORBID(SYS_newfstatat), FORBID(SYS_fstat), FORBID(SYS_statx), FORBID(SYS_prlimit64),
    FORBID(SYS_openat), FORBID(SYS_execve), FORBID(SYS_clone), FORBID(SYS_mmap),
    FORBID(SYS_socketpair), FORBID(SYS_madvise),
    ELSE(SECCOMP_RET_ALLOW)};
static struct sock_fprog sockets = {sizeof SOCKETS / sizeof *SOCKETS, SOCKETS};

enum way { STRICT, BY_PRCTL, BY_SECCOMP };
static enum way way;
static int to[2], from[2], client, server;

static void lock(void)
{
    NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    if (way == STRICT)
        NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
    else if (way == BY_PRCTL)
        NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
    else
        NEED(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0);
}

/* By number: nothing else is allowed, in strict mode not even exit_group. */
static _Noreturn void finish(int status)
{
    syscall(SYS_exit, status);
    __builtin_unreachable();
}

static void pipe_write(void)
{
    lock();
    finish(write(to[1], "x", 1) != 1);
}

static void pipe_read(void)
{
    char byte;
    lock();
    finish(read(from[0], &byte, 1) != 1);
}

static void pipe_end(void)
{
    char byte;
    close(from[1]);
    lock();
    finish(read(from[0], &byte, 1) != 1 || read(from[0], &byte, 1) != 0);
}

static void socket_write(void)
{
    lock();
    finish(write(client, "x", 1) != 1);
}

static void socket_read(void)
{
    char byte;
    lock();
    finish(read(client, &byte, 1) != 1);
}

static void socket_end(void)
{
    char byte;
    shutdown(server, SHUT_WR);
    once(client, POLLRDHUP);
    lock();
    while (read(client, &byte, 1) > 0)
        ;
    finish(read(client, &byte, 1) != 0);
}

/* Sockets from before and after: the door was opened before the filter closed it. */
static struct sockaddr_in door;
static void new_socket(void)
{
    struct sockaddr_in own;
    char byte;
    NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &sockets) == 0);
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool done = fd >= 0 && connect(fd, any(&door), sizeof door) == 0 &&
                    write(fd, "x", 1) == 1;
        if (!done)
            finish(1);
        close(fd);
    }
    own = name_of(client);
    finish(!own.sin_port || read(client, &byte, 1) != 1);
}

static void all(const char *name, enum way how)
{
    static const struct { const char *what; void (*function)(void); } ALL[] = {
        {"write to a pipe", pipe_write}, {"read from a pipe", pipe_read},
        {"a pipe's end", pipe_end}, {"write to a connection", socket_write},
        {"read from a connection", socket_read}, {"a connection's end", socket_end}};
    topic = name;
    way = how;
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        NEED(pipe(to) == 0 && pipe(from) == 0 && write(from[1], "y", 1) == 1);
        if (ALL[i].function == pipe_end)
            close(from[1]);
        pair(&client, &server);
        NEED(write(server, "abc", 3) == 3);
        once(client, POLLIN);
        ended(ALL[i].what, ALL[i].function);
        close(client);
        close(server);
    }
}

int main(void)
{
    all("strict", STRICT);
    all("a filter by prctl", BY_PRCTL);
    all("a filter by seccomp", BY_SECCOMP);
    topic = "a filter for files";
    int listener = listening(5, &door);
    pair(&client, &server);
    NEED(write(server, "abc", 3) == 3);
    once(client, POLLIN);
    ended("new sockets", new_socket);
    close(listener);
}
