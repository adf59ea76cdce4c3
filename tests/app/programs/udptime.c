/* The time protocol (RFC 868) over UDP, with epoll; ends when it is sent "quit". */
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

int main(void)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0), ep = epoll_create1(0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(37)};
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef};
    if (bind(s, (struct sockaddr *)&a, sizeof a) || epoll_ctl(ep, EPOLL_CTL_ADD, s, &event)) {
        perror("udptime");
        return 1;
    }
    puts("up");
    fflush(stdout);
    for (;;) {
        struct epoll_event found;
        char request[100];
        struct sockaddr_in peer;
        socklen_t length = sizeof peer;
        if (epoll_wait(ep, &found, 1, -1) != 1 || found.data.u64 != 0x123456789abcdef)
            return 2;
        ssize_t n = recvfrom(s, request, sizeof request, 0, (struct sockaddr *)&peer, &length);
        uint32_t now = htonl((uint32_t)(time(NULL) + 2208988800u));
        if (sendto(s, &now, sizeof now, 0, (struct sockaddr *)&peer, length) < 0)
            return 3;
        if (n == 4 && !memcmp(request, "quit", 4))
            return 0;
    }
}
