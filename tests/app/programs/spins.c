/* Loops that never wait: of system calls, of page faults, of both; spins calls|pages|yield|ask. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What is sent over loopback arrives while we ask for it again and again */
static int ask(void)
{
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    char c;
    long asked = 0;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(s, (void *)&a, sizeof a) || getsockname(s, (void *)&a, &n))
        return 1;
    for (int i = 0; i < 3; i++) {
        sendto(s, "x", 1, 0, (void *)&a, sizeof a);
        while (recv(s, &c, 1, MSG_DONTWAIT) != 1)
            asked++;
    }
    puts(asked ? "it came" : "it was there");
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return 1;
    if (!strcmp(argv[1], "ask"))
        return ask();
    puts("spins");
    fflush(stdout);
    for (;;) {
        if (!strcmp(argv[1], "calls"))
            syscall(SYS_getpid);
        else if (!strcmp(argv[1], "yield"))
            sched_yield();
        else {
            char *p = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            for (long i = 0; i < 4 << 20; i += 4096)
                p[i] = 1;
            munmap(p, 4 << 20);
        }
    }
}
