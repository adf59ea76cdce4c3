"""Requests of every size, written in every way, and one byte for an answer; both ends here."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Callable

SIZES = (1, 100, 1404, 1460, 1461, 2100, 5000, 20_000, 36_544, 36_545, 65_536, 70_000, 100_000)
ROUNDS = 4
Write = Callable[[socket.socket, bytes], None]


def answer(connection: socket.socket, size: int) -> None:
    with connection:
        for _ in range(ROUNDS):
            left = size
            while left:
                got = len(connection.recv(left))
                assert got, "the request ends early"
                left -= got
            connection.sendall(b"k")


def plain(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)


def gathered(sock: socket.socket, data: bytes) -> None:
    half = len(data) // 2
    sent = os.writev(sock.fileno(), [data[:half], data[half:]])
    sock.sendall(data[sent:])


def announced(sock: socket.socket, data: bytes) -> None:
    half = len(data) // 2
    sock.sendall(data[:half], socket.MSG_MORE)
    sock.sendall(data[half:])


def corked(sock: socket.socket, data: bytes) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    for start in range(0, len(data), 9999):
        sock.sendall(data[start : start + 9999])
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def from_file(sock: socket.socket, data: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        at = 0
        while at < len(data):
            at += os.sendfile(sock.fileno(), file.fileno(), at, len(data) - at)


def main() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    for write in (plain, gathered, announced, corked, from_file):
        for size in SIZES:
            client = socket.create_connection(listener.getsockname())
            server = threading.Thread(target=answer, args=(listener.accept()[0], size))
            server.start()
            for _ in range(ROUNDS):
                write(client, bytes(size))
                assert client.recv(1) == b"k"
            client.close()
            server.join()
    print(5 * len(SIZES) * ROUNDS)


main()
