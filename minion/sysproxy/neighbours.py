"""SIOCGARP, SIOCSARP and SIOCDARP (arp(7)): what the minion knows of its neighbours."""

from __future__ import annotations

from errno import EINVAL, ENODEV, ENXIO, EPERM
from struct import Struct

from stack.netstack import Netstack
from stack.socket import constants as c

EPFNOSUPPORT = 96
"""There is no errno.EPFNOSUPPORT before Python 3.14."""
ARPREQ = Struct("<H2x4s8xH14si16x16s")
"""struct arpreq: arp_pa (family, address), arp_ha (type, MAC), arp_flags, arp_netmask, arp_dev."""
ATF_COM, ATF_NETMASK, ATF_DONTPUB, ATF_PUBL = 0x02, 0x20, 0x40, 0x08
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772
REQUESTS = (c.SIOCDARP, c.SIOCGARP, c.SIOCSARP)


def neighbour(net: Netstack, now: int, request: int, data: bytes) -> bytes:
    """The answer to a struct arpreq, checked in the order of Linux's arp_ioctl()."""
    if request != c.SIOCGARP:
        raise OSError(EPERM, "neighbours are learnt")
    if len(data) < ARPREQ.size:
        raise OSError(EINVAL, "too short")
    family, address, kind, _, flags, device = ARPREQ.unpack_from(data)
    name = device.partition(b"\0")[0].decode("latin-1")
    if family != c.AF_INET:
        raise OSError(EPFNOSUPPORT, "IPv4 only")
    if not flags & ATF_PUBL and flags & (ATF_NETMASK | ATF_DONTPUB):
        raise OSError(EINVAL, "flags of published entries")
    found = {one.name: one for one in net.ip.interfaces}.get(name)
    if found is None:
        raise OSError(ENODEV, "no such interface")
    ethernet = next((one for one in net.ethernet if one is found), None)
    if flags & ATF_COM and kind not in (0, ARPHRD_ETHER if ethernet else ARPHRD_LOOPBACK):
        raise OSError(EINVAL, "another kind of hardware")
    ip = int.from_bytes(address, "big")
    if ethernet is None or ip not in ethernet.arp.entries:
        raise OSError(ENXIO, "not a neighbour")
    mac = ethernet.arp.lookup(ip, now)
    known = ATF_COM if mac else 0
    return ARPREQ.pack(c.AF_INET, address, ARPHRD_ETHER, mac or b"", known, device)
