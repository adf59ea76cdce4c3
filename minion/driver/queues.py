"""How much lies in the queues of a socket, as the kernel counts it."""

from __future__ import annotations

from array import array
from fcntl import ioctl
from termios import FIONREAD, TIOCOUTQ


def unread_bytes(fd: int) -> int:
    """What can be read here."""
    found = array("i", [0])
    ioctl(fd, FIONREAD, found, True)
    return found[0]


def queued_bytes(fd: int) -> int:
    """What was written here and not read there yet, with what the kernel adds (SIOCOUTQ)."""
    found = array("i", [0])
    ioctl(fd, TIOCOUTQ, found, True)
    return found[0]
