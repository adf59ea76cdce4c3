"""A writer fills its connection until nothing more goes in, and closes it; then the reader reads.

late_reader.py LIMIT: bytes to write at most.  Prints "as written" for each try where every byte
came, and then the end.
"""

import socket
import sys
import threading
import time

limit = int(sys.argv[1])
listener = socket.create_server(("127.0.0.1", 0))


def pair() -> tuple[socket.socket, socket.socket]:
    one = socket.create_connection(listener.getsockname())
    other, _ = listener.accept()
    other.settimeout(60)
    return one, other


def report(written: int, reader: socket.socket) -> None:
    got = 0
    try:
        while data := reader.recv(1 << 16):
            got += len(data)
        print("as written" if got == written else f"wrote {written}, read {got}")
    except OSError as error:
        print(f"wrote {written}, read {got}, then {error!r}")
    reader.close()


def fill(sock: socket.socket) -> int:
    sock.setblocking(False)
    sent, quiet = 0, time.monotonic() + 0.5
    while sent < limit and time.monotonic() < quiet:
        try:
            sent += sock.send(bytes(min(65536, limit - sent)))
            quiet = time.monotonic() + 0.5
        except BlockingIOError:
            time.sleep(0.005)
    return sent


def pour(sock: socket.socket) -> None:
    sock.sendall(bytes(200_001))
    sock.close()


for _ in range(2):  # full, nobody reads meanwhile
    writer, reader = pair()
    written = fill(writer)
    writer.close()
    report(written, reader)

for _ in range(2):  # small buffers, and the close right behind the last byte
    writer, reader = pair()
    writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    thread = threading.Thread(target=pour, args=(writer,))
    thread.start()
    report(200_001, reader)
    thread.join()

writers = [pair() for _ in range(20)]  # little data, and the close at once
for _, accepted in writers:
    for _ in range(6):
        accepted.sendall(bytes(500))
    accepted.close()
for connected, _ in writers:
    connected.settimeout(60)
    report(3000, connected)
