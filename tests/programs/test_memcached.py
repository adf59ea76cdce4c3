"""memcached -u nobody: its listener is root's, its four threads and their epolls are nobody's."""

from __future__ import annotations

import socket

import pytest
from daemons import as_root, on_minion, wait_answer
from world import World, free_port

pytestmark = [pytest.mark.slow, as_root, pytest.mark.needs("memcached")]


def test_as_nobody(world: World) -> None:
    port = free_port()
    world.up("m", "-p", f"{port}:11211")
    on_minion(
        world, "m", "memcached", "-u", "nobody", "-U", "0", "-l", "0.0.0.0", "-p", "11211",
        "-t", "4",
    )  # fmt: skip
    wait_answer(port, b"version\r\n")
    value = bytes(range(256)) * 3000
    clients = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(40)]
    try:
        for number, client in enumerate(clients):
            head = f"set k{number} 0 0 {len(value)}\r\n".encode()
            client.sendall(head + value + b"\r\n")
        for client in clients:
            assert client.recv(100) == b"STORED\r\n"
        for number, client in enumerate(reversed(clients)):
            client.sendall(f"get k{number}\r\n".encode())
        for number, client in enumerate(reversed(clients)):
            with client.makefile("rb") as answer:
                assert answer.readline() == f"VALUE k{number} 0 {len(value)}\r\n".encode()
                assert answer.read(len(value) + 2) == value + b"\r\n"
                assert answer.readline() == b"END\r\n"
    finally:
        for client in clients:
            client.close()
    assert not world.status("m")["internal_errors"]
