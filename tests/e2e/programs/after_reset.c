/* stdio, and the calls for several messages and at no offset: after a reset, and on what was never
 * connected. */
#include "say.h"

#include <sys/uio.h>

static int client, server;
static char bytes[64];
static struct iovec out = {"x", 1}, in = {bytes, sizeof bytes};

static void was_reset(void)
{
    reset(server);
    once(client, POLLHUP);
}

static void say_stream(const char *what, FILE *file, bool done)
{
    char text[64];
    int error = errno;
    snprintf(text, sizeof text, "%s, feof %d, ferror %d, %s", whether(done), !!feof(file),
             !!ferror(file), error ? strerrorname_np(error) : "0");
    line(what, text);
}

static void conversation(void)
{
    FILE *ours = fdopen(client, "r+"), *theirs = fdopen(server, "r+");
    NEED(ours && theirs);
    fprintf(ours, "hello\n");
    NEED(fflush(ours) == 0);
    line("line", fgets(bytes, sizeof bytes, theirs) ? strtok(bytes, "\n") : "none");
    fprintf(theirs, "bye\n");
    NEED(fclose(theirs) == 0);
    line("answer", fgets(bytes, sizeof bytes, ours) ? strtok(bytes, "\n") : "none");
    errno = 0;
    say_stream("then", ours, fgets(bytes, sizeof bytes, ours) != NULL);
}

static void flush(void)
{
    FILE *file = fdopen(client, "w");
    was_reset();
    fputs("x", file);
    errno = 0;
    int result = fflush(file);
    say_stream("fflush", file, result == 0);
    clearerr(file);
    fputs("y", file);
    say("fflush again", fflush(file));
}

static void gets_(void)
{
    FILE *file = fdopen(client, "r");
    was_reset();
    errno = 0;
    say_stream("fgets", file, fgets(bytes, sizeof bytes, file) != NULL);
    clearerr(file);
    errno = 0;
    say_stream("fgets again", file, fgets(bytes, sizeof bytes, file) != NULL);
}

static void dprintf_(void)
{
    was_reset();
    say("dprintf", dprintf(client, "x\n"));
    say("dprintf again", dprintf(client, "x\n"));
}

static struct mmsghdr message(struct iovec *part)
{
    return (struct mmsghdr){.msg_hdr = {.msg_iov = part, .msg_iovlen = 1}};
}

static void sendmmsg_(void)
{
    struct mmsghdr two[2] = {message(&out), message(&out)};
    say("sendmmsg, connected", sendmmsg(client, two, 2, 0));
    say("read", once(server, POLLIN) & POLLIN ? read(server, bytes, sizeof bytes) : -1);
    was_reset();
    say("sendmmsg", sendmmsg(client, two, 2, 0));
    say("sendmmsg again", sendmmsg(client, two, 2, MSG_NOSIGNAL));
    say("and with SIGPIPE", sendmmsg(client, two, 2, 0));
}

static void recvmmsg_(void)
{
    struct mmsghdr two[2] = {message(&in), message(&in)};
    NEED(write(server, "abc", 3) == 3);
    once(client, POLLIN);
    say("recvmmsg, data", recvmmsg(client, two, 2, MSG_DONTWAIT, NULL));
    say("length", two[0].msg_len);
    was_reset();
    say("recvmmsg", recvmmsg(client, two, 1, 0, NULL));
    say("recvmmsg again", recvmmsg(client, two, 1, 0, NULL));
}

static void pwritev2_(void)
{
    say("pwritev2, connected", pwritev2(client, &out, 1, -1, 0));
    say("pwritev2 at 0", pwritev2(client, &out, 1, 0, 0));
    was_reset();
    say("pwritev2", pwritev2(client, &out, 1, -1, 0));
    say("pwritev2 again", pwritev2(client, &out, 1, -1, 0));
}

static void preadv2_(void)
{
    NEED(write(server, "abc", 3) == 3);
    once(client, POLLIN);
    say("preadv2, data", preadv2(client, &in, 1, -1, 0));
    say("preadv2 at 0", preadv2(client, &in, 1, 0, 0));
    was_reset();
    say("preadv2", preadv2(client, &in, 1, -1, 0));
    say("preadv2 again", preadv2(client, &in, 1, -1, 0));
}

/* The number of a file that was closed, or replaced, tells nothing about the socket that has it now. */
static void number_of_a_file(void)
{
    int file = open("/dev/null", O_RDWR);
    NEED(write(file, "x", 1) == 1 && read(file, bytes, 1) == 0);
    close(file);
    int fd = fcntl(client, F_DUPFD, file);
    line("F_DUPFD: the same number", whether(fd == file));
    was_reset();
    say("write", write(fd, "x", 1));
    say("write again", write(fd, "x", 1));
}

static void number_replaced(void)
{
    int file = open("/dev/null", O_RDWR);
    NEED(write(file, "x", 1) == 1);
    NEED(dup2(client, file) == file);
    was_reset();
    say("read", read(file, bytes, 1));
    say("write", write(file, "x", 1));
}

static void never_gets(void)
{
    FILE *file = fdopen(tcp(), "r+");
    errno = 0;
    say_stream("fgets", file, fgets(bytes, sizeof bytes, file) != NULL);
}

static void never_puts(void)
{
    FILE *file = fdopen(tcp(), "w");
    fputs("x", file);
    say("fflush", fflush(file));
}

static void never_reads(void)
{
    int fd = tcp(), other = dup(fd);
    struct mmsghdr one = message(&in);
    say("read", read(fd, bytes, 1));
    say("read of a dup", read(other, bytes, 1));
    say("recvmmsg", recvmmsg(fd, &one, 1, 0, NULL));
    say("preadv2", preadv2(fd, &in, 1, -1, 0));
    one = message(&out);
    say("sendmmsg", sendmmsg(fd, &one, 1, MSG_NOSIGNAL));
}

static void never_pwritev2(void)
{
    say("pwritev2", pwritev2(tcp(), &out, 1, -1, 0));
}

static void never_dprintf(void)
{
    say("dprintf", dprintf(tcp(), "x"));
}

static void never_sendmmsg(void)
{
    struct mmsghdr one = message(&out);
    say("sendmmsg", sendmmsg(tcp(), &one, 1, 0));
}

static void (*chosen)(void);

static void in_child(void)
{
    pair(&client, &server);
    chosen();
}

/* Each in a process of its own: SIGPIPE ends some of them. */
int main(void)
{
    static const struct { const char *name; void (*function)(void); } ALL[] = {
        {"conversation", conversation}, {"fflush", flush}, {"fgets", gets_},
        {"dprintf", dprintf_}, {"sendmmsg", sendmmsg_}, {"recvmmsg", recvmmsg_},
        {"pwritev2", pwritev2_}, {"preadv2", preadv2_},
        {"the number of a file", number_of_a_file}, {"dup2 over a file", number_replaced},
        {"fgets, never connected", never_gets}, {"fflush, never connected", never_puts},
        {"reads, never connected", never_reads}, {"pwritev2, never connected", never_pwritev2},
        {"dprintf, never connected", never_dprintf},
        {"sendmmsg, never connected", never_sendmmsg}};
    for (size_t i = 0; i < sizeof ALL / sizeof *ALL; i++) {
        topic = ALL[i].name;
        chosen = ALL[i].function;
        ended("ended", in_child);
    }
}
