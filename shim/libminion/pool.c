/* pool.c - idle control connections, one pool per process.
 *
 * Theory of operation.  A slot is EMPTY, IDLE (a connection waits in it) or BUSY (a thread owns it);
 * only compare-and-swap moves a slot from IDLE or EMPTY to BUSY, so no thread waits for another and a
 * signal handler that interrupts an exchange just takes the next slot.
 *
 * The slots lie in a page which fork() wipes: a child never talks on its parent's connection.  What a
 * child inherits is on record in ordinary memory (`inherited`), and closed once it has a connection
 * of its own.  Until then it is a door: a child that has dropped its privileges cannot reach the
 * control socket, and gets a connection through it (MINION_ADOPT).  A vfork child shares the page
 * and has copies of the descriptors: it may use an idle connection (the swap keeps the parent's
 * threads away from it), but never files one.
 *
 * A program may close any descriptor, ours too, and get its number for something else.  So the
 * descriptor's device and inode are compared before each use.
 */
#include "internal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SLOTS = 16 };
enum { EMPTY, IDLE, BUSY };          /* wiped memory reads EMPTY */
enum { NEW, CLEANING, CLEAN };

struct connection {
    int fd;
    dev_t dev;
    ino_t ino;                       /* 0: none */
    char path[PATH_ROOM];
};

struct slot {
    int state;
    struct connection conn;
};

struct pool {
    int owner;                       /* process id; differs from getpid() in a vfork child */
    int heritage;                    /* NEW until what fork() left open is closed */
    struct slot slot[SLOTS];
};

static struct pool *pool;
static struct connection inherited[SLOTS];

