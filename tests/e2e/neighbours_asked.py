"""Ask for neighbours (SIOCGARP) in ways that the host's kernel can be asked, too; the last line is
the neighbour with whom there is a connection: HOST PORT, on a minion only."""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
import sys

ARPREQ = struct.Struct("<H2x4s8xH14si16x16s")
GET, SET, DELETE = 0x8954, 0x8955, 0x8953
ATF_COM, ATF_NETMASK, ATF_PUBL = 0x02, 0x20, 0x08


def ask(
    sock: socket.socket, address: str, device: str,
    family: int = socket.AF_INET, kind: int = 0, flags: int = 0, request: int = GET,
) -> str:  # fmt: skip
    asked = ARPREQ.pack(family, socket.inet_aton(address), kind, b"", flags, device.encode())
    try:
        answer = ARPREQ.unpack(fcntl.ioctl(sock, request, asked))
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return f"{answer[2]} {answer[3][:6].hex()} {answer[4]}"


def main() -> None:
    with socket.socket() as sock:
        for label, answer in (
            ("nobody", ask(sock, "127.0.0.9", "lo")),
            ("no interface", ask(sock, "127.0.0.1", "")),
            ("unknown interface", ask(sock, "127.0.0.1", "eth99")),
            ("another family", ask(sock, "127.0.0.1", "lo", family=socket.AF_UNIX)),
            ("a mask", ask(sock, "127.0.0.1", "lo", flags=ATF_NETMASK)),
            ("another kind", ask(sock, "127.0.0.1", "lo", kind=1, flags=ATF_COM)),
            ("the kind", ask(sock, "127.0.0.9", "lo", kind=772, flags=ATF_COM)),
        ):
            print(label, answer, sep=": ")
    if len(sys.argv) > 2:
        with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=30) as connected:
            print("connected", ask(connected, sys.argv[1], "eth0"), sep=": ")
            print("set", ask(connected, sys.argv[1], "eth0", request=SET), sep=": ")
            print("delete", ask(connected, sys.argv[1], "eth0", request=DELETE), sep=": ")


if __name__ == "__main__":
    main()
