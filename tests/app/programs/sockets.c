/* The socket calls over loopback: the same on Linux (by qemu-riscv64) and on the minion. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "loopback.h"
#include "say.h"

static void *echo(void *arg)
{
    int fd = accept((int)(long)arg, NULL, NULL);
    char buf[10000];
    ssize_t n;
    while ((n = read(fd, buf, sizeof buf)) > 0)
        for (ssize_t done = 0; done < n;)
            done += write(fd, buf + done, n - done);
    close(fd);
    return NULL;
}

static void streams(void)
{
    int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in a = at(0);
    say("reuse", setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
    say("bind", bind(l, (struct sockaddr *)&a, sizeof a));
    say("bind twice", bind(l, (struct sockaddr *)&a, sizeof a));
    say("accept before listen", accept(l, NULL, NULL));
    say("listen", listen(l, 5));
    int port = port_of(l);
    a = at(port);
    pthread_t t;
    pthread_create(&t, NULL, echo, (void *)(long)l);
    int c = socket(AF_INET, SOCK_STREAM, 0);
    say("send unconnected", send(c, "x", 1, MSG_NOSIGNAL));
    say("recv unconnected", recv(c, &one, 1, 0));
    say("peer of nobody", getpeername(c, (struct sockaddr *)&a, &(socklen_t){sizeof a}));
    a = at(port);
    say("connect", connect(c, (struct sockaddr *)&a, sizeof a));
    say("connect again", connect(c, (struct sockaddr *)&a, sizeof a));
    say("nodelay", setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    socklen_t n = sizeof one;
    one = 0;
    say("get nodelay", getsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, &n));
    printf("%d %u\n", one, n);
    say("get type", getsockopt(c, SOL_SOCKET, SO_TYPE, &one, &n));
    printf("%d\n", one);
    say("unknown option", setsockopt(c, IPPROTO_TCP, 9999, &one, sizeof one));
    say("unknown level", getsockopt(c, 9999, 1, &one, &n));
    static char out[200000], in[200000];
    for (int i = 0; i < (int)sizeof out; i++)
        out[i] = i * 7 + i / 251;
    for (int sent = 0, got = 0; got < (int)sizeof in;) {
        struct pollfd p = {c, POLLIN | (sent < (int)sizeof out ? POLLOUT : 0), 0};
        poll(&p, 1, -1);
        if (p.revents & POLLOUT) {
            ssize_t k = send(c, out + sent, sizeof out - sent, MSG_DONTWAIT);
            sent += k > 0 ? k : 0;
        }
        if (p.revents & POLLIN)
            got += read(c, in + got, sizeof in - got);
    }
    printf("echoed: %d\n", memcmp(in, out, sizeof in));
    say("no data yet", recv(c, in, 1, MSG_DONTWAIT));
    struct iovec v[2] = {{"one", 3}, {"two", 3}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    say("sendmsg", sendmsg(c, &m, 0));
    say("peek", recv(c, in, 6, MSG_PEEK | MSG_WAITALL));
    say("waitall", recv(c, in, 6, MSG_WAITALL));
    printf("%.6s\n", in);
    say("send", send(c, "kept", 4, 0));
    say("peek", recv(c, in, 4, MSG_PEEK | MSG_WAITALL));
    say("into nowhere", recv(c, (void *)8, 4, 0));
    say("into what is constant", read(c, (void *)say, 4));
    say("still there", recv(c, in, 4, 0));
    printf("%.4s\n", in);
    struct timeval tv = {0, 20000};
    say("timeout", setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
    say("timed out", recv(c, in, 1, 0));
    int pending = -1;
    say("FIONREAD", ioctl(c, FIONREAD, &pending));
    printf("%d\n", pending);
    say("shutdown", shutdown(c, SHUT_WR));
    say("write after", send(c, "x", 1, MSG_NOSIGNAL));
    say("end", read(c, in, 1));
    say("bad shutdown", shutdown(c, 9));
    close(c);
    pthread_join(t, NULL);
    close(l);
    c = socket(AF_INET, SOCK_STREAM, 0);
    say("refused", connect(c, (struct sockaddr *)&a, sizeof a));
    close(c);
    c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    say("non-blocking", connect(c, (struct sockaddr *)&a, sizeof a));
    struct pollfd p = {c, POLLOUT, 0};
    say("poll", poll(&p, 1, 1000));
    n = sizeof one;
    getsockopt(c, SOL_SOCKET, SO_ERROR, &one, &n);
    printf("%s\n", strerrorname_np(one));
    close(c);
}

static void datagrams(void)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = at(0), from;
    say("bind", bind(s, (struct sockaddr *)&a, sizeof a));
    a = at(port_of(s));
    say("no destination", send(c, "x", 1, 0));
    say("sendto", sendto(c, "datagram", 8, 0, (struct sockaddr *)&a, sizeof a));
    char buf[100];
    socklen_t n = sizeof from;
    say("recvfrom, short", recvfrom(s, buf, 4, MSG_TRUNC, (struct sockaddr *)&from, &n));
    printf("%.4s %d\n", buf, ntohs(from.sin_port) == port_of(c));
    say("empty", sendto(c, "", 0, 0, (struct sockaddr *)&a, sizeof a));
    say("empty too", recv(s, buf, sizeof buf, 0));
    say("nothing", recv(s, buf, sizeof buf, MSG_DONTWAIT));
    say("connect", connect(c, (struct sockaddr *)&a, sizeof a));
    say("send", send(c, "again", 5, 0));
    struct iovec v[2] = {{buf, 2}, {buf + 10, 20}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_name = &from, .msg_namelen = sizeof from};
    say("recvmsg", recvmsg(s, &m, 0));
    printf("%.2s%.3s %x %u\n", buf, buf + 10, m.msg_flags, m.msg_namelen);
    static char big[70000];
    say("too long", sendto(c, big, sizeof big, 0, (struct sockaddr *)&a, sizeof a));
    close(s);
    say("to nobody", send(c, "x", 1, 0));
    usleep(20000);
    say("reported", send(c, "x", 1, 0));
    close(c);
}

static void errors(void)
{
    struct sockaddr_in a = at(1);
    say("family", socket(99, SOCK_STREAM, 0));
    say("type", socket(AF_INET, 9, 0));
    say("protocol", socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    say("not a socket", connect(0, (struct sockaddr *)&a, sizeof a));
    say("bad descriptor", connect(99, (struct sockaddr *)&a, sizeof a));
    int c = socket(AF_INET, SOCK_STREAM, 0);
    say("short address", connect(c, (struct sockaddr *)&a, 5));
    a.sin_addr.s_addr = htonl(0x01020304);
    say("not local", bind(c, (struct sockaddr *)&a, sizeof a));
    say("bad address", connect(c, (void *)8, 16));
    say("not listening", accept(c, NULL, NULL));
    say("listen on a datagram", listen(socket(AF_INET, SOCK_DGRAM, 0), 5));
    close(c);
}

int main(void)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    streams();
    datagrams();
    errors();
    return 0;
}
