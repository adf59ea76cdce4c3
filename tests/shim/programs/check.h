/* What the C programs share: a check that says where, and a connected pair. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <netinet/in.h>
#include <unistd.h>

#define CHECK(x)                                                                       \
    do {                                                                               \
        if (!(x)) {                                                                    \
            fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #x, errno);  \
            _exit(1);                                                                  \
        }                                                                              \
    } while (0)

#define FAILS(call, error)      \
    do {                        \
        errno = 0;              \
        CHECK((call) == -1);    \
        CHECK(errno == error);  \
    } while (0)

static inline struct sockaddr *any(struct sockaddr_in *sin)
{
    return (struct sockaddr *)sin;
}

/* A listener on a free port of loopback; its address. */
static inline int listening(struct sockaddr_in *sin)
{
    socklen_t len = sizeof *sin;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *sin = (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    CHECK(fd >= 0);
    CHECK(bind(fd, any(sin), sizeof *sin) == 0);
    CHECK(listen(fd, 16) == 0);
    CHECK(getsockname(fd, any(sin), &len) == 0 && len == sizeof *sin);
    return fd;
}

static inline void connected(int pair[2])
{
    struct sockaddr_in sin;
    int listener = listening(&sin);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(pair[0] >= 0);
    CHECK(connect(pair[0], any(&sin), sizeof sin) == 0);
    pair[1] = accept(listener, NULL, NULL);
    CHECK(pair[1] >= 0);
    close(listener);
}
