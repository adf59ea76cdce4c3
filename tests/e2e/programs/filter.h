/* Seccomp filters of the programs here: a list of numbers and what is done about each, then the rest. */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define LOAD_NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define IF(number, action)                              \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),  \
    BPF_STMT(BPF_RET | BPF_K, action)
#define ELSE(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW(number) IF(number, SECCOMP_RET_ALLOW)
#define FORBID(number) IF(number, SECCOMP_RET_KILL_PROCESS)
