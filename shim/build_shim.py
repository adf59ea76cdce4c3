"""The cffi module `_minionsocket`: libminion's plain functions, without the interposed names.

setup.py names `ffibuilder` (cffi_modules) and takes SOURCES for libminion.so from here as well.
"""

from __future__ import annotations

from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("shim", "libminion")
EXPORTING = "interpose.c"  # libc's names: in libminion.so only
SOURCES = sorted(str(FOLDER / path.name) for path in (ROOT / FOLDER).glob("*.c"))
HEADERS = sorted(str(FOLDER / path.name) for path in (ROOT / FOLDER).glob("*.h"))
FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fvisibility=hidden", "-U_FORTIFY_SOURCE"]
MACROS: list[tuple[str, str | None]] = [("_GNU_SOURCE", None)]

# What api.h takes from libc's headers, as far as Python needs to look inside.
TYPES = """
typedef unsigned int socklen_t;
typedef long off_t;
struct sockaddr { ...; };
struct iovec { ...; };
struct msghdr { ...; };
struct mmsghdr { ...; };
struct timespec { ...; };
struct addrinfo {
    int ai_flags;
    int ai_family;
    int ai_socktype;
    int ai_protocol;
    socklen_t ai_addrlen;
    struct sockaddr *ai_addr;
    char *ai_canonname;
    struct addrinfo *ai_next;
    ...;
};
struct ifaddrs {
    ...;
};
struct if_nameindex {
    unsigned int if_index;
    char *if_name;
    ...;
};
struct hostent {
    char *h_name;
    char **h_aliases;
    int h_addrtype;
    int h_length;
    char **h_addr_list;
    ...;
};
"""
ERRORS = """
const char *gai_strerror(int code);
const char *hstrerror(int code);
"""


def read(name: str) -> str:
    return (ROOT / FOLDER / name).read_text()


ffibuilder = FFI()
ffibuilder.cdef(TYPES + read("abi.h") + read("api.h") + ERRORS)
ffibuilder.set_source(
    "_minionsocket",
    '#include "internal.h"\n',
    sources=[path for path in SOURCES if not path.endswith(EXPORTING)],
    depends=HEADERS,
    include_dirs=[str(FOLDER)],
    define_macros=[*MACROS, ("MINION_PLAIN", None)],
    extra_compile_args=FLAGS,
)
