/* One call of each kind that --trace shows in its own way. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int pipes[2];

static void *reader(void *arg)
{
    char got[8];
    read(pipes[0], got, sizeof got); /* until main writes */
    pause();
    return arg;
}

int main(void)
{
    char text[64], one[4], two[60];
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7)}, b;
    struct sockaddr *to = (struct sockaddr *)&a, *from = (struct sockaddr *)&b;
    socklen_t length = sizeof b;
    struct iovec parts[2] = {{one, 4}, {two, 60}};
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = 0xabc};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    memset(text, 'x', sizeof text);

    open("/etc/hosts", O_RDONLY | O_CLOEXEC);
    readv(3, parts, 2);
    open("/no/\"such\"", O_RDONLY);
    syscall(SYS_openat, 9L, 1L, 0L);
    write(1, "a\tb\n", 4);
    write(1, text, sizeof text);
    syscall(SYS_write, 1, 16L, 4L);
    syscall(999, 1, 2, 3, 4, 5, 6);

    int s = socket(AF_INET, SOCK_STREAM, 0);
    connect(s, to, sizeof a);
    int u = socket(AF_INET, SOCK_DGRAM, 0);
    bind(u, to, sizeof a);
    getsockname(u, from, &length);
    sendto(u, "ping", 4, 0, to, sizeof a);
    struct pollfd wanted = {.fd = u, .events = POLLIN};
    poll(&wanted, 1, 1500);
    int e = epoll_create1(0);
    epoll_ctl(e, EPOLL_CTL_ADD, u, &event);
    epoll_wait(e, &event, 1, -1);
    recvfrom(u, text, sizeof text, 0, from, &length);

    pthread_t thread;
    pipe(pipes);
    pthread_create(&thread, NULL, reader, NULL);
    usleep(20000);
    write(pipes[1], "late", 4);
    usleep(20000);
    _exit(3);
}
