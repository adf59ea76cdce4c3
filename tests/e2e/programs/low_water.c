/* SO_RCVLOWAT: what poll, select, epoll and reads say below it, at it and at the end. */
#include "say.h"
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/uio.h>

enum { LOW_WATER = 100 };
static char bytes[1 << 20];

static void low_water(int fd, int value)
{
    NEED(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value) == 0);
}

static void await_unread(int fd, int count)
{
    int there = 0;
    for (int ms = 0; there < count && ms < LIMIT_MS; ms++) {
        NEED(ioctl(fd, FIONREAD, &there) == 0);
        if (there < count)
            poll(NULL, 0, 1);
    }
    NEED(there == count);
}

static void say_unread(const char *what, int fd)
{
    int there = -1;
    say(what, ioctl(fd, FIONREAD, &there) ? -1 : there);
}

/* Write so much, and see it there. */
static void give(int to, int fd, int count, int unread)
{
    NEED(write(to, bytes, (size_t)count) == count);
    await_unread(fd, unread);
}

static void look(const char *what, int fd, int edges)
{
    struct epoll_event event;
    struct timeval now = {0, 0};
    fd_set set;
    char name[64];
    FD_ZERO(&set);
    FD_SET(fd, &set);
    snprintf(name, sizeof name, "%s: poll", what);
    say_mask(name, once(fd, 0));
    snprintf(name, sizeof name, "%s: select", what);
    say(name, select(fd + 1, &set, NULL, NULL, &now));
    snprintf(name, sizeof name, "%s: edge", what);
    if (edges >= 0)
        say(name, epoll_wait(edges, &event, 1, 0));
}

static int edges_of(int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET}, first;
    int edges = epoll_create1(0);
    NEED(edges >= 0 && epoll_ctl(edges, EPOLL_CTL_ADD, fd, &event) == 0);
    epoll_wait(edges, &first, 1, 0);
    return edges;
}

static void rises(int client, int server)
{
    int edges = edges_of(server);
    low_water(server, LOW_WATER);
    look("nothing", server, edges);
    give(client, server, 60, 60);
    look("60 of 100", server, edges);
    give(client, server, 39, 99);
    look("99 of 100", server, edges);
    give(client, server, 1, 100);
    look("100 of 100", server, edges);
    say("recv(10)", recv(server, bytes, 10, 0));
    look("90 of 100", server, -1);
    say("recv(1000), not to wait", recv(server, bytes, 1000, MSG_DONTWAIT));
    look("nothing again", server, edges);
    say("recv, nothing there", recv(server, bytes, 1000, MSG_DONTWAIT));
    close(edges);
}

static void reads(int client, int server)
{
    struct iovec parts[2] = {{bytes, 3}, {bytes + 3, 1000}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    low_water(server, LOW_WATER);
    give(client, server, 50, 50);
    say("recv(10)", recv(server, bytes, 10, 0));
    say("read(5)", read(server, bytes, 5));
    say("peek, not to wait", recv(server, bytes, 100, MSG_PEEK | MSG_DONTWAIT));
    look("after the peek", server, -1);
    say_unread("unread", server);
    say("recv 0", recv(server, bytes, 0, MSG_DONTWAIT));
    say("recvmsg, not to wait", recvmsg(server, &message, MSG_DONTWAIT));
    give(client, server, 50, 50);
    nonblocking(server);
    say("readv", readv(server, parts, 2));
    say("read", read(server, bytes, 10));
    look("at the end", server, -1);
}

static int writes_in_two(int client)
{
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        NEED(write(client, bytes, 40) == 40);
        poll(NULL, 0, 50);
        NEED(write(client, bytes, 200) == 200);
        _exit(0);
    }
    return child;
}

/* A read that blocks gets as much, whatever comes in whichever pieces. */
static void blocks(int client, int server)
{
    low_water(server, LOW_WATER);
    int child = writes_in_two(client);
    ssize_t got = recv(server, bytes, 1000, 0);
    line("recv(1000) waits for 100", whether(got >= LOW_WATER));
    NEED(waitpid(child, NULL, 0) == child);
    await_unread(server, 240 - (int)got);
    NEED(got == 240 || recv(server, bytes, 1000, MSG_DONTWAIT) == 240 - got);
    child = writes_in_two(client);
    say("recv(150, MSG_WAITALL)", recv(server, bytes, 150, MSG_WAITALL));
    NEED(waitpid(child, NULL, 0) == child);
    await_unread(server, 90);
    look("90 left", server, -1);
}

