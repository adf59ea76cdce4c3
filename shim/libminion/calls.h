/* calls.h - every interposed call, once; and the calls left to libc, with the reason.
 *
 * Included several times with different definitions of these macros (libc.c, interpose.c):
 *
 *   CALL(result, name, params, args)         name is exported and does minion_name
 *   ALIAS(result, alias, name, params, args) another public libc name of the same call
 *   CHECKED(result, alias, name, params, args, passed, fits)  its _FORTIFY_SOURCE variant
 *   VARIADIC(result, name, params, last, call)  name is exported and does call, with a va_list
 *   LEFT(name, reason)                       not interposed
 *
 * Variadic calls have fixed parameters here: where this builds (x86-64, arm64, riscv64) both are
 * passed alike.  A test compares this table with what libminion.so exports.
 */

/* Control: one request on the control connection, unless the descriptor is not a minion's. */
CALL(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
CALL(int, bind, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))
CALL(int, listen, (int fd, int backlog), (fd, backlog))
CALL(int, connect, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))
ALIAS(int, __connect, connect, (int fd, const struct sockaddr *addr, socklen_t len),
      (fd, addr, len))
CALL(int, getsockname, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))
CALL(int, getpeername, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))
CALL(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len),
     (fd, level, name, value, len))
CALL(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),
     (fd, level, name, value, len))
CALL(int, shutdown, (int fd, int how), (fd, how))
CALL(int, ioctl, (int fd, unsigned long request, void *arg), (fd, request, arg))

/* accept is a receive on the listener's channel: no request. */
CALL(int, accept, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))
CALL(int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags),
     (fd, addr, len, flags))

/* Data: the kernel does it; we explain an EOF or an error afterwards. */
CALL(ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
ALIAS(ssize_t, __read, read, (int fd, void *buf, size_t n), (fd, buf, n))
CHECKED(ssize_t, __read_chk, read, (int fd, void *buf, size_t n, size_t room), (fd, buf, n),
        (fd, buf, n, room), n <= room)
CALL(ssize_t, readv, (int fd, const struct iovec *iov, int count), (fd, iov, count))
CALL(ssize_t, recv, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags))
CHECKED(ssize_t, __recv_chk, recv, (int fd, void *buf, size_t n, size_t room, int flags),
        (fd, buf, n, flags), (fd, buf, n, room, flags), n <= room)
CALL(ssize_t, recvfrom,
     (int fd, void *buf, size_t n, int flags, struct sockaddr *from, socklen_t *len),
     (fd, buf, n, flags, from, len))
CHECKED(ssize_t, __recvfrom_chk, recvfrom,
        (int fd, void *buf, size_t n, size_t room, int flags, struct sockaddr *from,
         socklen_t *len),
        (fd, buf, n, flags, from, len), (fd, buf, n, room, flags, from, len), n <= room)
CALL(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags))
CALL(ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
ALIAS(ssize_t, __write, write, (int fd, const void *buf, size_t n), (fd, buf, n))
CALL(ssize_t, writev, (int fd, const struct iovec *iov, int count), (fd, iov, count))
CALL(ssize_t, send, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags))
ALIAS(ssize_t, __send, send, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags))
CALL(ssize_t, sendto,
     (int fd, const void *buf, size_t n, int flags, const struct sockaddr *to, socklen_t len),
     (fd, buf, n, flags, to, len))
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags))
CALL(ssize_t, sendfile, (int out, int in, off_t *offset, size_t n), (out, in, offset, n))
ALIAS(ssize_t, sendfile64, sendfile, (int out, int in, off_t *offset, size_t n),
      (out, in, offset, n))
CALL(ssize_t, splice,
     (int in, off_t *in_offset, int out, off_t *out_offset, size_t n, unsigned flags),
     (in, in_offset, out, out_offset, n, flags))

CALL(int, sendmmsg, (int fd, struct mmsghdr *msgs, unsigned count, int flags),
     (fd, msgs, count, flags))
CALL(int, recvmmsg,
     (int fd, struct mmsghdr *msgs, unsigned count, int flags, struct timespec *timeout),
     (fd, msgs, count, flags, timeout))
CALL(ssize_t, preadv2, (int fd, const struct iovec *iov, int count, off_t offset, int flags),
     (fd, iov, count, offset, flags))
ALIAS(ssize_t, preadv64v2, preadv2,
      (int fd, const struct iovec *iov, int count, off_t offset, int flags),
      (fd, iov, count, offset, flags))
CALL(ssize_t, pwritev2, (int fd, const struct iovec *iov, int count, off_t offset, int flags),
     (fd, iov, count, offset, flags))
ALIAS(ssize_t, pwritev64v2, pwritev2,
      (int fd, const struct iovec *iov, int count, off_t offset, int flags),
      (fd, iov, count, offset, flags))

/* stdio reaches read() and write() by private symbols: its streams on ours get functions of ours. */
CALL(FILE *, fdopen, (int fd, const char *mode), (fd, mode))
CALL(int, vdprintf, (int fd, const char *format, va_list arguments), (fd, format, arguments))
VARIADIC(int, dprintf, (int fd, const char *format, ...), format, vdprintf(fd, format, arguments))
VARIADIC(int, __dprintf_chk, (int fd, int level, const char *format, ...), format,
         vdprintf(fd, format, arguments))
