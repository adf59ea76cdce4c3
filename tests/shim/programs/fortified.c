/* Compiled with _FORTIFY_SOURCE and sizes the compiler cannot see: __read_chk and friends. */
#include "check.h"

static size_t unknown(size_t n)
{
    __asm__("" : "+r"(n));
    return n;
}

int main(void)
{
    int p[2];
    char buf[32];
    struct linger now = {1, 0};
    connected(p);
    CHECK(write(p[0], "abcdefgh", 8) == 8);
    CHECK(read(p[1], buf, unknown(2)) == 2);
    CHECK(recv(p[1], buf, unknown(2), MSG_WAITALL) == 2);
    CHECK(recvfrom(p[1], buf, unknown(4), MSG_WAITALL, NULL, NULL) == 4);
    CHECK(setsockopt(p[0], SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(p[0]);
    FAILS(read(p[1], buf, unknown(2)), ECONNRESET);
    CHECK(recv(p[1], buf, unknown(2), 0) == 0);

    connected(p);
    CHECK(write(p[0], buf, sizeof buf) == sizeof buf);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGABRT, SIG_DFL);
        close(2);                    /* "buffer overflow detected" */
        if (read(p[1], buf, unknown(33)) < 0)
            _exit(1);
        _exit(0);
    }
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
