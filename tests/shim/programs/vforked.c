/* A vfork child uses sockets, closes everything, and execs; the parent's connections survive it. */
#include "check.h"

static int status_of(pid_t pid)
{
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    return status;
}

int main(int argc, char **argv)
{
    struct sockaddr_in sin;
    socklen_t len = sizeof sin;
    if (argc > 1)                    /* executed by the child: descriptor 9 is a socket still */
        return getsockname(9, any(&sin), &len) == 0 && sin.sin_family == AF_INET ? 7 : 1;
    int listener = listening(&sin);
    for (int round = 0; round < 40; round++) {
        pid_t pid = vfork();
        if (pid == 0) {
            if (round % 4 == 1)      /* as a careful child does before exec */
                for (int fd = 3; fd < 1100; fd++)
                    if (fd != listener)
                        close(fd);
            int fd = round % 4 < 3 ? socket(AF_INET, SOCK_STREAM, 0) : dup(listener);
            if (fd < 0 || (round % 4 == 2 && connect(fd, any(&sin), sizeof sin) < 0))
                _exit(2);
            if (dup2(fd, 9) != 9)
                _exit(3);
            execl(argv[0], argv[0], "again", NULL);
            _exit(4);
        }
        int status = status_of(pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
        int on = 1;
        CHECK(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
        if (round % 4 == 2)
            CHECK(close(accept(listener, NULL, NULL)) == 0);
        int probe = dup(0);          /* no descriptor leaks */
        CHECK(probe < 8);
        close(probe);
    }
}
