/* Flags and sizes of reads that AF_UNIX knows otherwise than TCP, or not at all; counts of what is under way;
 * data with the SYN. */
#include "say.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

enum { OUTQ_NOT_SENT = 0x894B, MANY_PIECES = 2000 };
static char bytes[4096];
static char *const NOWHERE = (char *)8;

static void give(int to, int fd, const char *text)
{
    size_t size = strlen(text);
    NEED(write(to, text, size) == (ssize_t)size);
    for (int there = 0; (size_t)there < size; poll(NULL, 0, 1))
        NEED(ioctl(fd, FIONREAD, &there) == 0);
}

static void next_is(int fd)
{
    char text[2] = "";
    NEED(recv(fd, text, 1, 0) == 1);
    line("next", text);
}

static void receives(void)
{
    int client, fd;
    topic = "recv";
    pair(&client, &fd);
    give(client, fd, "0123456789");
    say("peek and count", recv(fd, bytes, 100, MSG_PEEK | MSG_TRUNC));
    say("discard 4", recv(fd, NULL, 4, MSG_TRUNC));
    next_is(fd);
    say("no buffer, 0", recv(fd, NULL, 0, 0));
    say("no buffer, 3", recv(fd, NULL, 3, 0));
    say("bad buffer", recv(fd, NOWHERE, 3, 0));
    say("bad buffer, discard", recv(fd, NOWHERE, 2, MSG_TRUNC));
    next_is(fd);
    say("peek 0", recv(fd, bytes, 0, MSG_PEEK));
    say("peek for all", recv(fd, bytes, 2, MSG_PEEK | MSG_WAITALL));
    say("peek for more, at once", recv(fd, bytes, 20, MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT));
    say("all, at once", recv(fd, bytes, 20, MSG_WAITALL | MSG_DONTWAIT));
    say("0 of nothing", recv(fd, bytes, 0, MSG_DONTWAIT));
    say("no buffer, 0 of nothing", recv(fd, NULL, 0, MSG_DONTWAIT));
    say("read 0 of nothing", read(fd, bytes, 0));
    say("out of band", recv(fd, bytes, 1, MSG_OOB));
    say("error queue", recv(fd, bytes, 1, MSG_ERRQUEUE));
    say("unknown flag", recv(fd, bytes, 1, MSG_DONTWAIT | 0x800000));
    say("send 0", send(client, bytes, 0, 0));
    say("send nowhere, 0", send(client, NULL, 0, 0));
    say("send nowhere", send(client, NOWHERE, 3, 0));
    close(client);
    say("end: peek", recv(fd, bytes, 5, MSG_PEEK));
    say("end: peek for all", recv(fd, bytes, 5, MSG_PEEK | MSG_WAITALL));
    say("end: discard", recv(fd, bytes, 5, MSG_TRUNC));
    say("end: 0", recv(fd, bytes, 0, 0));
    close(fd);
}

static void messages(void)
{
    int client, fd;
    struct iovec part = {bytes, 5};
    struct msghdr message = {.msg_iov = NULL};
    topic = "recvmsg";
    pair(&client, &fd);
    say("no pieces", recvmsg(fd, &message, MSG_DONTWAIT));
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    give(client, fd, "abcdefgh");
    say("5", recvmsg(fd, &message, 0));
    say("flags", message.msg_flags);
    say("discard 5", recvmsg(fd, &message, MSG_TRUNC));
    say("flags", message.msg_flags);
    message.msg_iovlen = MANY_PIECES;
    say("too many pieces", recvmsg(fd, &message, MSG_DONTWAIT));
    say("sendmsg: too many", sendmsg(fd, &message, MSG_NOSIGNAL));
    message = (struct msghdr){.msg_iov = (struct iovec *)NOWHERE, .msg_iovlen = 1};
    say("pieces nowhere", recvmsg(fd, &message, MSG_DONTWAIT));
    say("sendmsg: nowhere", sendmsg(fd, &message, MSG_NOSIGNAL));
    close(client);
    close(fd);
}

static void say_count(const char *what, int fd, unsigned long request)
{
    int count = -1;
    say(what, ioctl(fd, request, &count) ? -1 : count);
}

/* One recvmsg with TCP_INQ, and what it tells. */
static void told(int fd, size_t size)
{
    char control[64];
    struct iovec part = {bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    int left;
    say("recvmsg", recvmsg(fd, &message, 0));
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    NEED(head && head->cmsg_level == IPPROTO_TCP && head->cmsg_type == TCP_CM_INQ);
    memcpy(&left, CMSG_DATA(head), sizeof left);
    say("left", left);
}

static void counts(void)
{
    int client, fd, on = 1;
    topic = "counts";
    pair(&client, &fd);
    say_count("unread", fd, FIONREAD);
    give(client, fd, "0123456789012345678901234567890123456789");
    say_count("unread", fd, FIONREAD);
    say_count("not sent", client, OUTQ_NOT_SENT);
    say("TCP_INQ", setsockopt(fd, IPPROTO_TCP, TCP_INQ, &on, sizeof on));
    told(fd, 15);
    told(fd, 5);
    shutdown(client, SHUT_WR);
    once(fd, POLLRDHUP);
    told(fd, 10);
    told(fd, 10);
    told(fd, 10);
    say_count("unread at the end", fd, FIONREAD);
    say_count("at mark", fd, SIOCATMARK);
    close(client);
    close(fd);
    fd = tcp();
    say_count("fresh: unread", fd, FIONREAD);
    say_count("fresh: not acknowledged", fd, TIOCOUTQ);
    say_count("fresh: not sent", fd, OUTQ_NOT_SENT);
    close(fd);
}

static void with_the_syn(void)
{
    struct sockaddr_in sin, refusing = nobody(), unspec = {.sin_family = AF_UNSPEC};
    int on = 1, listener = listening(20, &sin), fd = tcp();
    topic = "data with the SYN";
    say("sendto", sendto(fd, "hello", 5, MSG_FASTOPEN, any(&sin), sizeof sin));
    int peer = accepted(listener);
    say("recv", recv(peer, bytes, 5, MSG_WAITALL));
    say("sendto again", sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, any(&sin), sizeof sin));
    close(fd);
    close(peer);
    fd = tcp();
    say("refused", sendto(fd, "x", 1, MSG_FASTOPEN, any(&refusing), sizeof refusing));
    close(fd);
    fd = tcp();
    say("no address", sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0));
    say("no family", sendto(fd, "x", 1, MSG_FASTOPEN, any(&unspec), sizeof unspec));
    say("short address", sendto(fd, "x", 1, MSG_FASTOPEN, any(&sin), 3));
    unspec.sin_family = AF_INET6;
    say("other family", sendto(fd, "x", 1, MSG_FASTOPEN, any(&unspec), sizeof unspec));
    close(fd);
    fd = tcp();
    say("nothing", sendto(fd, "", 0, MSG_FASTOPEN, any(&sin), sizeof sin));
    say_mask("poll", once(fd, 0));
    close(fd);
    fd = tcp();
    say("TCP_FASTOPEN_CONNECT",
        setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on));
    say("connect", connect(fd, any(&sin), sizeof sin));
    say("write", write(fd, "hello", 5));
    close(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    receives();
    messages();
    counts();
    with_the_syn();
}
