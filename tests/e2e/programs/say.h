/* What the programs of test_as_on_linux.py share.  Each line that they print is a label, a tab and what
 * was seen; the same program runs on the host's sockets and on a minion.  Nothing here is timed: what
 * is waited for is an event, with a limit. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))
#define NEED(x)                                                                       \
    do {                                                                              \
        if (!(x)) {                                                                   \
            fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #x, errno); \
            _exit(2);                                                                 \
        }                                                                             \
    } while (0)

enum { LIMIT_MS = 20000, EVERYTHING = POLLIN | POLLOUT | POLLRDHUP | POLLPRI };

static UNUSED const char *topic = "";

static void line(const char *what, const char *value)
{
    printf("%s: %s\t%s\n", topic, what, value);
    fflush(stdout);
}

/* A call's result, or its errno. */
static UNUSED void say(const char *what, long result)
{
    char text[32];
    int error = errno;
    snprintf(text, sizeof text, "%ld", result);
    line(what, result < 0 ? strerrorname_np(error) : text);
}

static UNUSED void say_error(const char *what, int fd)
{
    int error = -1;
    socklen_t len = sizeof error;
    NEED(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0);
    line(what, error ? strerrorname_np(error) : "0");
}

static UNUSED void say_mask(const char *what, int mask)
{
    static const struct { int bit; const char *name; } NAMES[] = {
        {POLLIN, "IN "}, {POLLPRI, "PRI "}, {POLLOUT, "OUT "}, {POLLERR, "ERR "},
        {POLLHUP, "HUP "}, {POLLNVAL, "NVAL "}, {POLLRDHUP, "RDHUP "}};
    char text[64] = "";
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (mask & NAMES[i].bit)
            strcat(text, NAMES[i].name);
    line(what, mask < 0 ? strerrorname_np(errno) : mask ? text : "none");
}

/* What poll says after so long at most; 0: nothing. */
static int polled(int fd, int events, int ms)
{
    struct pollfd p = {.fd = fd, .events = (short)events};
    int n = poll(&p, 1, ms);
    return n > 0 ? p.revents : n;
}

/* The whole mask, once this event is there (0: now).  HUP and ERR wake whoever waits for another: that
 * one may follow a moment later. */
static UNUSED int once(int fd, int event)
{
    struct pollfd p = {.fd = fd, .events = (short)event};
    for (int ms = 0; event && !(p.revents & event) && ms < LIMIT_MS; ms++) {
        NEED(poll(&p, 1, LIMIT_MS) == 1);
        if (!(p.revents & event))
            poll(NULL, 0, 1);
    }
    return polled(fd, EVERYTHING, 0);
}

static struct sockaddr *any(const struct sockaddr_in *sin)
{
    return (struct sockaddr *)(uintptr_t)sin;
}

static int tcp(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    NEED(fd >= 0);
    return fd;
}

static UNUSED struct sockaddr_in name_of(int fd)
{
    struct sockaddr_in sin;
    socklen_t len = sizeof sin;
    NEED(getsockname(fd, any(&sin), &len) == 0);
    return sin;
}

static int listening(int backlog, struct sockaddr_in *sin)
{
    int fd = tcp();
    *sin = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    NEED(bind(fd, any(sin), sizeof *sin) == 0);
    NEED(listen(fd, backlog) == 0);
    *sin = name_of(fd);
    return fd;
}

static UNUSED int connected(const struct sockaddr_in *sin)
{
    int fd = tcp();
    NEED(connect(fd, any(sin), sizeof *sin) == 0);
    return fd;
}

/* The next connection; it need not be there yet. */
static UNUSED int accepted(int listener)
{
    NEED(polled(listener, POLLIN, LIMIT_MS) == POLLIN);
    int fd = accept(listener, NULL, NULL);
    NEED(fd >= 0);
    return fd;
}

static UNUSED void pair(int *client, int *server)
{
    struct sockaddr_in sin;
    int listener = listening(5, &sin);
    *client = connected(&sin);
    *server = accepted(listener);
    close(listener);
}

static UNUSED void nonblocking(int fd)
{
    NEED(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0);
}

/* Where nobody listens: a port that was just free. */
static UNUSED struct sockaddr_in nobody(void)
{
    struct sockaddr_in sin;
    close(listening(1, &sin));
    return sin;
}

/* Connects until one stays in SYN-SENT, the listener's queue being full.  That one: non-blocking.  A
 * second: by then the first SYN has been repeated, so it was not merely slow. */
static UNUSED int in_syn_sent(const struct sockaddr_in *sin)
{
    for (int i = 0; i < 200; i++) {
        int fd = tcp();
        nonblocking(fd);
        NEED(connect(fd, any(sin), sizeof *sin) == 0 || errno == EINPROGRESS);
        if (polled(fd, POLLOUT, 1000) == 0)
            return fd;               /* the others fill the queue until we end */
    }
    NEED(!"the queue is never full");
    return -1;
}

/* Close with a RST. */
static UNUSED void reset(int fd)
{
    struct linger now = {1, 0};
    NEED(setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
    close(fd);
}

static UNUSED const char *whether(bool yes)
{
    return yes ? "yes" : "no";
}

/* In a child of its own: how it ended. */
static UNUSED void ended(const char *what, void (*function)(void))
{
    int status;
    char text[32];
    fflush(stdout);
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        function();
        fflush(stdout);
        _exit(0);
    }
    NEED(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status))
        snprintf(text, sizeof text, "SIG%s", sigabbrev_np(WTERMSIG(status)));
    else
        snprintf(text, sizeof text, "exit %d", WEXITSTATUS(status));
    line(what, text);
}
