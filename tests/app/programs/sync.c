/* What threads wait for each other with; LR and SC of several; a main thread that ends first. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, MANY = 300 };

static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t semaphore;
static int initialised, serial, writers;
static _Atomic int counter, stage;
static long word = 5;

static void initialise(void)
{
    initialised++;
}

static void *together(void *arg)
{
    pthread_once(&once, initialise);
    for (int i = 0; i < 20; i++) {
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            serial++;
        pthread_rwlock_rdlock(&rwlock);
        int seen = writers;
        pthread_rwlock_unlock(&rwlock);
        pthread_rwlock_wrlock(&rwlock);
        writers += seen >= 0;
        pthread_rwlock_unlock(&rwlock);
        atomic_fetch_add(&counter, 1);
    }
    sem_post(&semaphore);
    return arg;
}

static void *quick(void *arg)
{
    char room[5000];
    memset(room, 1, sizeof room);
    return (void *)((long)arg + room[77]);
}

static long load_reserved(void)
{
    long value;
    asm volatile("lr.d %0, (%1)" : "=r"(value) : "r"(&word) : "memory");
    return value;
}

static long store_conditional(long value)
{
    long failed;
    asm volatile("sc.d %0, %2, (%1)" : "=&r"(failed) : "r"(&word), "r"(value) : "memory");
    return failed;
}

/* Between the LR and the SC of another thread: a store, and a reservation of its own */
static void *other(void *arg)
{
    while (atomic_load(&stage) < 1)
        ;
    word = 6;
    load_reserved();
    atomic_store(&stage, 2);
    while (atomic_load(&stage) < 3)
        ;
    return arg;
}

static void reservation(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, other, NULL);
    load_reserved();
    *(volatile _Atomic int *)&stage = 1;
    while (*(volatile int *)&stage < 2)
        ;
    printf("failed: %ld %ld\n", store_conditional(100), word);
    atomic_store(&stage, 3);
    pthread_join(thread, NULL);
}

static long futex(int *addr, int op, int value, long more, int *addr2, int value3)
{
    return syscall(SYS_futex, addr, op, value, more, addr2, value3);
}

static int here, there;

static void *sleeper(void *arg)
{
    atomic_fetch_add(&stage, 1);
    return (void *)futex(&here, FUTEX_WAIT, 0, 0, NULL, 0);
    (void)arg;
}

static void requeue(void)
{
    pthread_t threads[4];
    struct timespec soon = {0, 1000000};
    stage = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, sleeper, NULL);
    while (atomic_load(&stage) < 4)
        sched_yield();
    usleep(20000);
    printf("changed: %ld %s\n", futex(&here, FUTEX_CMP_REQUEUE, 1, 1, &there, 1), strerrorname_np(errno));
    printf("to itself: %d\n", futex(&here, FUTEX_REQUEUE, 0, 2, &here, 0) >= 0);
    printf("wake 1, move 2: %ld\n", futex(&here, FUTEX_CMP_REQUEUE, 1, 2, &there, 0));
    printf("left: %ld\n", futex(&here, FUTEX_WAKE, 99, 0, NULL, 0));
    printf("moved: %ld\n", futex(&there, FUTEX_WAKE, 99, 0, NULL, 0));
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    printf("%ld %s\n", futex(&here, FUTEX_WAIT, 0, (long)&soon, NULL, 0), strerrorname_np(errno));
    printf("%ld %s\n", futex((int *)64, FUTEX_WAIT, 0, 0, NULL, 0), strerrorname_np(errno));
    printf("%ld %s\n", futex((int *)((char *)&here + 1), FUTEX_WAIT, 0, 0, NULL, 0), strerrorname_np(errno));
}

static void memory(void)
{
    char *p = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(p + 40000, "moved");
    p = mremap(p, 1 << 16, 1 << 20, MREMAP_MAYMOVE);
    p = mremap(p, 1 << 20, 1ul << 31, MREMAP_MAYMOVE); /* untouched memory costs nothing */
    p[(1ul << 31) - 1] = 1;
    printf("%s %d\n", p + 40000, p[1 << 20]);
    printf("%p\n", mremap(p, 4096, 1ul << 40, MREMAP_MAYMOVE));
    munmap(p, 1ul << 31);
    for (int i = 0; i < 300; i++) { /* as malloc's heaps of threads grow */
        p = mremap(i ? p : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                   4096 * (i + 1), 4096 * (i + 2), MREMAP_MAYMOVE);
        if (p == MAP_FAILED) {
            printf("step %d: %s\n", i, strerrorname_np(errno));
            break;
        }
        p[4096 * (i + 1)] = 1;
    }
    p = mmap(NULL, 4096, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    printf("write-only: %d\n", *(volatile char *)p);
    printf("%ld\n", write(1, p, 0));
}

static void *last(void *arg)
{
    pthread_join(*(pthread_t *)arg, NULL);
    puts("main has ended");
    exit(7);
}

int main(void)
{
    pthread_t threads[THREADS], thread;
    long sum = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    pthread_barrier_init(&barrier, NULL, THREADS);
    sem_init(&semaphore, 0, 0);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, together, (void *)i);
    for (int i = 0; i < THREADS; i++)
        sem_wait(&semaphore);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d %d %d %d\n", initialised, serial, writers, counter);
    for (long i = 0; i < MANY; i++) {
        void *result;
        if (pthread_create(&thread, NULL, quick, (void *)i))
            return 2;
        pthread_join(thread, &result);
        sum += (long)result;
    }
    printf("%ld\n", sum);
    reservation();
    requeue();
    memory();
    static pthread_t self;
    self = pthread_self();
    pthread_create(&thread, NULL, last, &self);
    fflush(stdout);
    pthread_exit(NULL);
}
