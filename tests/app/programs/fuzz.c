/* Every system call with corner arguments, from a seeded generator: fuzz SEED CALLS.
 *
 * Nothing but the report of it is expected; it must not hang, and the minion must not notice.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t state;
static char *area;
static int out;

static uint64_t next(uint64_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
}

/* Calls that end this program, take the ground from under it, or sleep as long as they are told */
static int left_out(long number)
{
    static const long ends[] = {SYS_exit, SYS_exit_group, SYS_kill, SYS_tkill, SYS_tgkill, SYS_clone,
                                SYS_brk, SYS_rt_sigreturn, SYS_close, SYS_dup3, SYS_set_tid_address};
    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++)
        if (ends[i] == number)
            return 1;
    return 0;
}

/* What is there: most of the numbers are not */
static const short there[] = {
    17, 19, 20, 21, 22, 23, 25, 29, 34, 48, 56, 59, 62, 63, 64, 65, 66, 67, 71, 72, 73, 78, 79, 80, 82,
    98, 99, 101, 113, 114, 115, 123, 124, 134, 135, 153, 160, 165, 169, 179, 198, 199, 200, 201, 202,
    203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 215, 216, 222, 226, 227, 233, 242, 259, 261,
    269, 278, 439, 441,
};

static uint64_t length(void)
{
    static const uint64_t some[] = {0, 1, 8, 16, 24, 4096, 65536, 1 << 20, 1u << 31, 0xffffffff,
                                    1ul << 32, 1ul << 37, 1ul << 38, 1ul << 40, 1ul << 62,
                                    1ul << 63, -1ul, -8ul, -4096ul, 0x7fffffffffffffff};
    return some[next(sizeof some / sizeof *some)];
}

static uint64_t argument(void)
{
    switch (next(6)) {
    case 0: return length();
    case 1: return next(24);
    case 2: return 3 + next(17); /* descriptors */
    case 3: return (uint64_t)area + next(120) * 8;
    case 4: return (uint64_t)area + 4096 - next(3) * 8; /* the end: what follows faults */
    default: return next(1 << 16) << next(48);
    }
}

static void fill(void)
{
    uint64_t *words = (uint64_t *)area;
    for (int i = 0; i < 128; i++)
        words[i] = next(3) ? next(40) : argument();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(next(100))};
    a.sin_addr.s_addr = htonl(next(3) ? INADDR_LOOPBACK : next(1u << 31));
    memcpy(area + next(64) * 8, &a, sizeof a);
}

static void *waits(void *arg)
{
    uint64_t *a = arg;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    a[7] = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    __atomic_store_n(&a[8], 1, __ATOMIC_RELEASE);
    return NULL;
}

static void descriptors(void)
{
    int p[2], s = socket(AF_INET, SOCK_STREAM, 0), l = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (pipe(p) || bind(l, (void *)&a, sizeof a) || listen(l, 5)
        || getsockname(l, (void *)&a, &n) || connect(s, (void *)&a, sizeof a))
        exit(3);
    accept(l, NULL, NULL);
    socket(AF_INET, SOCK_DGRAM, 0);
    socket(AF_INET, SOCK_STREAM, 0);
    epoll_create1(0);
    eventfd(0, 0);
    open("/dev/zero", O_RDWR);
    open("/dev/null", O_RDWR);
    open("/dev/urandom", O_RDWR);
    open("/etc/hosts", O_RDONLY);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    state = strtoul(argv[1], NULL, 10) * 7919 + 1;
    long calls = strtol(argv[2], NULL, 10), answered = 0, waiting = 0, known = 0;
    area = mmap((void *)0x10000000, 4096, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    out = fcntl(1, F_DUPFD, 900);
    signal(SIGPIPE, SIG_IGN);
    descriptors();
    static uint64_t asked[128][9];
    for (long i = 0; i < calls && waiting < 100; i++) {
        uint64_t *a = asked[waiting];
        a[0] = next(8) ? (uint64_t)there[next(sizeof there / sizeof *there)] : next(601);
        if (left_out(a[0]))
            continue;
        for (int k = 1; k < 7; k++)
            a[k] = argument();
        /* nothing that is ours is unmapped, and it writes to nobody's terminal */
        if (a[0] == SYS_munmap || a[0] == SYS_mprotect || a[0] == SYS_mremap || a[0] == SYS_mmap
            || a[0] == SYS_madvise)
            a[1] = (1ul << 32) + (a[1] & 0x3ffffff) * next(9);
        if (a[0] == SYS_mremap)
            a[4] &= 1;
        if (a[0] == SYS_mmap && next(2))
            a[4] = MAP_PRIVATE | MAP_ANONYMOUS;
        if (a[1] < 3)
            a[1] += 3;
        fill();
        a[8] = 0;
        pthread_t thread;
        if (pthread_create(&thread, NULL, waits, a))
            return 4;
        for (int turns = 0; turns < 40 && !__atomic_load_n(&a[8], __ATOMIC_ACQUIRE); turns++)
            sched_yield();
        if (!a[8]) { /* it waits: for ever, as far as we care */
            waiting++;
            continue;
        }
        pthread_join(thread, NULL);
        answered++;
        known += a[7] != (uint64_t)-1;
    }
    dprintf(out, "%ld answered, %ld wait\n", answered, waiting);
    (void)known;
    exit(0);
}
