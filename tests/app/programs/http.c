/* An HTTP/1.0 server that knows who asks; /quit ends it, /crash and /abort kill it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#pragma GCC diagnostic ignored "-Warray-bounds"

static int answer(int fd, int number, struct in_addr peer)
{
    char request[4096], path[256] = "?", body[512], head[256];
    ssize_t n = read(fd, request, sizeof request - 1);
    if (n <= 0)
        return -1;
    request[n] = '\0';
    sscanf(request, "GET %255s", path);
    int length = snprintf(body, sizeof body, "hello %s number %d from %s\n", path, number,
                          inet_ntoa(peer));
    int head_length = snprintf(head, sizeof head,
                               "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n", length);
    if (write(fd, head, head_length) < 0 || write(fd, body, length) < 0)
        return -1;
    close(fd);
    if (!strcmp(path, "/crash"))
        *(volatile int *)16 = 1;
    if (!strcmp(path, "/abort"))
        abort();
    return !strcmp(path, "/quit");
}

int main(void)
{
    int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(80)};
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(l, (struct sockaddr *)&a, sizeof a) || listen(l, 16)) {
        perror("http");
        return 1;
    }
    puts("listening");
    fflush(stdout);
    for (int number = 0;;) {
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        int fd = accept(l, (struct sockaddr *)&peer, &length);
        if (fd < 0)
            return 2;
        int end = answer(fd, number, peer.sin_addr);
        if (end > 0)
            return 5;
        if (end < 0)
            close(fd);
        else
            number++;
    }
}
