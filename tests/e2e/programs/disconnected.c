/* connect(AF_UNSPEC) in every state dissolves what is there (connect(2)). */
#include "say.h"

static struct sockaddr_in where;
static int listener;

static int dissolve(int fd)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    return connect(fd, &none, sizeof none);
}

static void afterwards(int fd)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    char byte;
    say("dissolved", dissolve(fd));
    say_mask("poll", once(fd, 0));
    say("getpeername", getpeername(fd, any(&peer), &len));
    line("local port", name_of(fd).sin_port ? "kept" : "0");
    say_error("SO_ERROR", fd);
    say("send", send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
    say("recv", recv(fd, &byte, 1, MSG_DONTWAIT));
    say("shutdown", shutdown(fd, SHUT_WR));
    say("dissolved again", dissolve(fd));
}

static void connect_elsewhere(int fd)
{
    char byte;
    NEED(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0);
    say("connect", connect(fd, any(&where), sizeof where));
    int server = accepted(listener);
    say("write", write(fd, "x", 1));
    say("read", read(server, &byte, 1));
    close(server);
    close(fd);
}

static void fresh(void)
{
    topic = "fresh";
    int fd = tcp();
    afterwards(fd);
    connect_elsewhere(fd);
}

static void bound(void)
{
    struct sockaddr_in mine = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    topic = "bound";
    int fd = tcp();
    NEED(bind(fd, any(&mine), sizeof mine) == 0);
    afterwards(fd);
    connect_elsewhere(fd);
}

static void established(void)
{
    char byte;
    topic = "connected";
    int fd = connected(&where), server = accepted(listener);
    afterwards(fd);
    say_mask("peer: poll", once(server, POLLRDHUP));
    say("peer: recv", recv(server, &byte, 1, 0));
    close(server);
    connect_elsewhere(fd);
}

static void with_data(void)
{
    char byte;
    topic = "connected, data unread";
    int fd = connected(&where), server = accepted(listener);
    NEED(write(server, "x", 1) == 1);
    once(fd, POLLIN);
    afterwards(fd);
    say("peer: recv", (once(server, POLLRDHUP), recv(server, &byte, 1, 0)));
    close(server);
    connect_elsewhere(fd);
}

static void half_closed(void)
{
    topic = "peer's FIN seen";
    int fd = connected(&where), server = accepted(listener);
    shutdown(server, SHUT_WR);
    once(fd, POLLRDHUP);
    afterwards(fd);
    close(server);
    connect_elsewhere(fd);
}

static void after_reset(void)
{
    topic = "reset by the peer";
    int fd = connected(&where);
    reset(accepted(listener));
    once(fd, POLLHUP);
    afterwards(fd);
    connect_elsewhere(fd);
}

static void refused(void)
{
    struct sockaddr_in sin = nobody();
    topic = "refused";
    int fd = tcp();
    nonblocking(fd);
    say("connect", connect(fd, any(&sin), sizeof sin));
    once(fd, POLLOUT);
    say_error("SO_ERROR", fd);
    afterwards(fd);
    connect_elsewhere(fd);
}

static void syn_sent(void)
{
    struct sockaddr_in sin;
    topic = "SYN-SENT";
    int small = listening(0, &sin), fd = in_syn_sent(&sin);
    afterwards(fd);
    connect_elsewhere(fd);
    close(small);
}

static void is_listening(void)
{
    struct sockaddr_in sin;
    int value = -1;
    socklen_t len = sizeof value;
    topic = "listening";
    int fd = listening(5, &sin), client = connected(&sin);
    once(fd, POLLIN);
    afterwards(fd);
    NEED(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0);
    say("SO_ACCEPTCONN", value);
    say_mask("its client: poll", once(client, POLLRDHUP));
    connect_elsewhere(fd);
    close(client);
}

static void bound_to_no_family(void)
{
    struct sockaddr_in sin = {.sin_family = AF_UNSPEC, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    topic = "bind(AF_UNSPEC)";
    int fd = tcp();
    say("127.0.0.1", bind(fd, any(&sin), sizeof sin));
    sin.sin_addr.s_addr = 0;
    say("0.0.0.0", bind(fd, any(&sin), sizeof sin));
    close(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    listener = listening(5, &where);
    fresh();
    bound();
    established();
    with_data();
    half_closed();
    after_reset();
    refused();
    syn_sent();
    is_listening();
    bound_to_no_family();
}
