/* Listeners that are closed, shut down, or whose process ends, with clients that nobody has accepted. */
#include "say.h"

static void look(int client)
{
    char bytes[8];
    say_mask("client: poll", once(client, POLLRDHUP));
    say("client: recv", recv(client, bytes, sizeof bytes, MSG_DONTWAIT));
    say("client: send", send(client, "x", 1, MSG_NOSIGNAL));
    say("client: send again", send(client, "x", 1, MSG_NOSIGNAL));
    say_error("client: SO_ERROR", client);
    close(client);
}

static int with_client(const char *name, int *client)
{
    struct sockaddr_in sin;
    topic = name;
    int listener = listening(5, &sin);
    *client = connected(&sin);
    NEED(polled(listener, POLLIN, LIMIT_MS) == POLLIN);
    return listener;
}

static void closed(void)
{
    int client, listener = with_client("idle client", &client);
    close(listener);
    look(client);
    listener = with_client("client with data", &client);
    say("write", write(client, "hello", 5));
    close(listener);
    look(client);
    listener = with_client("half-closed client", &client);
    shutdown(client, SHUT_WR);
    close(listener);
    look(client);
}

static void held_by_another(void)
{
    int client, listener = with_client("a dup is left", &client), other = dup(listener);
    close(listener);
    say_mask("client: poll", once(client, 0));
    int server = accepted(other);
    say("write", write(server, "x", 1));
    say_mask("client: poll", once(client, POLLIN));
    close(server);
    close(client);
    close(other);
}

static void shut_down(void)
{
    int client, listener = with_client("shut down", &client), value = -1;
    socklen_t len = sizeof value;
    struct sockaddr_in sin = name_of(listener);
    say("shutdown(SHUT_WR)", shutdown(listener, SHUT_WR));
    say_mask("poll", once(listener, 0));
    say("shutdown(SHUT_RD)", shutdown(listener, SHUT_RD));
    say_mask("poll", once(listener, POLLHUP));
    say("accept", accept(listener, NULL, NULL));
    look(client);
    NEED(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0);
    say("SO_ACCEPTCONN", value);
    client = tcp();
    say("connect", connect(client, any(&sin), sizeof sin));
    close(client);
    say("listen again", listen(listener, 5));
    sin = name_of(listener);
    say_mask("poll", once(listener, 0));
    client = connected(&sin);
    int server = accepted(listener);
    say("write", write(client, "x", 1));
    say_mask("poll", once(server, POLLIN));
    close(server);
    close(client);
    close(listener);
}

static int shared;

static void *accepts(void *unused)
{
    int result = accept(shared, NULL, NULL);
    line("accept", result < 0 ? strerrorname_np(errno) : "a connection");
    return unused;
}

/* Whether it is in accept() yet or will be: it must come back. */
static void somebody_accepts(void)
{
    struct sockaddr_in sin;
    pthread_t thread;
    topic = "another thread accepts";
    shared = listening(5, &sin);
    NEED(pthread_create(&thread, NULL, accepts, NULL) == 0);
    int result = shutdown(shared, SHUT_RDWR);
    NEED(pthread_join(thread, NULL) == 0);
    say("shutdown", result);
    close(shared);
}

/* The process that listens, killed or not, when its client is connected. */
static void process_ends(const char *name, int number)
{
    struct sockaddr_in sin;
    int told[2], end[2];
    char byte;
    topic = name;
    NEED(pipe(told) == 0 && pipe(end) == 0);
    pid_t child = fork();
    if (child == 0) {
        listening(5, &sin);
        NEED(write(told[1], &sin, sizeof sin) == sizeof sin);
        NEED(read(end[0], &byte, 1) == 1);
        if (number)
            raise(number);
        _exit(0);
    }
    NEED(read(told[0], &sin, sizeof sin) == sizeof sin);
    int client = connected(&sin);
    NEED(write(end[1], "x", 1) == 1);
    NEED(waitpid(child, NULL, 0) == child);
    look(client);
}

static void many(void)
{
    struct sockaddr_in sin;
    enum { MANY = 20 };
    int clients[MANY], was_reset = 0, open_ = 0;
    char byte;
    topic = "20 clients, one accepted";
    int listener = listening(50, &sin);
    for (int i = 0; i < MANY; i++)
        clients[i] = connected(&sin);
    int server = accepted(listener);
    struct sockaddr_in lucky;
    socklen_t len = sizeof lucky;
    NEED(getpeername(server, any(&lucky), &len) == 0);
    close(listener);
    for (int i = 0; i < MANY; i++) {
        if (name_of(clients[i]).sin_port == lucky.sin_port) {
            open_ += once(clients[i], 0) == POLLOUT;
            continue;
        }
        once(clients[i], POLLHUP);
        was_reset += recv(clients[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == ECONNRESET;
    }
    say("reset", was_reset);
    say("open", open_);
}

/* Closing and binding the same port at once, again and again. */
static void closed_then_bound(void)
{
    int in_use = 0;
    topic = "closed, then bound";
    for (int i = 0; i < 100; i++) {
        struct sockaddr_in sin = {.sin_family = AF_INET};
        sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        int first = tcp(), second = tcp();
        NEED(bind(first, any(&sin), sizeof sin) == 0);
        sin = name_of(first);
        close(first);
        in_use += bind(second, any(&sin), sizeof sin) < 0 && errno == EADDRINUSE;
        close(second);
    }
    say("in use", in_use);
}

static void listened_then_listened(void)
{
    int in_use = 0;
    topic = "closed, then listened";
    for (int i = 0; i < 100; i++) {
        struct sockaddr_in sin;
        close(listening(5, &sin));
        int again = tcp();
        in_use += bind(again, any(&sin), sizeof sin) < 0 || listen(again, 5) < 0;
        close(again);
    }
    say("in use", in_use);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    closed();
    held_by_another();
    shut_down();
    somebody_accepts();
    process_ends("listening process exits", 0);
    process_ends("listening process is killed", SIGKILL);
    many();
    closed_then_bound();
    listened_then_listened();
}
