/* What programs really do with sockets: ends, resets, time-outs, readiness; as on Linux. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "loopback.h"
#include "say.h"

#pragma GCC diagnostic ignored "-Wstringop-overflow" /* wrong arguments are what it is about */
#pragma GCC diagnostic ignored "-Wstringop-overread"

static int listening(void)
{
    int l = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = at(0);
    if (bind(l, (struct sockaddr *)&a, sizeof a) || listen(l, 8))
        exit(9);
    return l;
}

static void pair(int *one, int *two)
{
    int l = listening();
    struct sockaddr_in a = at(port_of(l));
    *one = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(*one, (struct sockaddr *)&a, sizeof a))
        exit(9);
    *two = accept(l, NULL, NULL);
    close(l);
}

static void ready(const char *what, int fd, int wait_ms)
{
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
    int n = poll(&p, 1, wait_ms);
    printf("%s: %d%s%s%s%s%s%s\n", what, n, p.revents & POLLIN ? " in" : "",
           p.revents & POLLOUT ? " out" : "", p.revents & POLLERR ? " err" : "",
           p.revents & POLLHUP ? " hup" : "", p.revents & POLLRDHUP ? " rdhup" : "",
           p.revents & POLLNVAL ? " nval" : "");
}

static void until_in(int fd)
{
    struct pollfd p = {fd, POLLIN, 0};
    poll(&p, 1, 5000);
}

static int so_error(int fd)
{
    int error = -1;
    socklen_t n = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n);
    return error;
}

