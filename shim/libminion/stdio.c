/* stdio.c - stdio on a minion's descriptor.
 *
 * glibc's streams read and write by private symbols, which nobody can interpose; so an error of TCP
 * would look like an end there.  fdopen() on one of ours therefore makes a stream whose functions are
 * our own (fopencookie(3)).  It has the descriptor's number: fileno() gives it, as it must.  Standard
 * streams that are a socket (inetd) were opened by libc, and stay as they are.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The cookie is the number itself, and one: NULL is none. */
static int number_of(void *cookie)
{
    return (int)(intptr_t)cookie - 1;
}

static ssize_t stream_read(void *cookie, char *buf, size_t n)
{
    return minion_read(number_of(cookie), buf, n);
}

/* All of it, or a short count: 0 is an error to stdio (fopencookie(3)). */
static ssize_t stream_write(void *cookie, const char *buf, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t sent = minion_write(number_of(cookie), buf + done, n - done);
        if (sent < 0)
            break;
        done += (size_t)sent;
    }
    return (ssize_t)done;
}

static int stream_close(void *cookie)
{
    return close(number_of(cookie));
}

FILE *minion_fdopen(int fd, const char *mode)
{
    if (hint_get(fd) == HINT_THEIRS || !proxied(fd, NULL))
        return LIBC(fdopen)(fd, mode);
    cookie_io_functions_t functions = {.read = stream_read, .write = stream_write,
                                       .close = stream_close};
    FILE *stream = fopencookie((void *)(intptr_t)(fd + 1), mode, functions);
    if (stream)
        stream->_fileno = fd;
    return stream;
}

int minion_vdprintf(int fd, const char *format, va_list arguments)
{
    if (hint_get(fd) == HINT_THEIRS || !proxied(fd, NULL))
        return LIBC(vdprintf)(fd, format, arguments);
    char *text;
    int length = vasprintf(&text, format, arguments);
    if (length < 0)
        return -1;
    ssize_t done = stream_write((void *)(intptr_t)(fd + 1), text, (size_t)length);
    int saved = errno;
    free(text);
    errno = saved;
    return done == length ? length : -1;
}
