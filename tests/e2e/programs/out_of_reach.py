"""Lose the way to the minion, as the first argument says, and ask for a socket twice."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
ALLOW = struct.pack("HBBI", 0x06, 0, 0, 0x7FFF0000)
"""BPF_RET: SECCOMP_RET_ALLOW."""


def behind_a_filter() -> None:
    class Program(ctypes.Structure):
        _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    program = Program(1, ALLOW)
    address = ctypes.addressof(program)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, MODE_FILTER, address, 0, 0) == 0


def main() -> None:
    way = sys.argv[1]
    if way.startswith("chroot"):
        os.chroot(sys.argv[2])
    if way == "chroot and close":
        os.closerange(3, 4096)
    elif way == "filter":
        behind_a_filter()
    elif way == "remove":
        os.unlink(os.environ["MINION"])
    elif way == "become":
        os.setgid(65534)
        os.setuid(65534)
        os.execvp("python3", ["python3", __file__, "ask"])
    elif way.endswith("wait"):
        socket.socket().close()
        print("ready", flush=True)
        sys.stdin.readline()
    for _ in range(2):
        try:
            socket.socket().close()
            print("a socket", flush=True)
        except OSError as error:
            print(error.strerror, flush=True)


if __name__ == "__main__":
    main()
