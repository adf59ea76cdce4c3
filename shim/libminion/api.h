/* api.h - the plain functions: what the libc call of the same name does, on a minion's descriptor
 * or any other.  -1 with errno, or the result; errno is changed only on failure.
 *
 * C includes this file and cffi parses it, so: declarations only.
 */

int minion_socket(int domain, int type, int protocol);
int minion_bind(int fd, const struct sockaddr *addr, socklen_t len);
int minion_listen(int fd, int backlog);
int minion_connect(int fd, const struct sockaddr *addr, socklen_t len);
int minion_accept(int fd, struct sockaddr *addr, socklen_t *len);
int minion_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int minion_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
int minion_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
int minion_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int minion_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int minion_shutdown(int fd, int how);
int minion_ioctl(int fd, unsigned long request, void *arg);

ssize_t minion_read(int fd, void *buf, size_t n);
ssize_t minion_readv(int fd, const struct iovec *iov, int count);
ssize_t minion_recv(int fd, void *buf, size_t n, int flags);
ssize_t minion_recvfrom(int fd, void *buf, size_t n, int flags, struct sockaddr *from,
                        socklen_t *len);
ssize_t minion_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t minion_write(int fd, const void *buf, size_t n);
ssize_t minion_writev(int fd, const struct iovec *iov, int count);
ssize_t minion_send(int fd, const void *buf, size_t n, int flags);
ssize_t minion_sendto(int fd, const void *buf, size_t n, int flags, const struct sockaddr *to,
                      socklen_t len);
ssize_t minion_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t minion_sendfile(int out, int in, off_t *offset, size_t n);
ssize_t minion_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t n,
                      unsigned flags);
int minion_sendmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags);
int minion_recvmmsg(int fd, struct mmsghdr *msgs, unsigned count, int flags,
                    struct timespec *timeout);
ssize_t minion_preadv2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
ssize_t minion_pwritev2(int fd, const struct iovec *iov, int count, off_t offset, int flags);
int minion_close(int fd);
int minion_dup(int fd);
int minion_dup2(int fd, int to);
int minion_dup3(int fd, int to, int flags);
int minion_fcntl(int fd, int command, long argument);

int minion_getifaddrs(struct ifaddrs **first);
void minion_freeifaddrs(struct ifaddrs *first);
unsigned minion_if_nametoindex(const char *name);
char *minion_if_indextoname(unsigned index, char *name);
struct if_nameindex *minion_if_nameindex(void);
void minion_if_freenameindex(struct if_nameindex *all);

int minion_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **list);
void minion_freeaddrinfo(struct addrinfo *list);
int minion_getnameinfo(const struct sockaddr *addr, socklen_t len, char *host,
                       socklen_t host_room, char *service, socklen_t service_room, int flags);
struct hostent *minion_gethostbyname(const char *name);
struct hostent *minion_gethostbyname2(const char *name, int family);
int minion_gethostbyname_r(const char *name, struct hostent *entry, char *buf, size_t room,
                           struct hostent **result, int *error);
int minion_gethostbyname2_r(const char *name, int family, struct hostent *entry, char *buf,
                            size_t room, struct hostent **result, int *error);
struct hostent *minion_gethostbyaddr(const void *addr, socklen_t len, int family);
int minion_gethostbyaddr_r(const void *addr, socklen_t len, int family, struct hostent *entry,
                           char *buf, size_t room, struct hostent **result, int *error);
long minion_syscall(long number, long a, long b, long c, long d, long e, long f);

/* Is this descriptor a minion's?  Asks the kernel; keeps errno. */
int minion_is_ours(int fd);

/* Has a read on it to do more than the kernel does: is recv() to be minion_recv()?  Asks the kernel only
 * about a number that is new. */
int minion_reads(int fd);

/* The next n bytes are written with MSG_MORE; 0: those that were announced and not written, are not.
 * Nothing for descriptors that are not a minion's.  Keeps errno. */
void minion_more(int fd, size_t n);

/* What an EOF (writing 0), or EPIPE, ECONNRESET, ENOTCONN on ours means: 0 (a real EOF) or the errno.
 * Takes the pending error, as the libc call would. */
int minion_explain(int fd, int writing);
