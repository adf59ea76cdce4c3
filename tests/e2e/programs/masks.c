/* What poll says in each state, and epoll, select, a dup, and a program that inherits the descriptor. */
#include "say.h"

#include <sys/epoll.h>
#include <sys/select.h>

static const char *self;

static void by_epoll(int fd)
{
    struct epoll_event wanted = {.events = EPOLLIN}, got = {0};
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    NEED(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted) == 0);
    int n = epoll_wait(epoll, &got, 1, 0);
    say_mask("epoll, IN only", n > 0 ? (int)(got.events & 0xffff) : n);
    close(epoll);
}

static void by_select(int fd)
{
    fd_set in, out, error;
    struct timeval none = {0, 0};
    char text[32];
    FD_ZERO(&in);
    FD_SET(fd, &in);
    out = error = in;
    NEED(select(fd + 1, &in, &out, &error, &none) >= 0);
    snprintf(text, sizeof text, "%s%s%s", FD_ISSET(fd, &in) ? "r" : "-",
             FD_ISSET(fd, &out) ? "w" : "-", FD_ISSET(fd, &error) ? "e" : "-");
    line("select", text);
}

static void by_program(int fd)
{
    char number[16];
    int status;
    snprintf(number, sizeof number, "%d", fd);
    pid_t child = fork();
    if (child == 0) {
        execl(self, self, number, topic, NULL);
        _exit(3);
    }
    NEED(waitpid(child, &status, 0) == child && status == 0);
}

static void all(const char *name, int fd, int event)
{
    topic = name;
    say_mask("poll", once(fd, event));
    by_epoll(fd);
    by_select(fd);
    int other = dup(fd);
    say_mask("a dup: poll", once(other, 0));
    close(other);
    by_program(fd);
}

static void without_connection(void)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = tcp();
    all("unconnected", fd, 0);
    NEED(bind(fd, any(&sin), sizeof sin) == 0);
    all("bound", fd, 0);
    close(fd);
    sin = nobody();
    fd = tcp();
    NEED(connect(fd, any(&sin), sizeof sin) < 0);
    all("refused", fd, 0);
    close(fd);
    fd = tcp();
    nonblocking(fd);
    NEED(connect(fd, any(&sin), sizeof sin) < 0);
    all("refused, non-blocking", fd, POLLOUT);
    say_error("SO_ERROR", fd);
    all("refused, error taken", fd, 0);
    close(fd);
    int listener = listening(0, &sin);
    fd = in_syn_sent(&sin);
    all("SYN-SENT", fd, 0);
    close(fd);
    close(listener);
}

static void orderly(void)
{
    struct sockaddr_in sin;
    char byte;
    int listener = listening(5, &sin);
    all("listening", listener, 0);
    int fd = connected(&sin);
    all("a client waits", listener, POLLIN);
    int peer = accepted(listener);
    all("nobody waits any more", listener, 0);
    all("connected", fd, 0);
    NEED(write(peer, "x", 1) == 1);
    all("data", fd, POLLIN);
    shutdown(peer, SHUT_WR);
    all("data, peer's FIN", fd, POLLRDHUP);
    NEED(read(fd, &byte, 1) == 1);
    all("peer's FIN", fd, 0);
    shutdown(fd, SHUT_WR);
    all("both FINs", fd, POLLHUP);
    all("both FINs, the other", peer, POLLHUP);
    close(fd);
    close(peer);
    close(listener);
}

static void own(void)
{
    int fd, peer;
    pair(&fd, &peer);
    shutdown(fd, SHUT_WR);
    all("own SHUT_WR", fd, 0);
    shutdown(fd, SHUT_RD);
    all("own SHUT_WR, then SHUT_RD", fd, 0);
    close(fd);
    close(peer);
    pair(&fd, &peer);
    shutdown(fd, SHUT_RD);
    all("own SHUT_RD", fd, 0);
    close(fd);
    close(peer);
}

static void full(void)
{
    static char much[65536];
    int fd, peer, quiet = 0;
    pair(&fd, &peer);
    nonblocking(fd);
    while (quiet < 2)                /* full, and so after a while */
        quiet = send(fd, much, sizeof much, 0) > 0 ? 0 : polled(fd, POLLOUT, 500) ? 0 : quiet + 1;
    all("output full", fd, 0);
    close(peer);                     /* with data unread: a RST */
    all("output full, then reset", fd, POLLOUT);
    close(fd);
}

static void resets(void)
{
    int fd, peer;
    char bytes[8];
    pair(&fd, &peer);
    reset(peer);
    all("reset", fd, POLLHUP);
    say_error("SO_ERROR", fd);
    all("reset, error taken", fd, 0);
    close(fd);
    pair(&fd, &peer);
    NEED(write(peer, "x", 1) == 1);
    once(fd, POLLIN);
    reset(peer);
    all("data, then reset", fd, POLLHUP);
    say("recv", recv(fd, bytes, sizeof bytes, 0));
    say("recv again", recv(fd, bytes, sizeof bytes, 0));
    say("and again", recv(fd, bytes, sizeof bytes, 0));
    all("data, then reset, all taken", fd, 0);
    close(fd);
}

int main(int argc, char **argv)
{
    self = argv[0];
    if (argc == 3) {                 /* what was inherited */
        topic = argv[2];
        say_mask("a program: poll", once(atoi(argv[1]), 0));
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    without_connection();
    orderly();
    own();
    full();
    resets();
}
