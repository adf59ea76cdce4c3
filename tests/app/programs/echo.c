/* A TCP echo server with one thread per connection; ends when it echoes "quit". */
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *serve(void *arg)
{
    int fd = (int)(long)arg;
    char buf[8192];
    ssize_t n;
    while ((n = read(fd, buf, sizeof buf)) > 0) {
        for (ssize_t done = 0; done < n;) {
            ssize_t k = write(fd, buf + done, n - done);
            if (k < 0)
                break;
            done += k;
        }
        if (n == 4 && !memcmp(buf, "quit", 4))
            exit(0);
    }
    close(fd);
    return NULL;
}

int main(void)
{
    int l = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(7)};
    if (bind(l, (struct sockaddr *)&a, sizeof a) || listen(l, 16)) {
        perror("echo");
        return 1;
    }
    puts("listening");
    fflush(stdout);
    for (;;) {
        pthread_t t;
        long fd = accept(l, NULL, NULL);
        if (fd < 0 || pthread_create(&t, NULL, serve, (void *)fd))
            return 2;
        pthread_detach(t);
    }
}
