/* Arguments, environment, standard streams, exit status, clocks. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv, char **envp)
{
    for (int i = 1; i < argc; i++)
        printf("[%s]", argv[i]);
    printf("\n");
    for (char **e = envp; *e; e++)
        printf("%s\n", *e);
    char line[100];
    while (fgets(line, sizeof line, stdin))
        printf("in: %s", line);
    fprintf(stderr, "to stderr\n");
    struct timespec a, b, nap = {0, 20000000};
    clock_gettime(CLOCK_MONOTONIC, &a);
    nanosleep(&nap, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    long ns = (b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec;
    printf("slept: %d, epoch: %d\n", ns >= 20000000, time(NULL) > 1700000000);
    return 42;
}
