/* Bytes that the kernel keeps each in a buffer of its own, or many of them in one: a writer is never
 * held up by what its peer has read. */
#include "say.h"

#include <sys/mman.h>
#include <sys/sendfile.h>

enum { TIMES = 2000, LARGE = 2000000 };

static int client, server, file;

static void *read_all(void *argument)
{
    static char room[1 << 16];
    long *sum = argument, n;
    while ((n = read(server, room, sizeof room)) > 0)
        *sum += n;
    return NULL;
}

static long by_write(size_t size)
{
    static char data[LARGE];
    return write(client, data, size);
}

static long by_sendfile(size_t size)
{
    off_t offset = 0;
    return sendfile(client, file, &offset, size);
}

static long by_splice(size_t size)
{
    static int ends[2];
    off_t offset = 0;
    if (!ends[1])
        NEED(pipe(ends) == 0);
    long n = splice(file, &offset, ends[1], NULL, size, 0);
    return n > 0 ? splice(ends[0], NULL, client, NULL, (size_t)n, 0) : n;
}

static void all(const char *what, long (*put)(size_t), size_t size, long total)
{
    pthread_t reader;
    long sent = 0, got = 0;
    char label[64];
    pair(&client, &server);
    NEED(pthread_create(&reader, NULL, read_all, &got) == 0);
    while (sent < total) {
        long left = total - sent, n = put((long)size < left ? size : (size_t)left);
        NEED(n > 0);
        sent += n;
    }
    close(client);
    NEED(pthread_join(reader, NULL) == 0);
    close(server);
    snprintf(label, sizeof label, "%s, %zu at a time", what, size);
    say(label, got);
}

int main(void)
{
    static const size_t SIZES[] = {1, 2, 7, 100, 1500, 4096, 5000};
    topic = "pieces";
    alarm(100);
    file = memfd_create("file", MFD_CLOEXEC);
    NEED(file >= 0 && ftruncate(file, LARGE) == 0);
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        long total = (long)SIZES[i] * TIMES;
        all("write", by_write, SIZES[i], total < LARGE ? total : LARGE);
        all("sendfile", by_sendfile, SIZES[i], total < LARGE ? total : LARGE);
        all("splice", by_splice, SIZES[i], total < LARGE ? total : LARGE);
    }
    all("write", by_write, LARGE, LARGE);
    all("sendfile", by_sendfile, LARGE, LARGE);
    all("splice", by_splice, 1 << 16, LARGE);
    return 0;
}
