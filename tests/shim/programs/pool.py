"""libminion's own connections: high numbers, one set per process, nobody waits for another's.

Under LD_PRELOAD only: it looks for the connections.  argv: an address where connect never ends.
"""

import os
import socket
import sys
import threading


def connections():
    """Of this process: descriptor -> socket inode."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        if int(name) >= 900:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
    return found


def forked(check):
    if (pid := os.fork()) == 0:
        try:
            check()
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


one = socket.socket()
mine = connections()
assert len(mine) == 1, mine


def child():
    assert connections() == mine  # inherited, not used
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    assert len(connections()) == 1
    assert set(connections().values()).isdisjoint(mine.values())


forked(child)
for _ in range(5):
    socket.socket().close()
assert connections() == mine

# A request that takes its time, and others meanwhile.
stuck = threading.Thread(target=lambda: one.connect_ex((sys.argv[1], 9)), daemon=True)
stuck.start()
while True:
    socket.socket().close()
    if len(connections()) == 2:
        break
assert stuck.is_alive()

# Any number at once; only so many are kept.
gate = threading.Barrier(40)


def burst():
    gate.wait()
    for _ in range(5):
        socket.socket().close()


threads = [threading.Thread(target=burst) for _ in range(40)]
for t in threads:
    t.start()
for t in threads:
    t.join()
assert len(connections()) <= 16, connections()
