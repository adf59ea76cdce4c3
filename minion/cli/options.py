"""What a minion is made of, as the command line says it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from minion.netdev.user.gateway import Publication

RAM_MIN_MIB, RAM_MAX_MIB = 2, 2048
PUBLICATION = "[ADDRESS:]HOSTPORT:PORT[/udp]"


class UsageError(Exception):
    """Something the caller can mend; the message says how."""


@dataclass(slots=True)
class Options:
    netdev: str = "user"
    publish: list[str] = field(default_factory=list)
    copy: str = "dma"
    ram_mib: int = 64
    baud: int = 0
    noise: float = 0.0
    seed: int = 0
    address: str = ""
    dns: list[str] = field(default_factory=list)
    mtu: int = 1500
    trace: bool = False
    app_ram_mib: int = 128
    engine: str = ""
    cpu: str = "default"

    def check(self) -> None:
        """UsageError for the first thing that cannot be."""
        if self.netdev != "user" and not self.netdev.startswith("tap:"):
            raise UsageError(f"--netdev {self.netdev}: unknown; use user or tap:NAME[,HOST/LEN]")
        if self.publish and self.netdev != "user":
            raise UsageError("-p works with --netdev user; over a tap the minion has an address")
        if not RAM_MIN_MIB <= self.ram_mib <= RAM_MAX_MIB:
            raise UsageError(f"--ram {self.ram_mib}: from {RAM_MIN_MIB} to {RAM_MAX_MIB} MiB")
        if not 1 <= self.app_ram_mib <= RAM_MAX_MIB:
            raise UsageError(f"--app-ram {self.app_ram_mib}: from 1 to {RAM_MAX_MIB} MiB")
        if not 576 <= self.mtu <= 65521:
            raise UsageError(f"--mtu {self.mtu}: from 576 to 65521")
        if not 0 <= self.noise <= 0.01:
            raise UsageError(f"--noise {self.noise}: bit error rate from 0 to 0.01")
        if self.baud < 0 or 0 < self.baud < 1200:
            raise UsageError(f"--baud {self.baud}: 0 (as fast as it goes), or at least 1200")
        for text in self.publish:
            publication(text)
        for text in self.dns:
            ipv4(text, "--dns")
        if self.address:
            cidr(self.address, "--address")
        _name, _, host = self.netdev.partition(",")
        if host:
            cidr(host, "--netdev tap")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Options:
        known = {name: value for name, value in values.items() if name in cls.__slots__}
        return cls(**known)


def publication(text: str) -> Publication:
    """PUBLICATION, as docker writes it; the address defaults to 127.0.0.1."""
    ports, slash, protocol = text.partition("/")
    parts = ports.split(":")
    if len(parts) == 2:
        parts = ["127.0.0.1", *parts]
    legal = len(parts) == 3 and all(p.isdigit() and 0 < int(p) < 65536 for p in parts[1:])
    if not legal or (slash and protocol not in ("tcp", "udp")):
        raise UsageError(
            f"-p {text}: use HOSTPORT:PORT, ADDRESS:HOSTPORT:PORT or HOSTPORT:PORT/udp"
        )
    return Publication(parts[0], int(parts[1]), int(parts[2]), protocol == "udp")


def ipv4(text: str, what: str) -> str:
    """An address."""
    from ipaddress import IPv4Address

    try:
        return str(IPv4Address(text))
    except ValueError:
        raise UsageError(f"{what} {text}: use an IPv4 address, e.g. 9.9.9.9") from None


def cidr(text: str, what: str) -> tuple[str, int]:
    """ADDRESS/LENGTH."""
    from ipaddress import IPv4Interface

    try:
        interface = IPv4Interface(text)
    except ValueError:
        raise UsageError(f"{what} {text}: use ADDRESS/LENGTH, e.g. 10.7.0.2/24") from None
    return str(interface.ip), interface.network.prefixlen
