/* A blocking connect that a signal or SO_SNDTIMEO cuts short goes on by itself (connect(2), socket(7)):
 * what poll, SO_ERROR, connect and the data calls say then, and how it ends. */
#include "say.h"

static struct sockaddr_in where;
static int listener;

static void on_alarm(int number)
{
    (void)number;
}

/* Every 50 ms, for a signal that comes before connect() must not be the last. */
static void alarms(bool on, int flags)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = flags};
    struct itimerval timer = {.it_interval = {0, on ? 50000 : 0}, .it_value = {0, on ? 200000 : 0}};
    NEED(sigaction(SIGALRM, &action, NULL) == 0);
    NEED(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

static void full(const char *name)
{
    topic = name;
    listener = listening(0, &where);
    in_syn_sent(&where);
}

static int interrupted(void)
{
    int fd = tcp();
    alarms(true, 0);
    int result = connect(fd, any(&where), sizeof where), error = errno;
    alarms(false, 0);
    errno = error;
    say("connect", result);
    say_mask("poll", once(fd, 0));
    return fd;
}

static int timed_out(void)
{
    int fd = tcp();
    struct timeval soon = {0, 300000};
    NEED(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon) == 0);
    say("connect", connect(fd, any(&where), sizeof where));
    say_mask("poll", once(fd, 0));
    return fd;
}

/* Accepts whatever comes. */
static void *accept_all(void *argument)
{
    int fd = (int)(intptr_t)argument;
    while (polled(fd, POLLIN, -1) == POLLIN)
        NEED(accept(fd, NULL, NULL) >= 0);
    return NULL;
}

static void make_room(void)
{
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener) == 0);
    NEED(pthread_detach(thread) == 0);
}

static void refused_after(int (*begin)(void), const char *name)
{
    char byte;
    full(name);
    int fd = begin();
    close(listener);                 /* the SYN, sent again, is answered with a RST */
    say_mask("listener closed: poll", once(fd, POLLOUT));
    say_error("SO_ERROR", fd);
    say_error("SO_ERROR again", fd);
    say("recv", recv(fd, &byte, 1, 0));
    say("send", send(fd, "x", 1, MSG_NOSIGNAL));
}

static void connect_again(int (*begin)(void), const char *name)
{
    full(name);
    int fd = begin();
    struct timeval never = {0, 0};
    NEED(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &never, sizeof never) == 0);
    make_room();
    say("connect again", connect(fd, any(&where), sizeof where));
    say("and again", connect(fd, any(&where), sizeof where));
    say("write", write(fd, "x", 1));
}

static void poll_for_it(int (*begin)(void), const char *name)
{
    full(name);
    int fd = begin();
    make_room();
    say_mask("room: poll", once(fd, POLLOUT));
    say_error("SO_ERROR", fd);
    say("connect", connect(fd, any(&where), sizeof where));
    say("write", write(fd, "x", 1));
}

static void refused_while_connecting_again(void)
{
    char byte;
    full("interrupted, refused, connect again");
    int fd = interrupted();
    close(listener);
    say("connect again", connect(fd, any(&where), sizeof where));
    say("recv", recv(fd, &byte, 1, MSG_DONTWAIT));
    say_mask("poll", once(fd, 0));
}

static void restarted(void)
{
    full("SA_RESTART");
    int fd = tcp();
    make_room();
    alarms(true, SA_RESTART);
    int result = connect(fd, any(&where), sizeof where), error = errno;
    alarms(false, 0);
    errno = error;
    say("connect", result);
}

static void writes_too_early(void)
{
    static char much[100000];
    char byte;
    full("data calls in SYN-SENT");
    int fd = in_syn_sent(&where);
    say("send", send(fd, "early", 5, MSG_NOSIGNAL));
    say("send, much", send(fd, much, sizeof much, MSG_NOSIGNAL));
    say("recv", recv(fd, &byte, 1, 0));
    say("connect", connect(fd, any(&where), sizeof where));
    close(listener);
    say_mask("listener closed: poll", once(fd, POLLOUT));
    say_error("SO_ERROR", fd);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    refused_after(interrupted, "interrupted, refused");
    refused_after(timed_out, "timed out, refused");
    connect_again(interrupted, "interrupted, again");
    connect_again(timed_out, "timed out, again");
    poll_for_it(interrupted, "interrupted, polled");
    poll_for_it(timed_out, "timed out, polled");
    refused_while_connecting_again();
    restarted();
    writes_too_early();
}
