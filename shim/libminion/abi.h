/* abi.h - every structure that crosses a process boundary, once.
 *
 * C includes this file, cffi parses it (so: no #include, no macros with arguments, no attributes),
 * and nobody writes its layout a second time.  Byte order is the host's: client and driver run on
 * the same machine.  Socket addresses, option numbers, flags and errnos are the host's (Linux).
 *
 * The control socket is AF_UNIX SOCK_SEQPACKET.  A request is one message: struct minion_request and
 * `len` bytes of data.  Its answer is one message: struct minion_reply, `len` bytes of data, and for
 * MINION_SOCKET one descriptor (SCM_RIGHTS).  A connection carries one request at a time; a client
 * that wants several at once opens several connections.  Closing it abandons the request.
 *
 * The descriptor is an AF_UNIX stream socket, unconnected, with a name.  MINION_CONNECT and
 * MINION_LISTEN come with it (SCM_RIGHTS): the driver connects it, in place, to its own end of the
 * channel.  A channel that has ended cannot be connected again: then the answer to CONNECT, LISTEN or
 * SHUTDOWN, whatever its result, comes with a new descriptor that is to take the old one's number.
 */

enum {
    MINION_ABI = 2,          /* first word of every message; another value is refused (EPROTO) */
    MINION_ID = 16,          /* characters of a socket's id: unguessable, base64url, no NUL */
    MINION_DATA_MAX = 4096,  /* bytes of data in one request, and in one reply but STATUS's */
};

enum minion_op {
    /* op            arguments a, b, c                 data of the request -> result, data of the reply */
    MINION_SOCKET = 1,      /* domain, type (no flags), protocol   -> 0, and the descriptor */
    MINION_BIND = 2,        /*                            sockaddr -> 0 */
    MINION_LISTEN = 3,      /* backlog                             -> 0 */
    MINION_CONNECT = 4,     /* flags (below)              sockaddr -> 0, or EINPROGRESS when NONBLOCK */
    MINION_GETSOCKNAME = 5, /*                                     -> 0, sockaddr */
    MINION_GETPEERNAME = 6, /*                                     -> 0, sockaddr */
    MINION_GETSOCKOPT = 7,  /* level, name, room (bytes)           -> 0, value (at most room bytes) */
    MINION_SETSOCKOPT = 8,  /* level, name, flags (below)    value -> 0 */
    MINION_SHUTDOWN = 9,    /* how                                 -> 0: the client then shuts its end too;
                                                                      1: it leaves it as it is */
    MINION_IOCTL = 10,      /* request (SIOCOUTQ, ...)         arg -> result, arg */
    MINION_GETADDRINFO = 11, /* family, flags                 name -> EAI_ code or 0, minion_address[] */
    MINION_GETNAMEINFO = 12, /* flags                     sockaddr -> EAI_ code or 0, name */
    MINION_ERROR = 13,      /* fetch and clear SO_ERROR, and say what became of the socket
                                                                   -> the error (0: none), minion_fate */
    MINION_STATUS = 14,     /*                                     -> 0, and a memfd of JSON */
    MINION_STOP = 15,       /*                                     -> 0: the minion goes down */
    MINION_ADOPT = 16,      /* one end of a SOCK_SEQPACKET pair (SCM_RIGHTS) becomes a control
                             * connection with this one's rights.  No reply, and allowed while a
                             * request is under way: a child that has dropped its privileges gets a
                             * connection of its own through the one it inherited */
    MINION_APP = 17,        /* run an app; with the descriptors (SCM_RIGHTS) of its program, standard
                             * input, output and error.  Data: JSON with "argv" and "env".  The reply
                             * comes when it has ended; closing the connection ends it.
                                                                   -> its exit status as a shell shows it,
                                                                      or an error with a line of text */
    MINION_MORE = 18,       /* bytes: so many will be written next with MSG_MORE           -> 0 */
    MINION_INTERFACES = 19, /*                                     -> 0, minion_interface[], by index */
    MINION_HAND_OUT = 20,   /* bytes: a read takes what is kept because of SO_RCVLOWAT, and then waits
                             * for so many                         -> 0 */
    MINION_KEEP = 21,       /* a read is over, or the option was set: what the channel has, less than
                             * SO_RCVLOWAT, is kept again.  Comes with the descriptor; without it
                             * nothing changes                     -> bytes kept */
    MINION_LINGER = 23,     /* the descriptor is about to be closed: it comes along, so that its end can
                             * be waited for.  Then, without it: it was closed.  Answered when its last
                             * bytes are acknowledged, or SO_LINGER's time has passed; at once if
                             * another copy is left                -> 0 */
    MINION_LATE = 22,       /* room: what came after shutdown(SHUT_RD)   -> bytes, data */
};

