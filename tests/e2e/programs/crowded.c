/* Workers that have changed their root, and whose threads make their first sockets all at once: each
 * finds a way to the minion, while the others find theirs. */
#include "say.h"

enum { WORKERS = 40, THREADS = 8 };

static struct sockaddr_in where;
static pthread_barrier_t start;

static void *one(void *argument)
{
    long *good = argument;
    pthread_barrier_wait(&start);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    *good = fd >= 0 && connect(fd, any(&where), sizeof where) == 0;
    close(fd);
    return NULL;
}

static int worker(void)
{
    pthread_t threads[THREADS];
    long good[THREADS], sum = 0;
    NEED(chroot(".") == 0);
    NEED(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++)
        NEED(pthread_create(&threads[i], NULL, one, &good[i]) == 0);
    for (int i = 0; i < THREADS; i++) {
        NEED(pthread_join(threads[i], NULL) == 0);
        sum += good[i];
    }
    return (int)sum;
}

int main(void)
{
    long sum = 0;
    topic = "threads behind a chroot";
    int listener = listening(4096, &where);
    for (int i = 0; i < WORKERS; i++) {
        int status;
        pid_t child = fork();
        NEED(child >= 0);
        if (child == 0)
            _exit(worker());
        NEED(waitpid(child, &status, 0) == child && WIFEXITED(status));
        sum += WEXITSTATUS(status);
    }
    say("connected", sum);
    close(listener);
    return 0;
}
