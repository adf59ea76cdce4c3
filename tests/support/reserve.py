"""Ports, networks and the like that are nobody else's while this process lives.

Several suites and minions run on one machine.  What is free is not ours yet: so each port or
network that a test takes is reserved by an abstract AF_UNIX name, which the kernel gives to one
process only and takes back when it ends.  Ports lie below the range from which the kernel serves
everybody.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

PORTS = range(10_000, 30_000)
NETWORKS = range(128 * 256, 192 * 256)
"""10.128.0.0/24 to 10.191.255.0/24."""
_reserved: list[socket.socket] = []
_turns = count(os.getpid())
"""So that suites seldom try the same first."""


def reserved(name: str) -> bool:
    """Whether it was nobody's and is now ours."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(f"\0minion-tests-{name}")
    except OSError:
        sock.close()
        return False
    _reserved.append(sock)
    return True


def first(kind: str, numbers: range, free: Callable[[int], bool]) -> int:
    """The first number of those that is free, now reserved."""
    start = next(_turns) * 7919
    for offset in range(len(numbers)):
        number = numbers[(start + offset) % len(numbers)]
        if free(number) and reserved(f"{kind}-{number}"):
            return number
    raise AssertionError(f"no {kind} is free on this machine")


def port_is_free(port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def routes() -> Iterator[tuple[int, int]]:
    """Destination and mask of every route but the default one, as numbers in host order."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
        if mask:
            yield destination, mask


def network_is_free(number: int) -> bool:
    address = 10 << 24 | number << 8
    return all((address ^ there) & mask & 0xFFFFFF00 for there, mask in routes())


def free_port() -> int:
    return first("port", PORTS, port_is_free)


def free_network() -> str:
    """The first three numbers of a /24 to which nothing leads yet: 10.x.y."""
    number = first("network", NETWORKS, network_is_free)
    return f"10.{number >> 8}.{number & 255}"