CHECKED(int, __vdprintf_chk, vdprintf,
        (int fd, int level, const char *format, va_list arguments), (fd, format, arguments),
        (fd, level, format, arguments), level >= 0)

/* A program locks itself in: what it will need of us is made sure of before (inside.c). */
CALL(int, prctl, (int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d),
     (option, a, b, c, d))
CALL(int, chroot, (const char *path), (path))
CALL(int, unshare, (int flags), (flags))
CALL(int, setns, (int fd, int kind), (fd, kind))
CALL(int, setuid, (uid_t uid), (uid))
CALL(int, seteuid, (uid_t uid), (uid))
CALL(int, setreuid, (uid_t real, uid_t effective), (real, effective))
CALL(int, setresuid, (uid_t real, uid_t effective, uid_t saved), (real, effective, saved))
CALL(int, setgid, (gid_t gid), (gid))
CALL(int, setresgid, (gid_t real, gid_t effective, gid_t saved), (real, effective, saved))

/* The last close is an EOF on the channel, and the kernel's alone; but SO_LINGER waits for the end. */
CALL(int, close, (int fd), (fd))
ALIAS(int, __close, close, (int fd), (fd))

/* Another descriptor takes a number: what we remembered about the number is void. */
CALL(int, dup, (int fd), (fd))
CALL(int, dup2, (int fd, int to), (fd, to))
ALIAS(int, __dup2, dup2, (int fd, int to), (fd, to))
CALL(int, dup3, (int fd, int to, int flags), (fd, to, flags))
CALL(int, fcntl, (int fd, int command, long argument), (fd, command, argument))
ALIAS(int, fcntl64, fcntl, (int fd, int command, long argument), (fd, command, argument))

/* Names: glibc reaches its own sockets by private symbols, so these are done whole. */
CALL(int, getaddrinfo,
     (const char *node, const char *service, const struct addrinfo *hints,
      struct addrinfo **list),
     (node, service, hints, list))
CALL(void, freeaddrinfo, (struct addrinfo *list), (list))
CALL(int, getnameinfo,
     (const struct sockaddr *addr, socklen_t len, char *host, socklen_t host_room, char *service,
      socklen_t service_room, int flags),
     (addr, len, host, host_room, service, service_room, flags))
CALL(struct hostent *, gethostbyname, (const char *name), (name))
CALL(struct hostent *, gethostbyname2, (const char *name, int family), (name, family))
CALL(int, gethostbyname_r,
     (const char *name, struct hostent *entry, char *buf, size_t room, struct hostent **result,
      int *error),
     (name, entry, buf, room, result, error))
CALL(int, gethostbyname2_r,
     (const char *name, int family, struct hostent *entry, char *buf, size_t room,
      struct hostent **result, int *error),
     (name, family, entry, buf, room, result, error))
CALL(struct hostent *, gethostbyaddr, (const void *addr, socklen_t len, int family),
     (addr, len, family))
CALL(int, gethostbyaddr_r,
     (const void *addr, socklen_t len, int family, struct hostent *entry, char *buf, size_t room,
      struct hostent **result, int *error),
     (addr, len, family, entry, buf, room, result, error))

/* Interfaces: glibc asks netlink by private symbols. */
CALL(int, getifaddrs, (struct ifaddrs **first), (first))
CALL(void, freeifaddrs, (struct ifaddrs *first), (first))
CALL(unsigned, if_nametoindex, (const char *name), (name))
CALL(char *, if_indextoname, (unsigned index, char *name), (index, name))
CALL(struct if_nameindex *, if_nameindex, (void), ())
CALL(void, if_freenameindex, (struct if_nameindex *all), (all))

/* syscall(2): the calls above by number; every other number goes through untouched. */
CALL(long, syscall, (long number, long a, long b, long c, long d, long e, long f),
     (number, a, b, c, d, e, f))

/* Not sockets of a minion: socket() hands AF_INET SOCK_DGRAM and SOCK_RAW, AF_UNIX, AF_NETLINK,
 * AF_PACKET and the rest to libc (UDP and ICMP: until abi.h carries them). */
LEFT(socketpair, "never AF_INET")
LEFT(close_range, "the last close is an EOF on the channel; nothing to keep in step")
LEFT(closefrom, "as close_range; our own connections are checked before each use")
LEFT(poll, "the channel's readiness is the socket's")
LEFT(ppoll, "as poll")
LEFT(__poll_chk, "as poll")
LEFT(select, "as poll")
LEFT(pselect, "as poll")
LEFT(epoll_ctl, "as poll; edges too")
LEFT(epoll_wait, "as poll")
LEFT(epoll_pwait, "as poll")
LEFT(pread, "ESPIPE on a socket, here too")
LEFT(pwrite, "as pread")
LEFT(fork, "descriptors are inherited by the kernel; the pool of connections is wiped on fork")
LEFT(vfork, "the child checks what it finds in the pool")
LEFT(execve, "descriptors keep their names")
LEFT(posix_spawn, "as execve")
LEFT(fstat, "a socket, as it should be")
LEFT(fopen, "never a socket; and stdin, stdout, stderr are libc's own, also where they are one")
LEFT(vmsplice, "writes to a pipe; what is spliced on from there is splice's")
LEFT(setegid, "a group opens no door that its user has not opened")
LEFT(getaddrinfo_a, "runs glibc's own resolver in threads; nobody has asked for it")
LEFT(res_query, "DNS by the program's own hand: UDP")
LEFT(getservbyname, "a file, no network")
