"""The netdevs that a test can run over, and how the host is reached there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import count

import pytest
from reserve import free_network

TUN = "/dev/net/tun"
_numbers = count()


@dataclass(frozen=True, slots=True)
class Network:
    """A netdev: its option, the host's address as the minion sees it, and where servers bind."""

    option: str
    host: str
    bind: str

    @property
    def options(self) -> tuple[str, str]:
        return "--netdev", self.option


def why_no_tap() -> str:
    """Why no TAP can be made here; empty if it can."""
    if not os.path.exists(TUN):
        return f"no {TUN} on this machine"
    with open("/proc/self/status") as file:
        caps = next(line for line in file if line.startswith("CapEff:"))
    if not int(caps.split()[1], 16) >> 12 & 1:  # CAP_NET_ADMIN
        return "making a TAP needs CAP_NET_ADMIN (run as root)"
    return ""


def network(kind: str) -> Network:
    """`user` or `tap`; skips the test where the machine has none."""
    if kind == "user":
        return Network("user", "10.0.2.2", "127.0.0.1")
    reason = why_no_tap()
    if reason:
        pytest.skip(f"tap: {reason}")
    number = next(_numbers)
    subnet = free_network()
    name = f"mt{os.getpid()}-{number}"
    return Network(f"tap:{name},{subnet}.1/24", f"{subnet}.1", f"{subnet}.1")
