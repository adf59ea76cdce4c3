/* internal.h - what the files of libminion share. */
#ifndef MINION_INTERNAL_H
#define MINION_INTERNAL_H

#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "abi.h"
#include "api.h"

/* libc.c: the next definition of each interposed call.  Resolved when the library is loaded, or at
 * the first call if somebody's constructor is earlier than ours. */
struct libc_calls {
#define CALL(result, name, params, args) result(*name) params;
#define ALIAS(result, alias, name, params, args)
#define CHECKED(result, alias, name, params, args, passed, fits) result(*alias) params;
#define VARIADIC(result, name, params, last, call)
#define LEFT(name, reason)
#include "calls.h"
#undef CALL
#undef ALIAS
#undef CHECKED
#undef VARIADIC
#undef LEFT
};

extern struct libc_calls libc_calls;
extern bool libc_ready;
void libc_resolve(void);

#define LIBC(name) \
    (__builtin_expect(libc_ready, 1) ? (void)0 : libc_resolve(), libc_calls.name)

/* names.c: whose descriptor is it?  The kernel knows: the name of the socket. */
enum {
    NAME_KIND = MINION_NAME_PREFIX,          /* offsets in sun_path */
    NAME_ID = NAME_KIND + 1,
    NAME_PATH = NAME_ID + MINION_ID + 1,     /* after the colon */
    PATH_ROOM = 108 - NAME_PATH + 1,         /* a control path and its NUL */
};

struct proxied {
    char id[MINION_ID];
    char path[PATH_ROOM];
};

bool proxied(int fd, struct proxied *sock);  /* sock may be NULL; keeps errno */

/* What a channel is to the shim, marked by options of its kernel socket: true across dup, fork and
 * exec, and without use on a channel (the program's own values are the minion's). */
enum {
    CHANNEL_LISTENS = SO_BROADCAST,
    CHANNEL_TELLS_INQ = SO_DONTROUTE,
    CHANNEL_SHUT_RD = SO_KEEPALIVE,
};
bool channel_is(int fd, int mark);
void channel_mark(int fd, int mark, int on);
int channel_low_water(int fd);               /* SO_RCVLOWAT, which the kernel heeds in reads */
int channel_unread(int fd);                  /* bytes that lie in it */

enum mark { MARK_NONE, MARK_FIN, MARK_ERR, MARK_NO_PEER };
enum mark peer_mark(int fd);

/* What a number was when last seen.  Only ever a hint: dup, exec and close go unseen. */
enum hint {
    HINT_NONE,
    HINT_THEIRS,
    HINT_OURS,
    HINT_OURS_READS,         /* reading.c has a part in its reads */
    HINT_OURS_LOST,
};
enum hint hint_get(int fd);
void hint_set(int fd, enum hint hint);
void hint_ours(int fd);                      /* as its channel is marked */

/* place.c: where a new socket's minion is, from the environment. */
struct place {
    char path[PATH_ROOM];    /* its control socket */
    char name[64];           /* its name, or "" for a private minion: never started by us */
    char dir[PATH_ROOM];     /* runtime directory, where there is a name */
};

uid_t place_owner(void);                     /* who we were when the program was started */
bool place_find(struct place *place);        /* false: said why on stderr, errno ENETDOWN */
void complain(const char *text, const char *subject, const char *more);

/* autostart.c */
bool autostart(const struct place *place);   /* false: said why on stderr */

/* pool.c: idle control connections. */
int pool_take(const char *path, int *slot);  /* -1: none idle */
int pool_new(int fd, const char *path, int *slot);  /* the number it has from now on */
int pool_door(const char *path);             /* -1: none */
void pool_give(int slot, int fd);            /* after a whole exchange */
int moved_high(int fd);                      /* its new number: out of the program's way */
void pool_drop(int slot, int fd);            /* after half of one: closes it */

/* client.c: one request and its answer. */
struct request {
    const struct place *place;   /* of a new socket: may start it */
    const struct proxied *sock;  /* or of this one */
    int op, a, b, c;
    const void *data;
    size_t len;
    void *answer;
    size_t room;
    struct timeval wait;         /* 0: as long as it takes; else EAGAIN */
    bool interruptible;          /* EINTR abandons it; else it is waited for (as on Linux) */
    bool cloexec;
    int passed;                  /* one more than the descriptor that goes along; 0: none */
    /* out */
    size_t got;                  /* bytes of answer */
    int fd;                      /* received, or -1 */
    bool answered;               /* false: there is nobody, and errno says so */
};

