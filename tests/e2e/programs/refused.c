/* A connection that is refused, blocking or not, and what the same descriptor can be used for then. */
#include "say.h"

static void data_calls(int fd)
{
    char byte;
    say("recv", recv(fd, &byte, 1, 0));
    say("recv again", recv(fd, &byte, 1, 0));
    say("send", send(fd, "lost?", 5, MSG_NOSIGNAL));
    say("write", write(fd, "lost?", 5));
}

/* The next server on the descriptor sees what is written now, and nothing of before. */
static void retry(int fd)
{
    struct sockaddr_in sin, peer;
    socklen_t len = sizeof peer;
    char text[16] = "";
    int listener = listening(5, &sin);
    int result = connect(fd, any(&sin), sizeof sin);
    say("retry", result);
    if (result < 0 && errno == ECONNABORTED)     /* Linux tells once that the last attempt is over */
        result = connect(fd, any(&sin), sizeof sin);
    say("retry again", result);
    say_mask("retry: poll", once(fd, POLLOUT));
    say_error("retry: SO_ERROR", fd);
    int server = accepted(listener);
    say("retry: getpeername", getpeername(fd, any(&peer), &len));
    line("retry: the server's port", whether(peer.sin_port == sin.sin_port));
    say("retry: send", send(fd, "now", 3, MSG_NOSIGNAL));
    say("retry: the server reads", read(server, text, sizeof text));
    line("retry: text", text);
    say("retry: the server writes", send(server, "back", 4, MSG_NOSIGNAL));
    say_mask("retry: poll", once(fd, POLLIN));
    say("retry: read", read(fd, text, sizeof text));
    close(server);
    close(listener);
}

/* Of what a socket was told, all is kept by the next attempt. */
static void kept(int fd)
{
    struct timeval timeout = {0, 0};
    int value = 0;
    socklen_t len = sizeof timeout;
    say("F_GETFL O_NONBLOCK", !!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    say("F_GETFD", fcntl(fd, F_GETFD));
    NEED(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &len) == 0);
    say("SO_RCVTIMEO", timeout.tv_sec);
    len = sizeof timeout;
    NEED(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &len) == 0);
    say("SO_SNDTIMEO", timeout.tv_sec);
    len = sizeof value;
    NEED(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &len) == 0);
    say("TCP_NODELAY", value);
    len = sizeof value;
    NEED(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len) == 0);
    say("SO_KEEPALIVE", value);
}

static void configure(int fd)
{
    struct timeval receive = {7, 0}, send_ = {8, 0};
    int on = 1;
    NEED(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &receive, sizeof receive) == 0);
    NEED(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &send_, sizeof send_) == 0);
    NEED(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    NEED(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0);
    NEED(fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
}

static void blocking(void)
{
    struct sockaddr_in sin = nobody();
    topic = "blocking";
    int fd = tcp();
    configure(fd);
    say("connect", connect(fd, any(&sin), sizeof sin));
    say_mask("poll", once(fd, 0));
    say_error("SO_ERROR", fd);
    data_calls(fd);
    say("connect again", connect(fd, any(&sin), sizeof sin));
    kept(fd);
    retry(fd);
    kept(fd);
    close(fd);
}

enum how { BY_SO_ERROR, BY_RECV, BY_SEND, BY_CONNECT, NOT };

static void waiting(const char *name, enum how how)
{
    struct sockaddr_in sin = nobody();
    char byte;
    topic = name;
    int fd = tcp();
    configure(fd);
    nonblocking(fd);
    say("connect", connect(fd, any(&sin), sizeof sin));
    say_mask("poll", once(fd, POLLOUT));
    line("own address", inet_ntoa(name_of(fd).sin_addr));
    if (how == BY_SO_ERROR)
        say_error("SO_ERROR", fd);
    if (how == BY_RECV)
        say("recv", recv(fd, &byte, 1, 0));
    if (how == BY_SEND)
        say("send", send(fd, "x", 1, MSG_NOSIGNAL));
    if (how == BY_CONNECT)
        say("connect", connect(fd, any(&sin), sizeof sin));
    if (how != NOT) {
        say_mask("error taken: poll", once(fd, 0));
        data_calls(fd);
        say_error("SO_ERROR", fd);
    }
    kept(fd);
    if (how != NOT) {
        retry(fd);
        kept(fd);
    } else {
        say("connect", connect(fd, any(&sin), sizeof sin));
    }
    close(fd);
}

static void bound(void)
{
    struct sockaddr_in sin = nobody(), mine;
    topic = "bound before";
    int fd = tcp();
    mine = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    NEED(bind(fd, any(&mine), sizeof mine) == 0);
    mine.sin_addr.s_addr = inet_addr("192.0.2.1");
    say("bound again, to no address of ours", bind(fd, any(&mine), sizeof mine));
    say("recv of nothing", recv(fd, NULL, 0, MSG_DONTWAIT));
    mine = name_of(fd);
    say("connect", connect(fd, any(&sin), sizeof sin));
    line("port kept", whether(name_of(fd).sin_port == mine.sin_port));
    retry(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    blocking();
    waiting("non-blocking, SO_ERROR", BY_SO_ERROR);
    waiting("non-blocking, recv", BY_RECV);
    waiting("non-blocking, send", BY_SEND);
    waiting("non-blocking, connect", BY_CONNECT);
    waiting("non-blocking, error left", NOT);
    bound();
}
