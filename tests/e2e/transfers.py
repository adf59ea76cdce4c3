"""Transfers side by side, as curl's own suite makes them one after another: short and long, both
ways, kept alive, cut off by the client or by the server, refused.  transfers.py HOST PORT COUNT

Prints one line for each that went otherwise than it should, and "done" at last.
"""

from __future__ import annotations

import hashlib
import random
import socket
import sys
import threading
import time

WORKERS = 8
LIMIT_S = 30.0


def body(size: int) -> bytes:
    return hashlib.shake_128(str(size).encode()).digest(size)


def serve_one(sock: socket.socket) -> None:
    """Lines "get SIZE", "put SIZE" and bytes, "cut SIZE" (half of it, then a close), "bye"."""
    with sock, sock.makefile("rwb") as file:
        while line := file.readline():
            word, _, number = line.decode().strip().partition(" ")
            if word == "get":
                file.write(body(int(number)))
            elif word == "put":
                file.write(hashlib.sha256(file.read(int(number))).digest())
            elif word == "cut":
                file.write(body(int(number))[: int(number) // 2])
                return
            file.flush()


def serve(listener: socket.socket) -> None:
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=quietly, args=(sock,), daemon=True).start()


def quietly(sock: socket.socket) -> None:
    try:
        serve_one(sock)
    except OSError:
        pass  # the client has gone away: some do


def transfer(where: tuple[str, int], seed: int) -> None:
    choice = random.Random(seed)
    kind = choice.choice(["get", "get", "put", "both", "cut", "leave", "reset"])
    size = choice.choice([0, 1, 100, 2000, 2001, 20_000, 60_000])
    with socket.create_connection(where, LIMIT_S) as sock, sock.makefile("rb") as file:
        for _ in range(choice.choice([1, 1, 5])):
            if kind in ("get", "both"):
                sock.sendall(b"get %d\n" % size)
                assert file.read(size) == body(size), "what was read is not what was written"
            if kind in ("put", "both"):
                sock.sendall(b"put %d\n" % size + body(size))
                assert file.read(32) == hashlib.sha256(body(size)).digest()
        if kind == "cut":
            sock.sendall(b"cut %d\n" % size)
            assert file.read() == body(size)[: size // 2]
        elif kind == "leave":
            sock.sendall(b"get 60000\n")
            file.read(choice.choice([0, 10, 5000]))
        elif kind == "reset":
            sock.sendall(b"get 60000\n")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def main() -> None:
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    inner = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(inner,), daemon=True).start()
    where = [(host, port), inner.getsockname()]
    numbers = iter(range(count))

    def work() -> None:
        for seed in numbers:
            start = time.monotonic()
            try:
                transfer(where[seed % 2], seed)
            except Exception as error:
                took = time.monotonic() - start
                print(f"transfer {seed}: {error!r} after {took:.1f} s", flush=True)

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("done")


if __name__ == "__main__":
    main()
