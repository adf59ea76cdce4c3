/* What a call has returned, as a line. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void say(const char *what, long result)
{
    if (result == -1)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: %ld\n", what, result);
}