static void reset(int fd)
{
    struct linger hard = {1, 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
}

static void ends(void)
{
    int a, b;
    char buf[100];
    puts("-- half close");
    pair(&a, &b);
    ready("new", a, 0);
    say("shutdown", shutdown(a, SHUT_WR));
    until_in(b);
    ready("a", a, 0);
    ready("b", b, 0);
    say("end", read(b, buf, 10));
    say("end again", read(b, buf, 10));
    say("answer", write(b, "late", 4));
    say("read", read(a, buf, 10));
    close(b);
    until_in(a);
    ready("both closed", a, 0);
    say("end", read(a, buf, 10));
    say("so_error", so_error(a));
    say("write", send(a, "x", 1, MSG_NOSIGNAL));
    close(a);
    puts("-- shut for reading");
    pair(&a, &b);
    say("shutdown", shutdown(a, SHUT_RD));
    ready("a", a, 0);
    say("read", read(a, buf, 10));
    say("still writes", write(a, "x", 1));
    until_in(b);
    say("got", read(b, buf, 10));
    say("shutdown both", shutdown(a, SHUT_RDWR));
    ready("a", a, 0);
    say("shutdown again", shutdown(a, SHUT_RDWR));
    close(a);
    close(b);
    puts("-- reset, seen by a reader");
    pair(&a, &b);
    write(b, "data", 4);
    until_in(a);
    reset(b);
    struct pollfd p = {a, POLLHUP | POLLERR, 0};
    poll(&p, 1, 5000);
    ready("a", a, 0);
    say("read", read(a, buf, 10));
    say("read again", read(a, buf, 10));
    say("write", send(a, "x", 1, MSG_NOSIGNAL));
    say("peer", getpeername(a, (struct sockaddr *)buf, &(socklen_t){16}));
    say("shutdown", shutdown(a, SHUT_WR));
    close(a);
    puts("-- reset, seen by a writer");
    pair(&a, &b);
    reset(b);
    p.fd = a;
    poll(&p, 1, 5000);
    say("write", send(a, "x", 1, MSG_NOSIGNAL));
    say("write again", send(a, "x", 1, MSG_NOSIGNAL));
    say("read", read(a, buf, 10));
    close(a);
    puts("-- so_error takes it");
    pair(&a, &b);
    reset(b);
    p.fd = a;
    poll(&p, 1, 5000);
    printf("%s\n", strerrorname_np(so_error(a)));
    say("so_error", so_error(a));
    say("read", read(a, buf, 10));
    say("write", send(a, "x", 1, MSG_NOSIGNAL));
    ready("a", a, 0);
    close(a);
    puts("-- closed with unread data");
    pair(&a, &b);
    write(a, "unread", 6);
    until_in(b);
    close(b);
    p.fd = a;
    poll(&p, 1, 5000);
    say("read", read(a, buf, 10));
    close(a);
}

static void listeners(void)
{
    puts("-- listeners");
    int l = listening(), one = 1;
    struct sockaddr_in a = at(port_of(l)), b;
    socklen_t n = sizeof b;
    ready("listening", l, 0);
    fcntl(l, F_SETFL, O_NONBLOCK);
    say("accept", accept(l, NULL, NULL));
    say("read", read(l, &one, 1));
    say("write", send(l, &one, 1, MSG_NOSIGNAL));
    say("connect", connect(l, (struct sockaddr *)&a, sizeof a));
    say("peer", getpeername(l, (struct sockaddr *)&b, &n));
    say("acceptconn", getsockopt(l, SOL_SOCKET, SO_ACCEPTCONN, &one, &(socklen_t){4}));
    printf("%d\n", one);
    int c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ready("fresh", c, 0);
    say("connect", connect(c, (struct sockaddr *)&a, sizeof a));
    ready("connected", c, 5000);
    say("error", so_error(c));
    say("connect again", connect(c, (struct sockaddr *)&a, sizeof a));
    say("and again", connect(c, (struct sockaddr *)&a, sizeof a));
    until_in(l);
    ready("waiting", l, 0);
    say("bad flags", accept4(l, NULL, NULL, 1));
    n = sizeof b;
    int s = accept4(l, (struct sockaddr *)&b, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    printf("%d %u %x %x\n", ntohs(b.sin_port) == port_of(c), n, fcntl(s, F_GETFL), fcntl(s, F_GETFD));
    int t = dup(s);
    printf("dup %x %x\n", fcntl(t, F_GETFL), fcntl(t, F_GETFD));
    say("nothing", read(t, &one, 1));
    close(s);
    say("through the other", write(t, "x", 1));
    until_in(c);
    say("got", read(c, &one, 4));
    close(t);
    until_in(c);
    say("end", read(c, &one, 4));
    n = sizeof b;
    getsockname(c, (struct sockaddr *)&b, &n);
    printf("%s\n", inet_ntoa(b.sin_addr));
    say("shut listener", shutdown(l, SHUT_WR));
    say("shut listener", shutdown(l, SHUT_RD));
    say("accept", accept(l, NULL, NULL));
    close(l);
    close(c);
    struct tcp_info info = {0};
    int d, e;
    pair(&d, &e);
    n = sizeof info;
    say("TCP_INFO", getsockopt(d, IPPROTO_TCP, TCP_INFO, &info, &n));
    printf("%d\n", info.tcpi_state);
    close(d);
    close(e);
}

static void times(void)
{
    puts("-- times");
    int a, b, full = 0;
    static char big[65536];
    struct timeval tv = {0, 30000}, got = {9, 9};
    socklen_t n = sizeof got;
    pair(&a, &b);
    say("set", setsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
    say("get", getsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &got, &n));
    printf("%ld %u\n", (long)got.tv_sec, n);
    while (send(a, big, sizeof big, 0) > 0)
        full++;
    printf("full: %s %d\n", strerrorname_np(errno), full > 0);
    while (send(a, big, sizeof big, MSG_DONTWAIT) > 0)
        full++;
    say("dontwait", send(a, big, sizeof big, MSG_DONTWAIT));
    tv.tv_usec = 1000000;
    say("bad microseconds", setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    say("short", setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, 4));
    tv.tv_usec = 20000;
    int l = listening();
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    say("accept", accept(l, NULL, NULL));
    setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    say("recv", recv(a, big, 1, MSG_WAITALL));
    write(b, "abc", 3);
    say("waitall, in part", recv(a, big, 10, MSG_WAITALL));
    fcntl(b, F_SETFL, O_NONBLOCK);
    write(a, "x", 1);
    close(a);
    close(b);
    close(l);
    fd_set in;
    FD_ZERO(&in);
    FD_SET(0, &in);
    FD_CLR(0, &in);
    tv.tv_sec = 0;
    say("select", select(1, &in, NULL, NULL, &tv));
    FD_SET(40, &in);
    say("select, closed", select(41, &in, NULL, NULL, &tv));
}

static void *slow(void *arg)
{
    int fd = (int)(long)arg;
    static char buf[20000];
    long got = 0, n;
    while ((n = read(fd, buf, sizeof buf)) > 0)
        got += n;
    return (void *)got;
}

static void large(void)
{
    puts("-- large");
    int a, b;
    pair(&a, &b);
    static char data[300000];
    void *got;
    pthread_t thread;
    pthread_create(&thread, NULL, slow, (void *)(long)b);
    say("write", write(a, data, sizeof data));
    struct iovec v[3] = {{data, 100000}, {NULL, 0}, {data, 100001}};
    say("writev", writev(a, v, 3));
    shutdown(a, SHUT_WR);
    pthread_join(thread, &got);
    printf("%ld\n", (long)got);
    say("iov", writev(a, v, -1));
    v[1].iov_len = -1ul;
    say("iov length", writev(b, v, 3));
    say("iov max", writev(b, v, 1025));
    close(a);
    close(b);
}

static void edges(void)
{
    puts("-- epoll");
    int a, b, ep = epoll_create1(0), one = 1;
    struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLET, {.u64 = 1}}, got[4];
    pair(&a, &b);
    say("add", epoll_ctl(ep, EPOLL_CTL_ADD, a, &e));
    say("twice", epoll_ctl(ep, EPOLL_CTL_ADD, a, &e));
    say("first", epoll_wait(ep, got, 4, 0));
    printf("%x\n", got[0].events);
    say("no edge", epoll_wait(ep, got, 4, 0));
    write(b, "1", 1);
    say("edge", epoll_wait(ep, got, 4, 1000));
    printf("%x\n", got[0].events);
    say("no edge", epoll_wait(ep, got, 4, 0));
    write(b, "2", 1);
    say("another", epoll_wait(ep, got, 4, 1000));
    int d = dup(a);
    e.events = EPOLLIN | EPOLLONESHOT;
    say("mod", epoll_ctl(ep, EPOLL_CTL_MOD, a, &e));
    say("dup", epoll_ctl(ep, EPOLL_CTL_ADD, d, &e));
    say("both", epoll_wait(ep, got, 4, 0));
    say("spent", epoll_wait(ep, got, 4, 0));
    epoll_ctl(ep, EPOLL_CTL_MOD, a, &e);
    say("armed", epoll_wait(ep, got, 4, 0));
    epoll_ctl(ep, EPOLL_CTL_MOD, a, &e);
    close(a);
    say("closed, but its dup is open", epoll_wait(ep, got, 4, 0));
    close(d);
    say("closed", epoll_wait(ep, got, 4, 0));
    say("del", epoll_ctl(ep, EPOLL_CTL_DEL, a, &e));
    int outer = epoll_create1(0), v = eventfd(0, EFD_NONBLOCK);
    e.events = EPOLLIN;
    say("nested", epoll_ctl(outer, EPOLL_CTL_ADD, ep, &e));
    say("circle", epoll_ctl(ep, EPOLL_CTL_ADD, outer, &e));
    say("itself", epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e));
    say("event", epoll_ctl(ep, EPOLL_CTL_ADD, v, &e));
    say("outer", epoll_wait(outer, got, 4, 0));
    eventfd_write(v, 3);
    say("outer", epoll_wait(outer, got, 4, 0));
    ready("outer", outer, 0);
    eventfd_t value;
    say("value", eventfd_read(v, &value));
    printf("%ld\n", (long)value);
    say("outer", epoll_wait(outer, got, 4, 0));
    say("maxevents", epoll_wait(ep, got, 0, 0));
    say("no epoll", epoll_wait(v, got, 1, 0));
    say("bad op", epoll_ctl(ep, 9, v, &e));
    int deep[8] = {epoll_create1(0)}, n = 0;
    for (int i = 1; i < 8; i++) {
        deep[i] = epoll_create1(0);
        n += !epoll_ctl(deep[i], EPOLL_CTL_ADD, deep[i - 1], &e);
    }
    printf("deep: %d\n", n < 7);
    (void)one;
    close(b);
}

