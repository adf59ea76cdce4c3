/* place.c - which minion a new socket belongs to.  The only file that reads the environment for it:
 * $MINION is a name, or a control path (it contains '/'); names live in $MINION_DIR,
 * $XDG_RUNTIME_DIR/minion or /tmp/minion-UID. */
#include "internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A program that closed its stderr may have a connection there now: no place for our words. */
static bool is_connection(int fd)
{
    int domain;
    socklen_t len = sizeof domain;
    if (LIBC(getsockopt)(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
        return false;
    return domain != AF_UNIX || proxied(fd, NULL);
}

enum { KINDS = 16 };

static bool said_before(const char *kind)
{
    static const char *said[KINDS];
    for (int i = 0; i < KINDS; i++) {
        const char *there = NULL;
        if (__atomic_compare_exchange_n(&said[i], &there, kind, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return false;
        if (there == kind)
            return true;
    }
    return true;
}

/* One line on stderr, once per kind of trouble and process: a retry loop must not flood it. */
void complain(const char *text, const char *subject, const char *more)
{
    int saved = errno;
    if (is_connection(STDERR_FILENO) || said_before(*more ? more : text)) {
        errno = saved;
        return;
    }
    struct iovec line[] = {
        {(void *)"minion: ", 8}, {(void *)text, strlen(text)},
        {(void *)subject, strlen(subject)}, {(void *)more, strlen(more)}, {(void *)"\n", 1},
    };
    if (LIBC(writev)(STDERR_FILENO, line, sizeof line / sizeof *line) < 0) {
        /* nobody to tell */
    }
    errno = saved;
}

/* Concatenates up to a NULL; false if it does not fit. */
static bool join(char *to, size_t room, ...)
{
    va_list parts;
    size_t used = 0;
    bool fits = true;
    va_start(parts, room);
    for (const char *part; (part = va_arg(parts, const char *));) {
        size_t len = strlen(part);
        if (used + len >= room) {
            fits = false;
            break;
        }
        memcpy(to + used, part, len);
        used += len;
    }
    va_end(parts);
    to[fits ? used : 0] = '\0';
    return fits;
}

/* What the environment was at first: nginx empties it before it forks its workers, and writes its
 * title over where it lay. */
static struct {
    const char *variable;
    char value[PATH_ROOM];
} at_first[] = {{"MINION", ""}, {"MINION_DIR", ""}, {"XDG_RUNTIME_DIR", ""}};

enum { VARIABLES = sizeof at_first / sizeof *at_first };

__attribute__((constructor)) static void at_load(void)
{
    for (int i = 0; i < VARIABLES; i++) {
        const char *value = secure_getenv(at_first[i].variable);
        if (value)
            join(at_first[i].value, sizeof at_first[i].value, value, NULL);
    }
}

static const char *set(const char *variable)
{
    const char *value = secure_getenv(variable);
    for (int i = 0; !value && i < VARIABLES; i++)
        if (strcmp(at_first[i].variable, variable) == 0)
            value = at_first[i].value;
    return value && *value ? value : NULL;
}

static void decimal(char *to, unsigned long value)
{
    char digits[24];
    int n = 0;
    do
        digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n)
        *to++ = digits[--n];
    *to = '\0';
}

/* A daemon that drops its privileges stays with the minion it began with. */
static uid_t owner = (uid_t)-1;

uid_t place_owner(void)
{
    if (owner == (uid_t)-1)
        owner = getuid();
    return owner;
}

__attribute__((constructor(102))) static void remember_owner(void)
{
    place_owner();
}

static bool runtime_dir(char *dir, size_t room)
{
    const char *base = set("MINION_DIR");
    if (base)
        return join(dir, room, base, NULL);
    base = set("XDG_RUNTIME_DIR");
    if (base)
        return join(dir, room, base, "/minion", NULL);
    char uid[24];
    decimal(uid, place_owner());
    return join(dir, room, "/tmp/minion-", uid, NULL);
}

/* Whoever may write there could answer for the minion.  A directory that is not there is fine, and
 * so is one that has become out of reach: then only a connection we have leads there. */
static bool trusted(const char *dir)
{
    struct stat st;
    if (lstat(dir, &st) < 0)
        return errno == ENOENT || errno == EACCES;
    return S_ISDIR(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == place_owner()) &&
           (st.st_mode & 077) == 0;
}

static bool refuse(const char *text, const char *subject, const char *more)
{
    complain(text, subject, more);
    errno = ENETDOWN;
    return false;
}

bool place_find(struct place *place)
{
    int saved = errno;
    const char *minion = set("MINION");
    place->name[0] = place->dir[0] = '\0';
    if (!minion)
        minion = "default";
    if (strchr(minion, '/')) {
        if (!join(place->path, sizeof place->path, minion, NULL))
            return refuse("MINION is too long a path: ", minion, "");
        return true;
    }
    if (minion[0] == '.' || minion[0] == '-' ||
        !join(place->name, sizeof place->name, minion, NULL))
        return refuse("MINION is not a name: ", minion, "");
    if (!runtime_dir(place->dir, sizeof place->dir) ||
        !join(place->path, sizeof place->path, place->dir, "/", minion, "/control", NULL))
        return refuse("the runtime directory's path is too long for minion ", minion,
                      "; set MINION_DIR to a shorter one");
    if (!sandboxed && !trusted(place->dir))
        return refuse("will not use ", place->dir,
                      ": it must be a directory of yours with mode 0700");
    errno = saved;
    return true;
}
