/* syscall(2) by hand, and the public __ names of libc. */
#include "check.h"

ssize_t __read(int, void *, size_t);
ssize_t __write(int, const void *, size_t);
ssize_t __send(int, const void *, size_t, int);
int __connect(int, const struct sockaddr *, socklen_t);

int main(void)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in peer;
    socklen_t len = sizeof sin;
    char buf[8];
    int on = 1;
    int listener = (int)syscall(SYS_socket, AF_INET, SOCK_STREAM, 0);
    CHECK(syscall(SYS_setsockopt, listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    CHECK(syscall(SYS_bind, listener, &sin, sizeof sin) == 0);
    CHECK(syscall(SYS_listen, listener, 5) == 0);
    CHECK(syscall(SYS_getsockname, listener, &sin, &len) == 0 && sin.sin_port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(__connect(fd, any(&sin), sizeof sin) == 0);
    int got = (int)syscall(SYS_accept4, listener, &peer, &len, SOCK_CLOEXEC);
    CHECK(got >= 0 && len == sizeof peer);
    CHECK(syscall(SYS_getpeername, got, &peer, &len) == 0);
    CHECK(__write(fd, "ab", 2) == 2 && __send(fd, "cd", 2, 0) == 2);
    CHECK(recv(got, buf, 4, MSG_WAITALL) == 4 && memcmp(buf, "abcd", 4) == 0);
    CHECK(syscall(SYS_shutdown, fd, SHUT_WR) == 0);
    CHECK(__read(got, buf, 4) == 0);
    CHECK(syscall(SYS_getpid) == getpid());
    CHECK(syscall(SYS_mmap, NULL, 4096L, 3L, 0x22L, -1L, 0L) > 0);
    FAILS((int)syscall(9999), ENOSYS);
}
