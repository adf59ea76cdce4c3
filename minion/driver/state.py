"""The states of a channel.

Theory of operation.  `UNCONNECTED`: the program's end has no other end; the kernel reports it
writable and hung up, as Linux does for a TCP socket that is not connected.  `CONNECTING`: a pair,
whose program side was filled, so that the program can neither write nor is told that it could; the
fill is read back when the connection opens.  `OPEN`: bytes pass.  `LISTENING`: messages with
descriptors pass.  `BROKEN`: the connection has failed, and what it had received is still on its way
to the program, which can write no more.  `DEAD`: the connection or the attempt has failed and our
end is closed, with something the program had written unread where possible, which its kernel
reports as an error; only its close is waited for.
"""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    UNCONNECTED = 0
    CONNECTING = 1
    OPEN = 2
    LISTENING = 3
    BROKEN = 4
    DEAD = 5
