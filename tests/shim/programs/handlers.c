/* Signals: a handler that uses sockets itself, EINTR, SA_RESTART; a socket in a constructor. */
#include "check.h"

#include <pthread.h>
#include <sys/time.h>

static int early = -1;
static volatile sig_atomic_t ticks;

__attribute__((constructor)) static void before_main(void)
{
    early = socket(AF_INET, SOCK_STREAM, 0);
}

static void on_tick(int sig)
{
    int saved = errno, on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && sig == SIGALRM);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    close(fd);
    ticks++;
    errno = saved;
}

static void handle(int flags)
{
    struct sigaction act = {.sa_handler = on_tick, .sa_flags = flags};
    CHECK(sigaction(SIGALRM, &act, NULL) == 0);
}

static void every_us(int us)
{
    struct itimerval timer = {{0, us}, {0, us}};
    CHECK(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void interrupted_calls(void)
{
    handle(0);
    every_us(2000);
    for (int i = 0; ticks < 20; i++) {
        int p[2], on = 1;
        struct sockaddr_in sin;
        socklen_t len = sizeof sin;
        int listener = listening(&sin);
        p[0] = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(p[0] >= 0);
        CHECK(setsockopt(p[0], IPPROTO_TCP, 1, &on, sizeof on) == 0);
        CHECK(getsockname(p[0], any(&sin), &len) == 0);
        close(p[0]);
        close(listener);
    }
    every_us(0);
}

static void interrupted_accept(void)
{
    struct sockaddr_in sin;
    int listener = listening(&sin);
    char c;
    int p[2];
    connected(p);                    /* before the timer: it may be interrupted as well */
    handle(0);
    every_us(10000);
    FAILS(accept(listener, NULL, NULL), EINTR);
    FAILS(read(p[0], &c, 1), EINTR);
    every_us(0);
}

static void *connect_later(void *sin)
{
    while (ticks < 3)
        sched_yield();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, sin, sizeof(struct sockaddr_in)) == 0);
    return NULL;
}

static void restarted_accept(void)
{
    struct sockaddr_in sin;
    pthread_t thread;
    int listener = listening(&sin);
    ticks = 0;
    handle(SA_RESTART);
    CHECK(pthread_create(&thread, NULL, connect_later, &sin) == 0);
    every_us(5000);
    CHECK(accept(listener, NULL, NULL) >= 0);
    every_us(0);
    pthread_join(thread, NULL);
}

/* Given an address where a connect never ends. */
static void interrupted_connect(const char *nowhere)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(9)};
    struct timeval limit = {0, 20000};
    inet_aton(nowhere, &sin.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0);
    FAILS(connect(fd, any(&sin), sizeof sin), EINPROGRESS);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    handle(0);
    every_us(10000);
    FAILS(connect(fd, any(&sin), sizeof sin), EINTR);
    every_us(0);
}

int main(int argc, char **argv)
{
    CHECK(early >= 0);
    interrupted_calls();
    interrupted_accept();
    restarted_accept();
    if (argc > 1)
        interrupted_connect(argv[1]);
}
