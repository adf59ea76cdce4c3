/* What arrives after shutdown(SHUT_RD) is there to be read; and what poll says of the ends of a connection. */
#include "say.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

static char bytes[1 << 16];

static void give(int to, size_t count)
{
    NEED(write(to, bytes, count) == (ssize_t)count);
}

/* What a read has once it has something: nothing is an end after SHUT_RD, and no news. */
static void await_data(int fd, size_t most)
{
    ssize_t got = 0;
    for (int ms = 0; got == 0 && ms < LIMIT_MS; ms++)
        if ((got = recv(fd, bytes, most, MSG_DONTWAIT)) == 0)
            poll(NULL, 0, 1);
    say("recv", got);
}

static void says_bytes(const char *what, ssize_t got)
{
    char text[16];
    if (got >= 0)
        snprintf(text, sizeof text, "%.*s", (int)got, bytes);
    line(what, got < 0 ? strerrorname_np(errno) : text);
}

static void arrives_late(void)
{
    int client, server;
    topic = "late data";
    pair(&client, &server);
    say("shutdown", shutdown(server, SHUT_RD));
    say("recv", recv(server, bytes, 10, 0));
    say_mask("poll", once(server, 0));
    NEED(write(client, "one two", 7) == 7);
    await_data(server, 3);
    says_bytes("it", 3);
    say_mask("poll", once(server, 0));
    says_bytes("peek", recv(server, bytes, 4, MSG_PEEK));
    says_bytes("read", read(server, bytes, 2));
    struct iovec parts[2] = {{bytes, 1}, {bytes + 1, 100}};
    says_bytes("readv", readv(server, parts, 2));
    say("recv", recv(server, bytes, 10, 0));
    give(client, 50000);
    size_t sum = 0;
    for (int ms = 0; sum < 50000 && ms < LIMIT_MS; ms++) {
        ssize_t got = recv(server, bytes, sizeof bytes, 0);
        NEED(got >= 0);
        sum += (size_t)got;
        if (got == 0)
            poll(NULL, 0, 1);
    }
    say("sum", (long)sum);
    say("send", send(server, "x", 1, MSG_NOSIGNAL));
    say_mask("client: poll", once(client, POLLIN));
    say("client: recv", recv(client, bytes, 10, 0));
    shutdown(client, SHUT_WR);
    say("recv", recv(server, bytes, 10, 0));
    say_mask("poll", once(server, 0));
    say("shutdown(SHUT_WR)", shutdown(server, SHUT_WR));
    say_mask("poll", once(server, POLLHUP));
    say_mask("client: poll", once(client, POLLHUP));
    say("shutdown(SHUT_RDWR)", shutdown(server, SHUT_RDWR));
    close(client);
    close(server);
}

static void was_there(void)
{
    int client, server;
    topic = "data that was there";
    pair(&client, &server);
    NEED(write(client, "abc", 3) == 3);
    NEED(once(server, POLLIN) & POLLIN);
    say("shutdown", shutdown(server, SHUT_RD));
    say_mask("poll", once(server, 0));
    says_bytes("recv", recv(server, bytes, 2, 0));
    says_bytes("recv", recv(server, bytes, 2, 0));
    say("recv", recv(server, bytes, 2, 0));
    close(client);
    close(server);
}

/* Nobody reads what came: the close is a reset. */
static void left_unread(void)
{
    int client, server;
    topic = "left unread";
    pair(&client, &server);
    say("shutdown", shutdown(server, SHUT_RD));
    give(client, 3);
    for (int there = 0; ; poll(NULL, 0, 1)) {
        NEED(ioctl(client, TIOCOUTQ, &there) == 0);
        if (!there)
            break;
    }
    say_mask("client: poll", once(client, 0));
    close(server);
    say_mask("client: poll", once(client, POLLHUP));
    say("client: recv", recv(client, bytes, 1, 0));
    close(client);
}

/* A writer to one who has shut its reading is held up in the end, as by one who does not read. */
static void fills_up(void)
{
    int client, server;
    size_t sent = 0, got = 0;
    topic = "fills up";
    pair(&client, &server);
    shutdown(server, SHUT_RD);
    nonblocking(client);
    for (;;) {
        ssize_t n = send(client, bytes, sizeof bytes, 0);
        if (n > 0)
            sent += (size_t)n;
        else if (polled(client, POLLOUT, 500) == 0)
            break;
    }
    line("is held up", "yes");
    for (int ms = 0; got < sent && ms < LIMIT_MS;) {
        ssize_t n = recv(server, bytes, sizeof bytes, 0);
        NEED(n >= 0);
        got += (size_t)n;
        if (n == 0)
            ms += 1 + poll(NULL, 0, 1);
    }
    line("all of it is read", whether(got == sent));
    say_mask("client: poll", once(client, POLLOUT));
    close(client);
    close(server);
}

static void both(void)
{
    int client, server;
    topic = "both";
    pair(&client, &server);
    say("shutdown", shutdown(server, SHUT_RDWR));
    say_mask("poll", once(server, 0));
    say_mask("client: poll", once(client, POLLRDHUP));
    NEED(write(client, "late", 4) == 4);
    await_data(server, 4);
    say("recv", recv(server, bytes, 4, 0));
    say("shutdown again", shutdown(server, SHUT_RD));
    close(client);
    close(server);
}

static void fresh(void)
{
    static const int WAYS[] = {SHUT_RD, SHUT_WR, SHUT_RDWR};
    topic = "not connected";
    for (int i = 0; i < 3; i++) {
        struct sockaddr_in sin;
        int fd = tcp();
        say("shutdown", shutdown(fd, WAYS[i]));
        say_mask("poll", once(fd, 0));
        say("recv", recv(fd, bytes, 1, 0));
        say("send", send(fd, "x", 1, MSG_NOSIGNAL));
        int listener = listening(1, &sin);
        say("connect", connect(fd, any(&sin), sizeof sin));
        if (WAYS[i] != SHUT_RDWR)    /* differences: shut-before-connected */
            say_mask("poll", once(fd, 0));
        close(fd);
        close(listener);
    }
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    arrives_late();
    was_there();
    left_unread();
    fills_up();
    both();
    fresh();
}
