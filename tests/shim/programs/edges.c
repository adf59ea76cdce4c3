/* Addresses that are wrong, buffers that are short, flags that are odd: errnos as Linux has them. */
#include "check.h"

static void addresses(void)
{
    struct sockaddr_in sin, small;
    int listener = listening(&sin);
    int fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
    FAILS(connect(fd, any(&sin), 7), EINVAL);
    FAILS(bind(fd, any(&sin), 7), EINVAL);
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    FAILS(connect(fd, (struct sockaddr *)&six, sizeof six), EAFNOSUPPORT);
    FAILS(bind(fd, any(&sin), sizeof sin), EADDRINUSE);
    FAILS(connect(fd, any(&sin), 4096), EINVAL);

    memset(&small, 0xee, sizeof small);
    socklen_t len = 4;
    CHECK(getsockname(listener, any(&small), &len) == 0 && len == sizeof sin);
    CHECK(memcmp(&small, &sin, 4) == 0 && ((unsigned char *)&small)[4] == 0xee);
    len = (socklen_t)-1;
    FAILS(getsockname(listener, any(&small), &len), EINVAL);
    len = sizeof sin;
    FAILS(getsockname(listener, NULL, &len), EFAULT);

    CHECK(connect(fd, any(&sin), sizeof sin) == 0);
    FAILS(connect(fd, any(&sin), sizeof sin), EISCONN);
    memset(&small, 0xee, sizeof small);
    len = 6;
    int got = accept4(listener, any(&small), &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(got >= 0 && len == sizeof sin && ((unsigned char *)&small)[6] == 0xee);
    CHECK(fcntl(got, F_GETFL) & O_NONBLOCK);
    CHECK(fcntl(got, F_GETFD) == FD_CLOEXEC);
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0);
    CHECK(fcntl(fd, F_GETFD) == 0);
    FAILS(accept4(listener, NULL, NULL, 1), EINVAL);
    FAILS(accept(fd, NULL, NULL), EINVAL);
    FAILS(accept(-1, NULL, NULL), EBADF);
    FAILS(accept(0, NULL, NULL), ENOTSOCK);
    CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    FAILS(accept(listener, NULL, NULL), EAGAIN);
}

static void descriptors_that_are_not(void)
{
    int options = 0;
    socklen_t len = sizeof options;
    struct sockaddr_in sin;
    FAILS(listen(0, 1), ENOTSOCK);
    FAILS(shutdown(-1, SHUT_WR), EBADF);
    FAILS(getsockopt(0, SOL_SOCKET, SO_TYPE, &options, &len), ENOTSOCK);
    FAILS(getpeername(-1, any(&sin), &len), EBADF);
    FAILS(write(-1, "x", 1), EBADF);
    FAILS(read(-1, &options, 1), EBADF);
    FAILS(send(0, "x", 1, 0), ENOTSOCK);
    FAILS(recv(0, &options, 1, 0), ENOTSOCK);
    FAILS(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
    int pipes[2], ends[2];
    CHECK(pipe(pipes) == 0);
    CHECK(write(pipes[1], "x", 1) == 1 && close(pipes[1]) == 0);
    CHECK(read(pipes[0], &options, 4) == 1 && read(pipes[0], &options, 4) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    CHECK(write(ends[0], "x", 1) == 1 && read(ends[1], &options, 1) == 1);
    close(ends[0]);
    CHECK(read(ends[1], &options, 1) == 0);
    FAILS(send(ends[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

static void data(void)
{
    int p[2], n = 0;
    char buf[16] = "";
    struct sockaddr_in sin;
    socklen_t len = sizeof sin;
    connected(p);
    CHECK(write(p[0], "", 0) == 0);
    CHECK(sendto(p[0], "abc", 3, 0, any(&(struct sockaddr_in){.sin_family = AF_INET}),
                 sizeof sin) == 3);
    CHECK(recvfrom(p[1], buf, sizeof buf, 0, any(&sin), &len) == 3 && len == 0);
    struct iovec part = {"defg", 4};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    CHECK(sendmsg(p[0], &msg, 0) == 4);
    part = (struct iovec){buf, sizeof buf};
    msg = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1, .msg_name = &sin,
                          .msg_namelen = sizeof sin};
    CHECK(recv(p[1], buf, 1, MSG_PEEK) == 1);
    CHECK(ioctl(p[1], FIONREAD, &n) == 0 && n == 4);
    CHECK(recvmsg(p[1], &msg, 0) == 4 && msg.msg_namelen == 0);
    CHECK(recv(p[1], buf, 0, MSG_DONTWAIT) <= 0);
    FAILS(recv(p[1], buf, 1, MSG_DONTWAIT), EAGAIN);
    n = 1;
    CHECK(ioctl(p[1], FIONBIO, &n) == 0);
    FAILS(read(p[1], buf, 1), EAGAIN);
    volatile int too_many = 4096;    /* volatile: the compiler must not see it */
    FAILS(writev(p[0], &part, too_many), EINVAL);
    CHECK(ioctl(p[0], TIOCOUTQ, &n) == 0);
    struct timeval short_time = {0, 1000};
    CHECK(setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time) == 0);
    FAILS(recv(p[0], buf, 1, 0), EAGAIN);
    CHECK(shutdown(p[0], SHUT_RDWR) == 0);
}

static void errno_stays(void)
{
    int p[2];
    char c;
    errno = 4711;
    connected(p);
    CHECK(write(p[0], "x", 1) == 1 && read(p[1], &c, 1) == 1);
    close(p[0]);
    CHECK(read(p[1], &c, 1) == 0);
    CHECK(errno == 4711);
}

int main(void)
{
    close(0);
    CHECK(open("/dev/null", O_RDWR) == 0);
    addresses();
    descriptors_that_are_not();
    data();
    errno_stays();
}
