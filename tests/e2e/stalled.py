"""Connections that stand still, by the hundred, and one that should not: stalled.py COUNT

COUNT readers that do not read; COUNT writers whose peers do not read either; COUNT / 2 connections
that nobody accepts, full of data; and one more that moves 4 MB each way, with the sum checked.
Prints "moved" for each direction, and how many bytes the others hold (to be looked at by hand).
"""

import hashlib
import resource
import socket
import sys
import threading

count = int(sys.argv[1])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 6 * count + 100)), hard))
PART = bytes(range(256)) * 400
BODY = PART * 40


def fill(sock: socket.socket) -> int:
    """Until nothing more goes in at once."""
    sock.setblocking(False)
    sent = 0
    try:
        while True:
            sent += sock.send(PART)
    except BlockingIOError:
        return sent


listener = socket.create_server(("127.0.0.1", 0), backlog=128)
crowded = socket.create_server(("127.0.0.1", 0), backlog=count)
kept: list[socket.socket] = []
held = 0
for number in range(count):
    near = socket.create_connection(listener.getsockname(), 30)
    far, _ = listener.accept()
    kept += [near, far]
    held += fill(near)  # far does not read
    if number % 2:
        held += fill(far)  # nor near
    if number % 2 == 0:
        near = socket.create_connection(crowded.getsockname(), 30)
        kept.append(near)
        held += fill(near)
for sock in kept:  # and again, now that all are there
    try:
        held += sock.send(PART)
    except (BlockingIOError, TimeoutError):
        pass

near = socket.create_connection(listener.getsockname(), 30)
far, _ = listener.accept()
for source, sink in ((near, far), (far, near)):
    source.settimeout(60)
    sink.settimeout(60)
    thread = threading.Thread(target=source.sendall, args=(BODY,))
    thread.start()
    digest, left = hashlib.sha256(), len(BODY)
    while left and (data := sink.recv(1 << 16)):
        digest.update(data)
        left -= len(data)
    thread.join()
    print("moved" if digest.digest() == hashlib.sha256(BODY).digest() else f"{left} missing")
print("held", held, file=sys.stderr)
