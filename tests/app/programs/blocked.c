/* Threads that wait in every way there is; then the end: blocked exit|kill|abort|stay|main. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Warray-bounds"

static int listener, one, two, datagrams, pipes[2], full[2], event, epoll;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static char big[100000];

static void *wait_somehow(void *arg)
{
    struct pollfd p = {pipes[0], POLLIN, 0};
    struct epoll_event e;
    struct sockaddr_in nowhere = {.sin_family = AF_INET, .sin_port = htons(9)};
    fd_set in;
    eventfd_t value;
    FD_ZERO(&in);
    FD_SET(pipes[0], &in);
    inet_aton("192.0.2.1", &nowhere.sin_addr);
    switch ((long)arg) {
    case 0: read(0, big, 1); break;
    case 1: accept(listener, NULL, NULL); break;
    case 2: recv(one, big, 1, 0); break;
    case 3: for (;;) write(one, big, sizeof big);
    case 4: recvfrom(datagrams, big, 1, 0, NULL, NULL); break;
    case 5: read(pipes[0], big, 1); break;
    case 6: for (;;) write(full[1], big, sizeof big);
    case 7: eventfd_read(event, &value); break;
    case 8: epoll_wait(epoll, &e, 1, -1); break;
    case 9: poll(&p, 1, -1); break;
    case 10: select(pipes[0] + 1, &in, NULL, NULL, NULL); break;
    case 11: sleep(1000000); break;
    case 12: pthread_mutex_lock(&mutex); break;
    case 13: sem_wait(&semaphore); break;
    case 14: connect(socket(AF_INET, SOCK_STREAM, 0), (void *)&nowhere, sizeof nowhere); return NULL;
    case 15: poll(NULL, 0, -1); break;
    case 16: recv(two, big, sizeof big, MSG_WAITALL | MSG_PEEK); return NULL;
    case 17: for (;;) ;
    default: return NULL;
    }
    printf("%ld went on\n", (long)arg);
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct epoll_event e = {EPOLLIN, {0}};
    socklen_t n = sizeof a;
    pthread_t thread;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setvbuf(stdout, NULL, _IOLBF, 0);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    one = socket(AF_INET, SOCK_STREAM, 0);
    datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    if (argc < 2 || bind(datagrams, (void *)&a, sizeof a) || bind(listener, (void *)&a, sizeof a)
        || listen(listener, 5) || getsockname(listener, (void *)&a, &n)
        || connect(one, (void *)&a, sizeof a) || pipe(pipes) || pipe(full))
        return 1;
    two = accept(listener, NULL, NULL);
    event = eventfd(0, 0);
    epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &e);
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &e);
    sem_init(&semaphore, 0, 0);
    pthread_mutex_lock(&mutex);
    for (long i = 0; i < 18; i++)
        if (pthread_create(&thread, NULL, wait_somehow, (void *)i))
            return 2;
    usleep(50000);
    puts("all wait");
    if (!strcmp(argv[1], "exit"))
        exit(3);
    if (!strcmp(argv[1], "kill"))
        kill(getpid(), SIGKILL);
    if (!strcmp(argv[1], "abort"))
        abort();
    if (!strcmp(argv[1], "fault"))
        *(volatile int *)8 = 1;
    if (!strcmp(argv[1], "main"))
        pthread_exit(NULL);
    pthread_cond_wait(&cond, &mutex);
}
