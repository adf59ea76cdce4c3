/* SO_LINGER: a close that waits, and for how long.  The other end reads only when it is told to. */
#include "say.h"

enum { LONG_S = 30 };
static char bytes[1 << 16];
static int closing, result, returned[2];

static void lingers(int fd, int on, int seconds)
{
    struct linger value = {on, seconds};
    NEED(setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof value) == 0);
}

/* More than the other end takes without reading. */
static void fill(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    nonblocking(fd);
    while (polled(fd, POLLOUT, 300) > 0)
        while (send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) > 0)
            ;
    NEED(fcntl(fd, F_SETFL, flags) == 0);
}

static long drain(int fd)
{
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        ;
    return n;
}

static void *closes(void *unused)
{
    result = close(closing);
    NEED(write(returned[1], "x", 1) == 1);
    return unused;
}

/* In a thread; whether it is back by itself, or only once the other end has read, as is expected. */
enum expected { BACK, WAITS };

static void close_it(int fd, int server, const char *what, enum expected expected)
{
    pthread_t thread;
    char byte;
    closing = fd;
    NEED(pthread_create(&thread, NULL, closes, NULL) == 0);
    bool back = polled(returned[0], POLLIN, expected == BACK ? LIMIT_MS : 500) > 0;
    line(what, back ? "is back" : "waits");
    if (server >= 0)
        say("all is read", drain(server));
    NEED(polled(returned[0], POLLIN, LIMIT_MS) > 0);
    NEED(read(returned[0], &byte, 1) == 1);
    NEED(pthread_join(thread, NULL) == 0);
    say("close", result);
}

static void of(const char *name, int on, int seconds, bool nonblock, bool full,
               enum expected expected)
{
    int client, server;
    topic = name;
    pair(&client, &server);
    lingers(client, on, seconds);
    if (full)
        fill(client);
    if (nonblock)
        nonblocking(client);
    close_it(client, server, "the other end does not read", expected);
    close(server);
}

/* A socket that lingers, and whose peer does not read. */
static void stalled(int *client, int *server, int seconds)
{
    pair(client, server);
    lingers(*client, 1, seconds);
    fill(*client);
}

static void copies(void)
{
    int client, server;
    topic = "copies";
    stalled(&client, &server, LONG_S);
    int copy = dup(client);
    close_it(client, -1, "the first", BACK);
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        pause();
        _exit(0);
    }
    close_it(copy, -1, "a child has it", BACK);
    kill(child, SIGKILL);
    NEED(waitpid(child, NULL, 0) == child);
    say("all is read", drain(server));
    close(server);
    stalled(&client, &server, LONG_S);
    copy = dup(client);
    close_it(client, -1, "the first", BACK);
    close_it(copy, server, "the last", WAITS);
    close(server);
}

static void inherited(void)
{
    struct sockaddr_in sin;
    topic = "accepted";
    int listener = listening(5, &sin);
    lingers(listener, 1, LONG_S);
    int client = connected(&sin), server = accepted(listener);
    fill(server);
    close_it(server, client, "the other end does not read", WAITS);
    close(client);
    close_it(listener, -1, "the listener", BACK);
}

static void passes(void)
{
    int client, server;
    topic = "time passes";
    stalled(&client, &server, 2);
    close_it(client, -1, "half a second of two", WAITS);
    say("all is read", drain(server));
    close(server);
}

static void at_exit(void)
{
    int client, server, ends[2];
    topic = "exit";
    stalled(&client, &server, LONG_S);
    NEED(pipe(ends) == 0);
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0)
        _exit(0);
    close(client);
    close(ends[0]);
    close(ends[1]);
    NEED(waitpid(child, NULL, 0) == child);
    say("all is read", drain(server));
    close(server);
    stalled(&client, &server, LONG_S);
    NEED(pipe(ends) == 0);
    child = fork();
    NEED(child >= 0);
    if (child == 0) {
        poll(NULL, 0, 300);          /* the parent has closed its own by then, or waits for us */
        _exit(0);
    }
    close(ends[1]);
    close(client);
    line("the end of the last", polled(ends[0], POLLHUP, LIMIT_MS) > 0 ? "does not wait" : "waits");
    NEED(waitpid(child, NULL, 0) == child);
    say("all is read", drain(server));
    close(server);
}

static void unread(void)
{
    int client, server;
    topic = "unread";
    pair(&client, &server);
    lingers(client, 1, LONG_S);
    NEED(write(server, "x", 1) == 1);
    NEED(once(client, POLLIN) & POLLIN);
    fill(client);
    close_it(client, -1, "the other end does not read", BACK);
    say_mask("poll", once(server, POLLHUP));
    close(server);
}

static void not_connected(void)
{
    topic = "not connected";
    int fd = tcp();
    lingers(fd, 1, LONG_S);
    close_it(fd, -1, "fresh", BACK);
    struct sockaddr_in sin = nobody();
    fd = tcp();
    lingers(fd, 1, LONG_S);
    say("connect", connect(fd, any(&sin), sizeof sin));
    close_it(fd, -1, "refused", BACK);
    int server;
    pair(&fd, &server);
    lingers(fd, 1, LONG_S);
    reset(server);
    once(fd, POLLHUP);
    close_it(fd, -1, "reset", BACK);
    pair(&fd, &server);
    lingers(fd, 1, LONG_S);
    say("shutdown", shutdown(fd, SHUT_WR));
    NEED(once(server, POLLIN) & POLLIN);
    close_it(fd, server, "FIN has gone", BACK);
    close(server);
}

/* TCP_LINGER2: how long the end waits for the other's; -1: it is a reset as soon as it is acknowledged. */
static void other_end(void)
{
    int client, server, none = -1;
    topic = "TCP_LINGER2 of -1";
    pair(&client, &server);
    NEED(setsockopt(client, IPPROTO_TCP, TCP_LINGER2, &none, sizeof none) == 0);
    close_it(client, -1, "at once", BACK);
    say_mask("poll", once(server, POLLHUP));
    say("recv", recv(server, bytes, 1, 0));
    say("send", send(server, "x", 1, MSG_NOSIGNAL));
    close(server);
}

static void stdio(void)
{
    int client, server;
    topic = "fclose";
    pair(&client, &server);
    lingers(client, 1, 0);
    FILE *stream = fdopen(client, "w");
    NEED(stream && fputs("hello", stream) >= 0);
    say("fclose", fclose(stream));
    say_mask("poll", once(server, POLLHUP));
    close(server);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    NEED(pipe(returned) == 0);
    of("off", 0, LONG_S, false, true, BACK);
    of("on", 1, LONG_S, false, true, WAITS);
    of("on, non-blocking", 1, LONG_S, true, true, WAITS);
    of("on, nothing to send", 1, LONG_S, false, false, BACK);
    copies();
    inherited();
    passes();
    at_exit();
    unread();
    not_connected();
    other_end();
    stdio();
}