static void ends(const char *name, bool by_reset, bool half)
{
    int client, server;
    topic = name;
    pair(&client, &server);
    low_water(server, LOW_WATER);
    give(client, server, 10, 10);
    if (by_reset)
        reset(client);
    else if (half)
        shutdown(client, SHUT_WR);
    else
        close(client);
    say_mask("ended", once(server, by_reset ? POLLHUP : POLLRDHUP));
    say("recv", recv(server, bytes, 100, 0));
    say("recv again", recv(server, bytes, 100, 0));
    close(server);
}

static void later(int client, int server)
{
    give(client, server, 30, 30);
    look("30, unset", server, -1);
    low_water(server, LOW_WATER);
    look("30 of 100", server, -1);
    low_water(server, 20);
    look("30 of 20", server, -1);
    low_water(server, 31);
    look("30 of 31", server, -1);
    low_water(server, 1);
    look("30 of 1", server, -1);
    low_water(server, 0);
    look("30 of 0", server, -1);
    low_water(server, -1);
    look("30 of -1", server, -1);
    low_water(server, 1);
    say("recv", recv(server, bytes, 100, MSG_DONTWAIT));
}

/* More than a channel has at first. */
static void much(int client, int server)
{
    low_water(server, 50000);
    give(client, server, 49999, 49999);
    look("49999 of 50000", server, -1);
    give(client, server, 1, 50000);
    look("50000 of 50000", server, -1);
    say("recv", recv(server, bytes, 49999, MSG_WAITALL));
    look("1 of 50000", server, -1);
    say("recv", recv(server, bytes, 1, 0));
}

static void inherited(void)
{
    struct sockaddr_in sin;
    topic = "inherited";
    int listener = listening(5, &sin);
    low_water(listener, LOW_WATER);
    int client = connected(&sin);
    say_mask("listener", once(listener, POLLIN));
    NEED(write(client, bytes, 10) == 10);
    int server = accepted(listener);
    look("listener, accepted", listener, -1);
    await_unread(server, 10);
    look("10 of 100", server, -1);
    give(client, server, 90, 100);
    look("100 of 100", server, -1);
    say("recv", recv(server, bytes, 1000, 0));
    close(server);
    close(client);
    close(listener);
}

/* In another number and another process: the descriptor carries it. */
static void elsewhere(int client, int server)
{
    low_water(server, LOW_WATER);
    give(client, server, 10, 10);
    int copy = dup(server);
    look("a dup", copy, -1);
    say("dup: recv", recv(copy, bytes, 5, 0));
    pid_t child = fork();
    if (child == 0) {
        look("in a child", copy, -1);
        say("in a child: recv", recv(copy, bytes, 3, 0));
        _exit(0);
    }
    NEED(waitpid(child, NULL, 0) == child);
    look("after the child", copy, -1);
    close(copy);
}

/* What poll did not tell of is unread, too. */
static void closed_unread(void)
{
    int client, server;
    topic = "closed unread";
    pair(&client, &server);
    low_water(server, LOW_WATER);
    give(client, server, 10, 10);
    close(server);
    say_mask("client: poll", once(client, POLLHUP));
    say("client: recv", recv(client, bytes, 1, 0));
    close(client);
}

static void of_a_pair(const char *name, void (*function)(int, int))
{
    int client, server;
    topic = name;
    pair(&client, &server);
    function(client, server);
    close(client);
    close(server);
    topic = name;
    pair(&server, &client);          /* the one that connects has it as well */
    function(client, server);
    close(client);
    close(server);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    of_a_pair("rises", rises);
    of_a_pair("reads", reads);
    of_a_pair("blocks", blocks);
    of_a_pair("set later", later);
    of_a_pair("much", much);
    of_a_pair("elsewhere", elsewhere);
    ends("FIN", false, true);
    ends("close", false, false);
    ends("RST", true, false);
    inherited();
    closed_unread();
}