enum {                       /* flags of MINION_CONNECT */
    MINION_NONBLOCK = 1,
    MINION_ASK = 2,          /* start nothing: a caller that no longer waits asks how its attempt stands
                                                                   -> 0, EALREADY: goes on, or its error */
};

enum {                       /* c of MINION_SETSOCKOPT: these, and the value's length << 8 */
    MINION_NULL = 1,         /* the pointer to the value was NULL */
    MINION_ADMIN = 2,        /* the program has CAP_NET_ADMIN */
    MINION_VALUE_MAX = 64,   /* bytes of a value that are sent; no option has more */
};

struct minion_request {
    uint32_t abi;
    uint32_t op;
    char id[16];             /* the socket, from its name; zeros where there is none */
    int32_t a;
    int32_t b;
    int32_t c;
    uint32_t len;
};

struct minion_reply {
    uint32_t abi;
    uint32_t op;             /* as in the request */
    int32_t result;          /* what the call returns; -1 with error set */
    int32_t error;           /* errno, or 0 */
    uint32_t len;
};

struct minion_address {      /* one answer to MINION_GETADDRINFO */
    uint16_t family;         /* AF_INET (AF_INET6 later) */
    uint16_t reserved;
    uint8_t addr[16];        /* network byte order; the first 4 bytes for AF_INET */
};

struct minion_interface {    /* one answer to MINION_INTERFACES */
    uint32_t index;          /* from 1 */
    uint32_t flags;          /* IFF_UP, ... */
    uint32_t mtu;
    uint8_t addr[4];         /* network byte order; zeros: none yet */
    uint8_t netmask[4];
    uint8_t hwaddr[8];       /* the first 6 bytes */
    uint8_t name[16];        /* zero-terminated */
};

enum minion_fate {           /* data of MINION_ERROR's reply, one uint32_t */
    MINION_FATE_OPEN = 0,    /* alive, or closed in order: an EOF is an EOF */
    MINION_FATE_UNCONNECTED = 1,  /* never connected: ENOTCONN */
    MINION_FATE_RESET = 2,   /* ended by an error that has been told already: EPIPE on write, EOF on read */
};

/* A listening socket's channel carries one of these for each connection that is ready, with the new
 * connection's descriptor (SCM_RIGHTS).  accept() is recvmsg() of exactly this many bytes, and a read of
 * the one byte that stands before the data in the new channel: while it is unread nobody has accepted
 * the connection, and when it is closed like that its peer is to see a reset. */
struct minion_accept {
    uint32_t abi;
    uint32_t reserved;
    uint8_t peer[16];        /* struct sockaddr_in */
    uint8_t local[16];       /* struct sockaddr_in */
};

/* Names (abstract, AF_UNIX; shown by ss -x).
 *
 * The program's end is bound to   "\0minion-" kind ID ":" PATH   where kind is 's' (stream), ID is
 * MINION_ID characters and PATH is the control socket of the minion that carries it, not terminated.
 * "Is this descriptor ours?" is getsockname() and a look at the first 8 bytes.
 *
 * At the peer's FIN the driver shuts its end for writing; at an error it closes it.  So an EOF without
 * POLLHUP is an EOF, without a round trip.  With POLLHUP it may be anything, as the program may have
 * shut its own direction: then MINION_ERROR is asked, and a minion that does not answer has gone
 * (ECONNRESET).  Where the driver's end is free to have a name (accepted connections) it is bound to
 * "\0minion=fin-" ID or "\0minion=err-" ID first, which getpeername() shows even after the minion died.
 */
enum { MINION_NAME_PREFIX = 8, MINION_MARK_PREFIX = 12 };
