"""A client of a running minion, for `status` and `down`."""

from __future__ import annotations

import json
import os
import socket
from array import array

from minion.cli.options import UsageError
from minion.cli.runtime import Place
from minion.driver import abi
from minion.sysproxy.operations import Op

TIMEOUT_S = 10.0


def connect(place: Place) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sock.settimeout(TIMEOUT_S)
    try:
        sock.connect(os.fspath(place.control))
    except OSError:
        sock.close()
        raise UsageError(
            f"no minion {place.name!r} is up; start it with: minion up {place.name}"
        ) from None
    return sock


def _request(sock: socket.socket, op: int) -> int | None:
    """The descriptor that came with the answer, if any.  UsageError if it does not answer."""
    sock.send(abi.REQUEST.pack(abi.VERSION, op, b"", 0, 0, 0, 0))
    try:
        message, ancillary, _, _ = sock.recvmsg(abi.REPLY.size + abi.DATA_MAX, 64)
    except TimeoutError:
        raise UsageError("the minion does not answer; see: minion logs") from None
    if len(message) < abi.REPLY.size or abi.REPLY.unpack_from(message)[3]:
        raise UsageError("the minion refused the request: is it of another version?")
    for _level, _kind, data in ancillary:
        fds = array("i")
        fds.frombytes(data[:4])
        return fds[0]
    return None


def status(place: Place) -> dict[str, object]:
    with connect(place) as sock:
        fd = _request(sock, Op.STATUS)
    if fd is None:
        raise UsageError("the minion sent no status")
    with open(fd, "rb") as file:
        found: dict[str, object] = json.load(file)
    return found


def stop(place: Place) -> None:
    with connect(place) as sock:
        _request(sock, Op.STOP)
        sock.recv(1)  # until the minion closes its end: it is down then


def answers(place: Place) -> bool:
    """Whether the minion accepts connections."""
    try:
        connect(place).close()
    except UsageError:
        return False
    return True
