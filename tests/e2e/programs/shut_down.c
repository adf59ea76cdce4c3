/* shutdown() of what connects or listens, and a second shutdown of what is connected. */
#include "say.h"

static const struct { int how; const char *name; } WAYS[] = {
    {SHUT_RD, "SHUT_RD"}, {SHUT_WR, "SHUT_WR"}, {SHUT_RDWR, "SHUT_RDWR"}};

static struct sockaddr_in where;
static int shared;

static void connecting(void)
{
    char name[32], byte;
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        snprintf(name, sizeof name, "SYN-SENT, %s", WAYS[i].name);
        topic = name;
        int fd = in_syn_sent(&where);
        say("shutdown", shutdown(fd, WAYS[i].how));
        say_mask("poll", once(fd, POLLOUT));
        say_error("SO_ERROR", fd);
        say_mask("error taken: poll", once(fd, 0));
        say("recv", recv(fd, &byte, 1, MSG_DONTWAIT));
        say("send", send(fd, "x", 1, MSG_NOSIGNAL | MSG_DONTWAIT));
        say("shutdown again", shutdown(fd, WAYS[i].how));
        close(fd);
    }
}

static void *waits(void *unused)
{
    int result = connect(shared, any(&where), sizeof where);
    line("connect", result < 0 ? strerrorname_np(errno) : "0");
    return unused;
}

/* The other thread is in connect() once the socket has a local port. */
static void somebody_waits(void)
{
    pthread_t thread;
    topic = "another thread connects";
    shared = tcp();
    NEED(pthread_create(&thread, NULL, waits, NULL) == 0);
    while (name_of(shared).sin_port == 0)
        sched_yield();
    int result = shutdown(shared, SHUT_RDWR);
    NEED(pthread_join(thread, NULL) == 0);
    say("shutdown", result);
    close(shared);
}

static void connected_twice(void)
{
    char name[32], byte;
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        int client, server;
        snprintf(name, sizeof name, "connected, %s", WAYS[i].name);
        topic = name;
        pair(&client, &server);
        say("shutdown", shutdown(client, WAYS[i].how));
        say_mask("poll", once(client, 0));
        say("recv", recv(client, &byte, 1, MSG_DONTWAIT));
        say("send", send(client, "x", 1, MSG_NOSIGNAL));
        say("shutdown again", shutdown(client, WAYS[i].how));
        say("and the rest", shutdown(client, SHUT_RDWR));
        say_mask("peer: poll", once(server, POLLRDHUP));
        shutdown(server, SHUT_WR);
        say_mask("both: poll", once(client, POLLHUP));
        close(client);
        close(server);
    }
    topic = "nonsense";
    int fd = tcp();
    say("shutdown(3), fresh", shutdown(fd, 3));
    say("shutdown(-1), fresh", shutdown(fd, -1));
    say("shutdown, fresh", shutdown(fd, SHUT_RDWR));
    close(fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    listening(0, &where);
    connecting();
    somebody_waits();
    connected_twice();
}
