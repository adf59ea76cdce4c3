/* Every way of reading from a listener, and of writing to it: ENOTCONN, EPIPE, and the connections
 * that wait there stay. */
#include "say.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

static char bytes[256];

static void read_from(int fd)
{
    struct iovec parts[2] = {{bytes, 3}, {bytes + 3, 200}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    struct mmsghdr messages[1] = {{.msg_hdr = message}};
    struct sockaddr_in sin;
    socklen_t len = sizeof sin;
    int pipes[2], unread = -1;
    NEED(pipe(pipes) == 0);
    say("read", read(fd, bytes, sizeof bytes));
    say("read 0", read(fd, bytes, 0));
    say("readv", readv(fd, parts, 2));
    say("preadv2", preadv2(fd, parts, 2, -1, 0));
    say("recv", recv(fd, bytes, sizeof bytes, 0));
    say("recv 0", recv(fd, NULL, 0, 0));
    say("recv, not to wait", recv(fd, bytes, sizeof bytes, MSG_DONTWAIT));
    say("peek", recv(fd, bytes, sizeof bytes, MSG_PEEK));
    say("peek for all", recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_WAITALL));
    say("discard", recv(fd, bytes, sizeof bytes, MSG_TRUNC));
    say("out of band", recv(fd, bytes, sizeof bytes, MSG_OOB));
    say("error queue", recv(fd, bytes, sizeof bytes, MSG_ERRQUEUE));
    say("recvfrom", recvfrom(fd, bytes, sizeof bytes, 0, any(&sin), &len));
    say("recvfrom nowhere", recvfrom(fd, bytes, sizeof bytes, 0, NULL, NULL));
    say("recvmsg", recvmsg(fd, &message, 0));
    say("recvmmsg", recvmmsg(fd, messages, 1, 0, NULL));
    say("splice", splice(fd, NULL, pipes[1], NULL, sizeof bytes, 0));
    say("FIONREAD", ioctl(fd, FIONREAD, &unread));
    say("SIOCOUTQ", ioctl(fd, TIOCOUTQ, &unread));
    say("write", write(fd, "x", 1));
    say("send", send(fd, "x", 1, MSG_NOSIGNAL));
    close(pipes[0]);
    close(pipes[1]);
}

static int with_client(const char *name, struct sockaddr_in *sin, int *client)
{
    topic = name;
    int listener = listening(5, sin);
    *client = connected(sin);
    NEED(polled(listener, POLLIN, LIMIT_MS) == POLLIN);
    return listener;
}

static void still_there(int listener, int client)
{
    int server = accepted(listener);
    say("write", write(client, "hello", 5));
    say("read", recv(server, bytes, 5, MSG_WAITALL));
    close(server);
    close(client);
    close(listener);
}

/* The number is new to the process, or was another's: seen by the first read. */
static void first_call(const char *name, int again)
{
    struct sockaddr_in sin;
    int client, listener = with_client(name, &sin, &client);
    int copy = again < 0 ? dup(listener) : dup2(listener, again);
    say("read", read(copy, bytes, sizeof bytes));
    close(copy);
    copy = fcntl(listener, F_DUPFD, 200);
    say("recv", recv(copy, bytes, sizeof bytes, MSG_DONTWAIT));
    close(copy);
    still_there(listener, client);
}

static void in_child(void)
{
    struct sockaddr_in sin;
    int client, listener = with_client("in a child", &sin, &client);
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        read_from(listener);
        _exit(0);
    }
    NEED(waitpid(child, NULL, 0) == child);
    still_there(listener, client);
}

/* Reads from its standard input, which is a listener. */
static void executed(char *self)
{
    struct sockaddr_in sin;
    int client, listener = with_client("executed", &sin, &client);
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        dup2(listener, 0);
        execl(self, self, "read", NULL);
        _exit(2);
    }
    NEED(waitpid(child, NULL, 0) == child);
    still_there(listener, client);
}

/* What stood at the number of a listener before, and after. */
static void renumbered(void)
{
    struct sockaddr_in sin;
    int pipes[2], client, listener = with_client("renumbered", &sin, &client);
    NEED(pipe(pipes) == 0);
    int number = listener;
    listener = fcntl(number, F_DUPFD, 200);
    close(number);
    NEED(fcntl(pipes[0], F_DUPFD, number) == number);
    NEED(write(pipes[1], "pipe", 4) == 4);
    say("read of the pipe", read(number, bytes, sizeof bytes));
    NEED(dup2(listener, number) == number);
    say("read of the listener", read(number, bytes, sizeof bytes));
    still_there(listener, client);
    close(number);
}

int main(int argc, char **argv)
{
    struct sockaddr_in sin;
    int client;
    signal(SIGPIPE, SIG_IGN);
    if (argc > 1) {
        topic = "executed";
        say("read", read(0, bytes, sizeof bytes));
        return 0;
    }
    topic = "nobody waits";
    int listener = listening(5, &sin);
    read_from(listener);
    nonblocking(listener);
    read_from(listener);
    close(listener);
    listener = with_client("one waits", &sin, &client);
    read_from(listener);
    still_there(listener, client);
    first_call("dup", -1);
    first_call("dup2", 210);
    in_child();
    executed(argv[0]);
    renumbered();
    listener = with_client("shut down", &sin, &client);
    say("shutdown", shutdown(listener, SHUT_RD));
    say("read", read(listener, bytes, sizeof bytes));
    say("listen", listen(listener, 5));
    say("read", read(listener, bytes, sizeof bytes));
}
