/* chroot, a /tmp of one's own, and another uid; before the first socket and after it.  Needs root.
 * Argument: which. */
#include "say.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

static struct sockaddr_in where;
static int listener = -1;

/* What a daemon does: a backend, a client, options, a reset. */
static void serve(const char *who)
{
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    int on = 1;
    char byte;
    topic = who;
    if (listener < 0)
        listener = listening(20, &where);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    line("socket", client < 0 ? strerrorname_np(errno) : "ok");
    if (client < 0)
        return;
    say("connect", connect(client, any(&where), sizeof where));
    int server = accepted(listener);
    say("getpeername", getpeername(server, any(&peer), &len));
    say("TCP_NODELAY", setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    say("write", write(client, "x", 1));
    say_mask("poll", once(server, POLLIN));
    say("read", read(server, &byte, 1));
    reset(server);
    once(client, POLLHUP);
    say("read after a reset", read(client, &byte, 1));
    close(client);
}

static void worker(void)
{
    serve("forked worker");
}

static void *in_thread(void *name)
{
    (void)name;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return fd < 0 || connect(fd, any(&where), sizeof where) < 0 ? "no" : "yes";
}

static void threads(void)
{
    pthread_t some[3];
    void *result;
    for (int i = 0; i < 3; i++)
        NEED(pthread_create(&some[i], NULL, in_thread, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        NEED(pthread_join(some[i], &result) == 0);
        line("a thread connected", result);
        close(accepted(listener));
    }
}

static void jail(void)
{
    char path[] = "/tmp/jailXXXXXX";
    NEED(mkdtemp(path) && chmod(path, 0755) == 0);
    NEED(chdir(path) == 0 && rmdir(path) == 0);      /* nothing is left of it afterwards */
    NEED(chroot(".") == 0);
}

static void own_tmp(void)
{
    NEED(unshare(CLONE_NEWNS) == 0);
    NEED(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    NEED(mount("tmpfs", "/tmp", "tmpfs", 0, NULL) == 0);
}

static void nobodys(void)
{
    NEED(setgid(65534) == 0 && setuid(65534) == 0);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; void (*lock)(void); } WAYS[] = {
        {"chroot", jail}, {"tmp", own_tmp}, {"uid", nobodys}};
    NEED(argc == 3);
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(argv[2], "after") == 0)
        serve("before");
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++)
        if (strcmp(argv[1], WAYS[i].name) == 0)
            WAYS[i].lock();
    serve("locked in");
    ended("ended", worker);
    topic = "threads";
    threads();
    if (geteuid() == 0) {
        nobodys();
        serve("and as nobody");
    }
}
