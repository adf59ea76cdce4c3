/* The first socket starts a minion, and the program notices nothing but the delay. */
#include "check.h"

static volatile sig_atomic_t children;

static void on_child(int sig)
{
    (void)sig;
    children++;
}

int main(int argc, char **argv)
{
    struct sockaddr_in sin;
    sigset_t before, after;
    int pipes[2], error = argc > 1 ? atoi(argv[1]) : 0;
    char c;
    if (argc > 2)
        signal(SIGCHLD, SIG_IGN);
    else
        signal(SIGCHLD, on_child);
    CHECK(pipe(pipes) == 0);
    CHECK(sigprocmask(SIG_SETMASK, NULL, &before) == 0);
    if (error) {
        FAILS(socket(AF_INET, SOCK_STREAM, 0), error);
        FAILS(socket(AF_INET, SOCK_STREAM, 0), error);
        CHECK(open("/dev/null", O_RDONLY) == pipes[1] + 1);
    } else {
        int fd = listening(&sin);
        CHECK(fd == pipes[1] + 1);
    }
    CHECK(sigprocmask(SIG_SETMASK, NULL, &after) == 0);
    CHECK(memcmp(&before, &after, sizeof before) == 0);
    CHECK(children == 0);
    FAILS(waitpid(-1, NULL, WNOHANG), ECHILD);
    close(pipes[1]);
    CHECK(read(pipes[0], &c, 1) == 0);   /* the minion holds nothing of ours */
}
