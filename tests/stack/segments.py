"""Conversations by raw segments, played to Linux and to the stack: each gives what was answered.

Run by itself, in a network namespace of its own, it plays them to Linux and prints JSON.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from typing import Protocol

from minion.netdev.tap import VNET_BYTES, open_tap
from stack.wire import ipv4
from stack.wire import tcp as wire
from stack.wire.checksum import checksum, pseudo_header
from stack.wire.ipv4 import Ipv4

LETTERS = {"F": wire.FIN, "S": wire.SYN, "R": wire.RST, "P": wire.PSH, "A": wire.ACK}
Answer = tuple[str, int, int, int]
"""Flags but PSH, relative seq and ack, length."""


class Peer(Protocol):
    """One connection to port 80, as its client; the server does what it is told."""

    def send(self, flags: str, seq: int, ack: int | None = None, data: bytes = b"") -> None: ...
    def answers(self) -> list[Answer]: ...
    def shutdown(self) -> None: ...
    def reply(self) -> None:
        """The server reads, and writes one byte."""


def reset_from_left_of_the_window(peer: Peer) -> list[list[Answer]]:
    peer.send("RA", -1, 1, b"abcd")
    return [peer.answers()]


def syn_over_the_left_edge(peer: Peer) -> list[list[Answer]]:
    peer.send("SA", -3, 1, b"123 and more")
    return [peer.answers()]


def many_resets(peer: Peer) -> list[list[Answer]]:
    for _ in range(6):
        peer.send("R", 2)
    return [peer.answers()]


def strange_acknowledgements(peer: Peer) -> list[list[Answer]]:
    peer.send("A", 1, 500)
    first = peer.answers()
    peer.send("A", 1, -100_000)
    return [first, peer.answers()]


def out_of_the_window(peer: Peer) -> list[list[Answer]]:
    found = []
    for data in (b"", b"", b"x", b"x"):
        peer.send("A", 500_000, 1, data)
        found.append(peer.answers())
    return found


def reset_with_the_number_of_the_fin(peer: Peer) -> list[list[Answer]]:
    peer.send("FA", 1, 1)
    first = peer.answers()
    peer.send("R", 1)
    peer.send("A", 2, 1)  # is there still a connection?
    return [first, peer.answers()]


def time_wait(peer: Peer) -> list[list[Answer]]:
    peer.shutdown()
    found = [peer.answers()]
    for flags, seq in (("FA", 1), ("A", 2), ("A", 900), ("A", 900), ("FA", 1)):
        peer.send(flags, seq, 2)
        found.append(peer.answers())
    return found


def one_way(peer: Peer) -> list[list[Answer]]:
    found = []
    for n in range(4):
        peer.send("AP", 1 + n, 1, b"x")
        found.append(peer.answers())
    return found


def conversation(peer: Peer) -> list[list[Answer]]:
    found = []
    for n in range(4):
        peer.send("AP", 1 + n, 1 + n, b"x")
        peer.reply()
        found.append(peer.answers())
    return found


SCENES: list[Callable[[Peer], list[list[Answer]]]] = [
    reset_from_left_of_the_window, syn_over_the_left_edge, many_resets, strange_acknowledgements,
    out_of_the_window, reset_with_the_number_of_the_fin, time_wait, one_way, conversation,
]  # fmt: skip
SERVER, CLIENT = 0x0A090901, 0x0A090902
ISS = 5000


class Linux:
    """The kernel of this network namespace, on the other side of a TAP."""

    def __init__(self, fd: int, mac: bytes, listener: socket.socket, port: int) -> None:
        self._fd, self._mac, self._port = fd, mac, port
        self._iss = 0
        self.send("S", 0)
        self._iss = self._read()[0].seq
        self.send("A", 1, 1)
        self._server, _ = listener.accept()
        self._read()

    def send(self, flags: str, seq: int, ack: int | None = None, data: bytes = b"") -> None:
        bits = sum(LETTERS[letter] for letter in flags)
        number = 0 if ack is None else self._iss + ack & 0xFFFFFFFF
        header = bytearray(
            wire.emit(self._port, 80, ISS + seq & 0xFFFFFFFF, number, bits, 65535, 0)
        )
        pseudo = pseudo_header(CLIENT, SERVER, ipv4.TCP, len(header) + len(data))
        header[16:18] = checksum(bytes(header) + data, pseudo).to_bytes(2, "big")
        packet = Ipv4(CLIENT, SERVER, ipv4.TCP, 20, 20 + len(header) + len(data)).emit()
        frame = self._mac + b"\2\0\0\0\0\2\x08\0" + packet + bytes(header) + data
        os.write(self._fd, bytes(VNET_BYTES) + frame)

    def _read(self) -> list[wire.Tcp]:
        """What comes until nothing has come for a while: less than the delay of an answer."""
        found = []
        while select.select([self._fd], [], [], 0.015)[0]:
            packet = os.read(self._fd, 1 << 17)[VNET_BYTES + 14 :]
            if packet[0] >> 4 == 4 and packet[9] == ipv4.TCP:
                end = int.from_bytes(packet[2:4], "big")
                segment = wire.Tcp.parse(memoryview(packet), 20, end, 0, True)
                if segment.dst == self._port:
                    found.append(segment)
        return found

    def answers(self) -> list[Answer]:
        return [
            (
                "".join(k for k, bit in LETTERS.items() if s.flags & bit and k != "P"),
                s.seq - self._iss & 0xFFFFFFFF,
                s.ack - ISS & 0xFFFFFFFF if s.flags & wire.ACK else 0,
                s.length,
            )
            for s in self._read()
        ]  # fmt: skip

    def shutdown(self) -> None:
        self._server.shutdown(socket.SHUT_WR)

    def reply(self) -> None:
        self._server.recv(100)
        self._server.send(b"y")


def main() -> None:
    fd = open_tap("raw0")
    for command in (
        "ip addr add 10.9.9.1/24 dev raw0", "ip link set raw0 up",
        "ip neigh add 10.9.9.2 lladdr 02:00:00:00:00:02 dev raw0",
    ):  # fmt: skip
        subprocess.run(command.split(), check=True)
    with socket.socket() as probe:
        mac = fcntl.ioctl(probe, 0x8927, struct.pack("256s", b"raw0"))[18:24]  # SIOCGIFHWADDR
    listener = socket.create_server(("10.9.9.1", 80))
    time.sleep(0.05)  # what the kernel says by itself when an interface comes up
    found = {scene.__name__: scene(Linux(fd, mac, listener, 50_000 + n))
             for n, scene in enumerate(SCENES)}  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()
