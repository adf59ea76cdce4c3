/* Descriptors, pipes, eventfd, poll, select, epoll, and wrong calls. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "say.h"

int main(void)
{
    int p[2];
    char buf[100] = "";
    setvbuf(stdout, NULL, _IONBF, 0);
    say("pipe2", pipe2(p, O_NONBLOCK));
    say("empty", read(p[0], buf, 10));
    say("write", write(p[1], "hello", 5));
    struct iovec v[2] = {{buf, 2}, {buf + 50, 40}};
    say("readv", readv(p[0], v, 2));
    printf("%.2s %.3s\n", buf, buf + 50);
    static char big[65536];
    say("fill", write(p[1], big, sizeof big));
    say("full", write(p[1], "x", 1));
    struct pollfd f[3] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {999, POLLIN, 0}};
    say("poll", poll(f, 3, 0));
    printf("%x %x %x\n", f[0].revents, f[1].revents, f[2].revents);
    int d = dup(p[0]);
    say("dup3 same", dup3(d, d, 0));
    say("close", close(p[0]));
    say("read by the other", read(d, big, sizeof big));
    say("F_GETFD", fcntl(d, F_GETFD));
    say("F_SETFD", fcntl(d, F_SETFD, FD_CLOEXEC));
    say("F_GETFD", fcntl(d, F_GETFD));
    say("F_GETFL", fcntl(p[1], F_GETFL) & (O_ACCMODE | O_NONBLOCK));
    say("F_DUPFD", fcntl(d, F_DUPFD, 100));
    say("lseek of a pipe", lseek(d, 0, SEEK_SET));
    say("bad close", close(77));
    say("bad read", read(p[1], buf, 1));
    say("bad write", write(d, buf, 1));
    char *volatile nowhere = (char *)8;
    say("bad address", write(p[1], nowhere, 100));
    say("kept", write(p[1], "kept", 4));
    say("into nowhere", read(d, nowhere, 4));
    say("still there", read(d, buf, 4));
    printf("%.4s\n", buf);
    close(p[1]);
    say("end", read(d, buf, 1));

    int e = eventfd(3, EFD_NONBLOCK);
    uint64_t n = 4;
    say("eventfd write", write(e, &n, 8));
    say("eventfd read", read(e, &n, 8));
    printf("%lu\n", n);
    say("eventfd again", read(e, &n, 8));
    say("eventfd short", read(e, &n, 4));

    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x1122334455667788}, out[4];
    say("add", epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev));
    say("add twice", epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev));
    say("nothing", epoll_wait(ep, out, 4, 0));
    n = 1;
    write(e, &n, 8);
    say("edge", epoll_wait(ep, out, 4, 1000));
    printf("%lx %x\n", out[0].data.u64, out[0].events);
    say("no new edge", epoll_wait(ep, out, 4, 0));
    ev.events = EPOLLIN | EPOLLONESHOT;
    say("mod", epoll_ctl(ep, EPOLL_CTL_MOD, e, &ev));
    say("once", epoll_wait(ep, out, 4, 0));
    say("not twice", epoll_wait(ep, out, 4, 0));
    say("itself", epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev));
    say("del", epoll_ctl(ep, EPOLL_CTL_DEL, e, &ev));
    say("del again", epoll_ctl(ep, EPOLL_CTL_DEL, e, &ev));
    fd_set r;
    FD_ZERO(&r);
    FD_SET(e, &r);
    struct timeval t = {0, 1000};
    say("select", select(e + 1, &r, NULL, NULL, &t));
    say("in the set", FD_ISSET(e, &r));
    read(e, &n, 8);
    say("select, time out", select(e + 1, &r, NULL, NULL, &t));

    int z = open("/dev/zero", O_RDONLY);
    say("zeros", read(z, buf, sizeof buf));
    say("null", write(open("/dev/null", O_WRONLY), buf, 50));
    say("no such file", open("/no/such/file", O_RDONLY));
    struct stat st;
    say("fstat", fstat(e, &st));
    say("stat", stat("/dev/null", &st));
    printf("%o\n", st.st_mode & S_IFMT);
    char cwd[8];
    say("getcwd short", (long)getcwd(cwd, 1) ? 0 : -1);
    return 0;
}