int request(struct request *r);

/* Reach our minion, if it runs, while we can.  Keeps errno. */
enum door {
    DOOR_ANY,                    /* a parent's connection will do */
    DOOR_STARTED,                /* as DOOR_ANY; and it is started where it may be */
    DOOR_OWN,                    /* a connection that needs no call but sendmsg and recvmsg */
};
void door_open(enum door door);

/* stdio.c */
FILE *minion_fdopen(int fd, const char *mode);
int minion_vdprintf(int fd, const char *format, va_list arguments);

/* inside.c */
int minion_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
long minion_seccomp(long operation, long flags, long argument);
int minion_chroot(const char *path);
int minion_unshare(int flags);
int minion_setns(int fd, int kind);
int minion_setuid(uid_t uid);
int minion_seteuid(uid_t uid);
int minion_setreuid(uid_t real, uid_t effective);
int minion_setresuid(uid_t real, uid_t effective, uid_t saved);
int minion_setgid(gid_t gid);
int minion_setresgid(gid_t real, gid_t effective, gid_t saved);

/* inside.c, inherited.c: a seccomp filter allows only what the program asks for itself. */
extern bool sandboxed;
extern bool chrooted;        /* nothing can be started any more */

/* errors.c: called after libc returned an EOF or an error. */
ssize_t explain_read(int fd, ssize_t n);
void forget_channels_error(int fd);
ssize_t explain_write(int fd, bool quiet);   /* quiet: SIGPIPE is not wanted, or came already */
ssize_t refuse_write(bool quiet);            /* EPIPE */

/* reading.c: reads that are more than the kernel's.  -1: no read (errno); 1: after_read() is due. */
int prepare_read(int fd, const struct iovec *iov, size_t count, int flags);
ssize_t after_read(int fd, const struct iovec *iov, size_t count, int flags, ssize_t got);
void low_water_set(int fd);                  /* SO_RCVLOWAT was set, or inherited */
int kept_bytes(int fd, const struct proxied *sock);   /* that SO_RCVLOWAT holds back */

/* Of nonsense, which the kernel refuses: 0. */
static inline size_t total(const struct iovec *iov, size_t count)
{
    size_t sum = 0;
    for (size_t i = 0; i < count && count <= IOV_MAX; i++)
        sum += iov[i].iov_len;
    return sum;
}

static inline int before_read(int fd, const struct iovec *iov, size_t count, int flags)
{
    enum hint hint = hint_get(fd);
    return __builtin_expect(hint == HINT_OURS || hint == HINT_THEIRS, 1)
               ? 0 : prepare_read(fd, iov, count, flags);
}

/* unusual.c: flags that a channel does not know. */
ssize_t discard(int fd, size_t n, int flags);                  /* MSG_TRUNC */
ssize_t peek_all(int fd, void *buf, size_t n, int flags);      /* MSG_PEEK | MSG_WAITALL */
void tell_inq(int fd, struct msghdr *msg, size_t room);        /* TCP_INQ; room: of msg_control */
int fast_open(int fd, const struct sockaddr *to, socklen_t len);

/* interfaces.c */
bool is_interface_request(unsigned long code);
int interface_request(int fd, const struct proxied *sock, unsigned long code, void *arg);

/* resolve.c: names and addresses, asked of the minion unless the answer is plain. */
enum { FOUND_MAX = MINION_DATA_MAX / sizeof(struct minion_address) };

struct found {
    size_t count;
    uint32_t scope;                          /* of an IPv6 literal */
    struct minion_address address[FOUND_MAX];
};

bool resolve_literal(const char *text, struct found *found);   /* false: it is no address */
int resolve_name(const char *name, int family, int flags, struct found *found);   /* 0 or EAI_ */
int resolve_address(const void *addr, int flags, char *name, size_t room);        /* an in_addr */

static inline bool is_loss(int error)
{
    return error == EPIPE || error == ECONNRESET || error == ENOTCONN;
}

#endif
