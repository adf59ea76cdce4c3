/* workload - the program that is measured: a plain sockets client and server, nothing of ours in it.
 *
 *   workload server PORT                   echo, sink and source, in a few threads that accept
 *   workload MODE HOST PORT COUNT          one line of JSON on standard output
 *     out    COUNT MB written, until the server has confirmed them      {"bytes", "seconds"}
 *     in     COUNT MB read                                              {"bytes", "seconds"}
 *     rr     COUNT round trips of one byte                              {"p50_us", "p99_us", ...}
 *     conn   COUNT times socket, connect, close                         {"count", "seconds"}
 *     ctl    COUNT times getsockopt(TCP_MAXSEG)                         {"count", "seconds"}
 *
 * The first byte a client sends tells the server what to do: 'o' sink, 'i' source, 'e' echo.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK (256 << 10)
#define MB 1000000LL
#define THREADS 4

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void nodelay(int fd)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void write_all(int fd, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t n = write(fd, at, size);
        if (n < 0)
            die("write");
        at += n;
        size -= (size_t)n;
    }
}

static void read_all(int fd, void *data, size_t size)
{
    char *at = data;
    while (size > 0) {
        ssize_t n = read(fd, at, size);
        if (n <= 0)
            die("read");
        at += n;
        size -= (size_t)n;
    }
}

/* -- server */

static void serve(int fd, char *buffer)
{
    char mode;
    int64_t size;
    ssize_t n;
    if (read(fd, &mode, 1) != 1)
        return;
    if (mode == 'e') {
        nodelay(fd);
        while ((n = read(fd, buffer, CHUNK)) > 0)
            if (write(fd, buffer, (size_t)n) != n)
                return;
        return;
    }
    if (read(fd, &size, sizeof size) != sizeof size)
        return;
    while (size > 0) {
        size_t want = size < CHUNK ? (size_t)size : CHUNK;
        n = mode == 'i' ? write(fd, buffer, want) : read(fd, buffer, want);
        if (n <= 0)
            return;
        size -= n;
    }
    if (mode == 'o' && write(fd, "d", 1) != 1)
        perror("write");
}

static void *accept_all(void *listener)
{
    char *buffer = malloc(CHUNK);
    memset(buffer, 'x', CHUNK);
    for (;;) {
        int fd = accept((int)(intptr_t)listener, NULL, NULL);
        if (fd < 0)
            continue;
        serve(fd, buffer);
        close(fd);
    }
    return NULL;
}

static int server(int port)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 1024))
        die("bind");
    puts("ready");
    fflush(stdout);
    for (int i = 1; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener))
            die("pthread_create");
    }
    accept_all((void *)(intptr_t)listener);
    return 0;
}

/* -- client */

static struct sockaddr_in peer;

static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&peer, sizeof peer))
        die("connect");
    return fd;
}

static void bulk(char mode, long count)
{
    int64_t size = count * MB, left = size;
    char *buffer = calloc(1, CHUNK), done;
    int fd = dial();
    double start = now();
    write_all(fd, &mode, 1);
    write_all(fd, &size, sizeof size);
    while (left > 0) {
        size_t want = left < CHUNK ? (size_t)left : CHUNK;
        ssize_t n = mode == 'o' ? write(fd, buffer, want) : read(fd, buffer, want);
        if (n <= 0)
            die("transfer");
        left -= n;
    }
    if (mode == 'o')
        read_all(fd, &done, 1);
    printf("{\"bytes\": %lld, \"seconds\": %.6f}\n", (long long)size, now() - start);
    free(buffer);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void round_trips(long count)
{
    int fd = dial();
    double *us = malloc((size_t)count * sizeof *us);
    char byte = 'e';
    nodelay(fd);
    write_all(fd, &byte, 1);
    for (long i = -count / 10; i < count; i++) { /* a tenth for warming up */
        double start = now();
        write_all(fd, &byte, 1);
        read_all(fd, &byte, 1);
        if (i >= 0)
            us[i] = (now() - start) * 1e6;
    }
    qsort(us, (size_t)count, sizeof *us, by_value);
    printf("{\"p50_us\": %.2f, \"p99_us\": %.2f, \"min_us\": %.2f, \"count\": %ld}\n",
           us[count / 2], us[count * 99 / 100], us[0], count);
    free(us);
}

static void connections(long count)
{
    double start = now();
    for (long i = 0; i < count; i++)
        close(dial());
    printf("{\"count\": %ld, \"seconds\": %.6f}\n", count, now() - start);
}

static void control_calls(long count)
{
    int fd = dial(), mss;
    double start = now();
    for (long i = 0; i < count; i++) {
        socklen_t size = sizeof mss;
        if (getsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &mss, &size))
            die("getsockopt");
    }
    printf("{\"count\": %ld, \"seconds\": %.6f}\n", count, now() - start);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && !strcmp(argv[1], "server"))
        return server(atoi(argv[2]));
    if (argc != 5) {
        fprintf(stderr, "usage: workload server PORT | workload MODE HOST PORT COUNT\n");
        return 2;
    }
    long count = atol(argv[4]);
    peer.sin_family = AF_INET;
    peer.sin_port = htons((uint16_t)atoi(argv[3]));
    if (inet_pton(AF_INET, argv[2], &peer.sin_addr) != 1 || count <= 0) {
        fprintf(stderr, "workload: bad address or count\n");
        return 2;
    }
    if (!strcmp(argv[1], "out"))
        bulk('o', count);
    else if (!strcmp(argv[1], "in"))
        bulk('i', count);
    else if (!strcmp(argv[1], "rr"))
        round_trips(count);
    else if (!strcmp(argv[1], "conn"))
        connections(count);
    else if (!strcmp(argv[1], "ctl"))
        control_calls(count);
    else
        return 2;
    return 0;
}
