/* more.c - MSG_MORE.  A channel has no place for it: the minion is told, before they are written, how
 * many bytes will come with it.  Whatever is written after them, by any call and any process, ends it,
 * so nothing is to be taken back, and writes without the flag cost nothing.
 */
#include "internal.h"

#include <limits.h>

void minion_more(int fd, size_t n)
{
    struct proxied sock;
    int saved = errno;
    if (proxied(fd, &sock)) {
        struct request r = {.sock = &sock, .op = MINION_MORE, .a = n < INT_MAX ? (int)n : INT_MAX};
        request(&r);   /* an error is the write's to find */
    }
    errno = saved;
}