static bool swap(int *word, int from, int to)
{
    return __atomic_compare_exchange_n(word, &from, to, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

static void put(int *word, int value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static bool still_there(const struct connection *conn)
{
    struct stat st;
    if (sandboxed)                   /* it may not ask: a filter seldom allows all of stat's calls */
        return conn->ino;
    return conn->ino && fstat(conn->fd, &st) == 0 && st.st_dev == conn->dev && st.st_ino == conn->ino;
}

static void map_pool(void)
{
    size_t size = sizeof(struct pool);
    void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
    struct pool *none = NULL;
    if (madvise(page, size, MADV_WIPEONFORK) < 0 ||    /* Linux < 4.14: no pool, that is all */
        !__atomic_compare_exchange_n(&pool, &none, (struct pool *)page, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE))
        munmap(page, size);
}

static struct pool *living(void)
{
    struct pool *p = __atomic_load_n(&pool, __ATOMIC_ACQUIRE);
    if (!p) {
        map_pool();
        p = __atomic_load_n(&pool, __ATOMIC_ACQUIRE);
    }
    if (p && __atomic_load_n(&p->owner, __ATOMIC_RELAXED) == 0)
        swap(&p->owner, 0, getpid());
    return p;
}

/* Close the parent's connections: we have our own.  False: another thread is at it. */
static bool heritage_closed(struct pool *p)
{
    if (swap(&p->heritage, NEW, CLEANING)) {
        for (int i = 0; i < SLOTS; i++) {
            if (still_there(&inherited[i]))
                close(inherited[i].fd);
            inherited[i].ino = 0;
        }
        put(&p->heritage, CLEAN);
    }
    return __atomic_load_n(&p->heritage, __ATOMIC_ACQUIRE) == CLEAN;
}

/* Now, so that a vfork child is never the first. */
__attribute__((constructor(102))) static void at_load(void)
{
    int saved = errno;
    living();
    errno = saved;
}

int pool_take(const char *path, int *slot)
{
    struct pool *p = living();
    *slot = -1;
    for (int i = 0; p && i < SLOTS; i++) {
        struct slot *s = &p->slot[i];
        if (__atomic_load_n(&s->state, __ATOMIC_RELAXED) != IDLE || !swap(&s->state, IDLE, BUSY))
            continue;
        if (strcmp(s->conn.path, path) != 0) {
            put(&s->state, IDLE);
        } else if (still_there(&s->conn)) {
            *slot = i;
            return s->conn.fd;
        } else {                     /* the number is another's now, or (vfork) only missing here */
            put(&s->state, getpid() == p->owner ? EMPTY : IDLE);
        }
    }
    return -1;
}

/* A high number leaves the program the lowest ones, which is where it expects its own. */
int moved_high(int fd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return fd;
    int top = limit.rlim_cur < 1024 ? (int)limit.rlim_cur : 1024;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, top >= 64 ? top - 32 : top / 2);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

/* A slot for a new connection: an empty one, else one whose connection goes to another minion. */
static struct slot *vacant(struct pool *p, const char *path)
{
    for (int i = 0; i < SLOTS; i++)
        if (swap(&p->slot[i].state, EMPTY, BUSY))
            return &p->slot[i];
    for (int i = 0; i < SLOTS; i++) {
        struct slot *s = &p->slot[i];
        if (!swap(&s->state, IDLE, BUSY))
            continue;
        if (strcmp(s->conn.path, path) == 0) {
            put(&s->state, IDLE);
            continue;
        }
        if (still_there(&s->conn))
            close(s->conn.fd);
        return s;
    }
    return NULL;
}

/* Is this slot's connection a door already?  The inode says so, when all else is there. */
static ino_t known(const struct connection *conn)
{
    return __atomic_load_n(&conn->ino, __ATOMIC_ACQUIRE);
}

int pool_new(int fd, const char *path, int *slot)
{
    struct pool *p = living();
    struct stat st;
    *slot = -1;
    if (sandboxed || !p || p->owner != getpid() || fstat(fd, &st) < 0)
        return fd;                   /* for once: not filed */
    struct slot *s = vacant(p, path);
    if (!s)
        return fd;
    __atomic_store_n(&s->conn.ino, 0, __ATOMIC_RELEASE);
    strcpy(s->conn.path, path);      /* both PATH_ROOM */
    s->conn.dev = st.st_dev;
    s->conn.fd = fd = moved_high(fd);
    __atomic_store_n(&s->conn.ino, st.st_ino, __ATOMIC_RELEASE);
    if (!heritage_closed(p)) {       /* after it has become a door: other threads need one */
        __atomic_store_n(&s->conn.ino, 0, __ATOMIC_RELEASE);
        put(&s->state, EMPTY);
        return fd;
    }
    *slot = (int)(s - p->slot);
    inherited[*slot] = s->conn;
    return fd;
}

static int own_door(const struct pool *p, const char *path)
{
    for (int i = 0; p && i < SLOTS; i++) {
        const struct slot *s = &p->slot[i];
        if (__atomic_load_n(&s->state, __ATOMIC_ACQUIRE) != EMPTY && known(&s->conn) &&
            strcmp(s->conn.path, path) == 0 && still_there(&s->conn))
            return s->conn.fd;
    }
    return -1;
}

/* A connection that can vouch for a new one: ours, whatever it is doing, or the parent's. */
int pool_door(const char *path)
{
    const struct pool *p = living();
    int fd = own_door(p, path);
    for (int i = 0; fd < 0 && i < SLOTS; i++)
        if (strcmp(inherited[i].path, path) == 0 && still_there(&inherited[i]))
            return inherited[i].fd;
    return fd >= 0 ? fd : own_door(p, path);    /* the parent's are closed once we have one */
}

void pool_give(int slot, int fd)
{
    if (slot < 0)
        close(fd);
    else
        put(&pool->slot[slot].state, IDLE);
}

/* A child forked meanwhile may hold a copy: shutdown() says "abandoned" for all of them. */
void pool_drop(int slot, int fd)
{
    LIBC(shutdown)(fd, SHUT_RDWR);
    close(fd);
    if (slot >= 0)
        put(&pool->slot[slot].state, EMPTY);
}
