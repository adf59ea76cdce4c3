/* The local address of a socket that was not given a port, through refusals, ends and new beginnings;
 * how many connections a listener holds; and what is accepted of those that ended before. */
#include "say.h"

static const struct sockaddr_in UNSPEC = {.sin_family = AF_UNSPEC};
static struct sockaddr_in refusing, serving;
static int server;
static char bytes[64];

static int port_of(int fd)
{
    return ntohs(name_of(fd).sin_port);
}

/* Its name, beside a port that it had. */
static void say_name(const char *what, int fd, int before)
{
    struct sockaddr_in sin = name_of(fd);
    int port = ntohs(sin.sin_port);
    char text[64];
    snprintf(text, sizeof text, "%s %s", inet_ntoa(sin.sin_addr),
             !port ? "none" : port == before ? "same" : "other");
    line(what, text);
}

static int bound(in_addr_t address)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    int fd = tcp();
    NEED(bind(fd, any(&sin), sizeof sin) == 0);
    return fd;
}

static void rebind(int fd)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int port = port_of(fd);
    say("bind again", bind(fd, any(&sin), sizeof sin));
    say_name("bound again", fd, port);
}

/* Refused, connected, dissolved, and all of it again. */
static void life(const char *name, int fd)
{
    topic = name;
    int port = port_of(fd);
    say("refused", connect(fd, any(&refusing), sizeof refusing));
    say_name("refused", fd, port ? port : port_of(fd));
    port = port_of(fd);
    say("connect", connect(fd, any(&serving), sizeof serving));
    say_name("connected", fd, port);
    port = port_of(fd);
    close(accepted(server));
    say("dissolve", connect(fd, any(&UNSPEC), sizeof UNSPEC));
    say_name("dissolved", fd, port);
    say("refused", connect(fd, any(&refusing), sizeof refusing));
    say_name("refused", fd, port);
    rebind(fd);
    port = port_of(fd);
    say("connect", connect(fd, any(&serving), sizeof serving));
    say_name("connected", fd, port);
    int peer = accepted(server);
    port = port_of(fd);
    reset(peer);
    once(fd, POLLHUP);
    say_name("reset", fd, port);
    say("recv", recv(fd, bytes, 1, 0));
    say_name("reset, and told", fd, port);
    rebind(fd);
    close(fd);
}

static void not_told_yet(void)
{
    topic = "non-blocking";
    int fd = tcp();
    nonblocking(fd);
    NEED(connect(fd, any(&refusing), sizeof refusing) == 0 || errno == EINPROGRESS ||
         errno == ECONNREFUSED);
    int port = port_of(fd);
    once(fd, POLLHUP);
    say_name("refused", fd, port);
    say_error("SO_ERROR", fd);
    say_name("told", fd, port);
    rebind(fd);
    close(fd);
}

static void listens(const char *name, int fd)
{
    topic = name;
    say("listen", listen(fd, 3));
    int port = port_of(fd);
    say_name("listening", fd, port);
    say("shutdown", shutdown(fd, SHUT_RD));
    say_name("shut down", fd, port);
    say("listen", listen(fd, 3));
    say_name("listening", fd, port);
    port = port_of(fd);
    say("dissolve", connect(fd, any(&UNSPEC), sizeof UNSPEC));
    say_name("dissolved", fd, port);
    say("accept", accept(fd, NULL, NULL));
    rebind(fd);
    say("listen", listen(fd, 3));
    port = port_of(fd);
    say("shutdown", shutdown(fd, SHUT_RDWR));
    say("connect", connect(fd, any(&serving), sizeof serving));
    say_name("connected", fd, port);
    close(accepted(server));
    close(fd);
}

static int bound_to_a_port(void)
{
    struct sockaddr_in sin = nobody();
    int fd = tcp();
    NEED(bind(fd, any(&sin), sizeof sin) == 0);
    return fd;
}

/* Connections until one is not made; the others are accepted. */
static void backlog(const char *name, int count)
{
    struct sockaddr_in sin;
    int fds[8], made = 0, taken = 0, tried = 0;
    topic = name;
    int listener = listening(count, &sin);
    for (bool full = false; !full && tried < 8; tried++) {
        int fd = fds[tried] = tcp();
        nonblocking(fd);
        NEED(connect(fd, any(&sin), sizeof sin) == 0 || errno == EINPROGRESS);
        full = polled(fd, POLLOUT, 1000) == 0;
        made += !full;
    }
    say("connections", made);
    for (; taken < made; taken++)
        close(accepted(listener));
    say("accepted", taken);
    while (tried-- > 0)
        close(fds[tried]);
    close(listener);
}

enum ending { RESET, RESET_AFTER_DATA, CLOSED_AFTER_DATA };

/* Its client has come and gone. */
static void ended_before(const char *name, enum ending ending)
{
    struct sockaddr_in sin, from = {.sin_port = 0};
    socklen_t len = sizeof from;
    topic = name;
    int listener = listening(5, &sin), client = connected(&sin);
    int port = port_of(client);
    NEED(polled(listener, POLLIN, LIMIT_MS) == POLLIN);
    if (ending != RESET)
        NEED(write(client, "hello", 5) == 5);
    if (ending == CLOSED_AFTER_DATA)
        close(client);
    else
        reset(client);
    say_mask("listener: poll", polled(listener, POLLIN, LIMIT_MS));
    int fd = accept(listener, any(&from), &len);
    NEED(fd >= 0);
    line("from it", whether(ntohs(from.sin_port) == port && len == sizeof from));
    say_mask("poll", once(fd, ending == CLOSED_AFTER_DATA ? POLLRDHUP : POLLHUP));
    if (ending == CLOSED_AFTER_DATA)
        say("recv", recv(fd, bytes, 9, 0));
    say("recv", recv(fd, bytes, 9, 0));
    if (ending == RESET) {
        len = sizeof from;
        say("getpeername", getpeername(fd, any(&from), &len));
        say("recv again", recv(fd, bytes, 9, 0));
        say("send", send(fd, "x", 1, MSG_NOSIGNAL));
        say_error("SO_ERROR", fd);
    }
    close(fd);
    close(listener);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    refusing = nobody();
    server = listening(50, &serving);
    life("not bound", tcp());
    life("bound to 127.0.0.1", bound(INADDR_LOOPBACK));
    life("bound to no address", bound(INADDR_ANY));
    life("bound to a port", bound_to_a_port());
    not_told_yet();
    listens("listener, not bound", tcp());
    listens("listener, bound to 127.0.0.1", bound(INADDR_LOOPBACK));
    listens("listener, bound to a port", bound_to_a_port());
    backlog("backlog of 0", 0);
    backlog("backlog of 1", 1);
    backlog("backlog of 3", 3);
    ended_before("reset before accept", RESET);
    ended_before("reset after data, before accept", RESET_AFTER_DATA);
    ended_before("closed after data, before accept", CLOSED_AFTER_DATA);
}