static void datagrams(void)
{
    puts("-- datagrams");
    int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = at(0), from;
    socklen_t n = sizeof from;
    char buf[100];
    bind(s, (struct sockaddr *)&a, sizeof a);
    a = at(port_of(s));
    ready("idle", s, 0);
    say("peer", getpeername(c, (struct sockaddr *)&from, &n));
    say("connect", connect(c, (struct sockaddr *)&a, sizeof a));
    n = sizeof from;
    getsockname(c, (struct sockaddr *)&from, &n);
    printf("%s %d\n", inet_ntoa(from.sin_addr), from.sin_port != 0);
    say("send", send(c, "0123456789", 10, 0));
    say("read 4", read(s, buf, 4));
    say("the rest is lost", recv(s, buf, 100, MSG_DONTWAIT));
    send(c, "0123456789", 10, 0);
    int pending = 0;
    until_in(s); /* over loopback, too, a datagram takes its time on the minion */
    say("FIONREAD", ioctl(s, FIONREAD, &pending));
    printf("%d\n", pending);
    struct iovec v = {buf, 3};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    say("peek", recv(s, buf, 2, MSG_PEEK));
    say("recvmsg", recvmsg(s, &m, 0));
    printf("%x\n", m.msg_flags);
    say("to another", sendto(c, "x", 1, 0, (struct sockaddr *)&a, sizeof a));
    say("shutdown, unconnected", shutdown(s, SHUT_RD));
    say("shutdown", shutdown(c, SHUT_WR));
    say("send", send(c, "x", 1, MSG_NOSIGNAL));
    say("bad shutdown", shutdown(c, 7));
    a.sin_family = AF_UNSPEC;
    say("dissolve", connect(c, (struct sockaddr *)&a, sizeof a));
    say("send", send(c, "x", 1, MSG_NOSIGNAL));
    int size = 0;
    n = sizeof size;
    say("rcvbuf", getsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, &n));
    printf("%d\n", size > 1000);
    say("listen", listen(s, 1));
    say("accept", accept(s, NULL, NULL));
    close(s);
    close(c);
}

