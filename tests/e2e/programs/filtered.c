/* A program that is executed behind a seccomp filter, as service managers do it: it may read and write
 * what it has inherited, and nothing that it did not ask for itself is asked of the kernel. */
#include "filter.h"
#include "say.h"

static void lock(unsigned action)
{
    struct sock_filter filter[] = {
        LOAD_NUMBER,
        IF(SYS_getsockname, action), IF(SYS_getsockopt, action), IF(SYS_ioctl, action),
        IF(SYS_sendmsg, action), IF(SYS_recvmsg, action), IF(SYS_connect, action),
        ELSE(SECCOMP_RET_ALLOW)};
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
    NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* The program behind the filter; its descriptors are named by number. */
static int behind(char **argv)
{
    int in = atoi(argv[2]), out = atoi(argv[3]), connection = atoi(argv[4]);
    char text[8] = "";
    topic = argv[1];
    say("read from a pipe", read(in, text, sizeof text));
    say("its end", read(in, text, sizeof text));
    say("write to a pipe", write(out, "p", 1));
    say("read from a connection", read(connection, text, sizeof text));
    say("write to a connection", write(connection, "c", 1));
    int null = open("/dev/null", O_RDONLY);
    say("read from a file", read(null, text, sizeof text));
    return 0;
}

static void executed(const char *self, const char *name, unsigned action)
{
    int to[2], from[2], client, server, status;
    char numbers[3][12], byte = 0;
    topic = name;
    pair(&client, &server);
    NEED(pipe(to) == 0 && pipe(from) == 0);
    NEED(write(to[1], "abc", 3) == 3 && write(server, "abcd", 4) == 4);
    close(to[1]);
    once(client, POLLIN);
    sprintf(numbers[0], "%d", to[0]);
    sprintf(numbers[1], "%d", from[1]);
    sprintf(numbers[2], "%d", client);
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        lock(action);
        execl(self, self, name, numbers[0], numbers[1], numbers[2], NULL);
        _exit(3);
    }
    NEED(waitpid(child, &status, 0) == child);
    say("its status", status);
    say("from its pipe", status ? -1 : read(from[0], &byte, 1));
    say("from its connection", status ? -1 : read(server, &byte, 1));
    close(to[0]);
    close(from[0]);
    close(from[1]);
    close(client);
    close(server);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return behind(argv);
    executed(argv[0], "killed", SECCOMP_RET_KILL_PROCESS);
    executed(argv[0], "refused", SECCOMP_RET_ERRNO | EPERM);
    executed(argv[0], "allowed", SECCOMP_RET_ALLOW);
    return 0;
}
