/* A close, or a death, while output is blocked: with unread data it is a RST at once, without it the
 * rest is sent first (RFC 2525, 2.17); the peer hears of either. */
#include "say.h"

static char much[65536];
static int listener;
static struct sockaddr_in where;

/* Writes until nothing goes, also after a while. */
static void fill(int fd)
{
    nonblocking(fd);
    while (send(fd, much, sizeof much, MSG_NOSIGNAL) > 0 || polled(fd, POLLOUT, 300) > 0)
        ;
}

enum end { CLOSE, EXIT, KILL };

/* The other process: fills its side, waits for our word, and ends the connection. */
static _Noreturn void child(enum end how, const int told[2], const int go[2])
{
    char byte;
    close(listener);
    int fd = connected(&where);
    fill(fd);
    NEED(write(told[1], "x", 1) == 1 && read(go[0], &byte, 1) == 1);
    if (how == CLOSE) {
        close(fd);
        pause();
    }
    if (how == KILL)
        raise(SIGKILL);
    _exit(0);
}

static void one(const char *name, enum end how, bool unread)
{
    int told[2], go[2];
    char byte;
    topic = name;
    NEED(pipe(told) == 0 && pipe(go) == 0);
    pid_t pid = fork();
    if (pid == 0)
        child(how, told, go);
    int fd = accepted(listener);
    NEED(read(told[0], &byte, 1) == 1);
    if (unread)
        fill(fd);
    NEED(write(go[1], "x", 1) == 1);
    if (unread) {
        say_mask("poll", once(fd, POLLRDHUP) & ~(POLLIN | POLLERR));
        say("send", send(fd, "x", 1, MSG_NOSIGNAL) < 0 ? 0 : 1);
    } else {
        long total = 0, n;
        while ((once(fd, POLLIN), n = read(fd, much, sizeof much)) > 0)
            total += n;
        say("the end", n);
        line("all of it", whether(total > 100000));
        say_mask("poll", once(fd, POLLRDHUP));
    }
    close(fd);
    kill(pid, SIGKILL);
    NEED(waitpid(pid, NULL, 0) == pid);
}

/* Both ends in one process, again and again; then others still get through. */
static void leaks(void)
{
    topic = "five times";
    for (int i = 0; i < 5; i++) {
        int client, server;
        pair(&client, &server);
        fill(client);
        fill(server);
        close(client);
        close(server);
    }
    int client, server;
    long total = 0, n;
    pair(&client, &server);
    pid_t pid = fork();
    if (pid == 0) {
        close(server);
        for (long sent = 0; sent < 1 << 20; sent += n)
            NEED((n = write(client, much, sizeof much)) > 0);
        _exit(0);
    }
    close(client);
    while ((n = read(server, much, sizeof much)) > 0)
        total += n;
    say("then 1 MB", total);
    NEED(waitpid(pid, NULL, 0) == pid);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    listener = listening(5, &where);
    one("close, unread data", CLOSE, true);
    one("exit, unread data", EXIT, true);
    one("kill, unread data", KILL, true);
    one("close", CLOSE, false);
    one("exit", EXIT, false);
    one("kill", KILL, false);
    leaks();
}