static void *reads(void *arg)
{
    static char buf[10];
    return (void *)read((int)(long)arg, buf, sizeof buf);
}

static void closed_while_used(void)
{
    puts("-- closed while it is used");
    int p[2];
    void *got;
    pthread_t thread;
    if (pipe(p))
        return;
    pthread_create(&thread, NULL, reads, (void *)(long)p[0]);
    usleep(20000);
    close(p[0]);
    say("write", write(p[1], "abc", 3)); /* the reader still has it */
    pthread_join(thread, &got);
    printf("%ld\n", (long)got);
    say("write", write(p[1], "abc", 3));
    int a, b;
    pair(&a, &b);
    pthread_create(&thread, NULL, reads, (void *)(long)a);
    usleep(20000);
    close(a);
    say("write", write(b, "abcd", 4));
    pthread_join(thread, &got);
    printf("%ld\n", (long)got);
    close(b);
    int h = open("/etc/hosts", O_RDONLY);
    off_t at = 3;
    pair(&a, &b);
    say("sendfile", sendfile(a, h, &at, 4) + 0 * at);
    printf("%ld\n", (long)at);
    say("seek", lseek(h, -1, SEEK_SET));
    say("whence", lseek(h, 0, 99));
    say("past", lseek(h, 1 << 20, SEEK_SET));
    say("end", read(h, &at, 8));
    say("dupfd", fcntl(h, F_DUPFD, -1));
    say("dupfd", fcntl(h, F_DUPFD, 500));
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    ends();
    listeners();
    times();
    large();
    edges();
    datagrams();
    closed_while_used();
    return 0;
}
