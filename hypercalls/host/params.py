"""Parameters on the host: given by whoever starts the rump kernel; the name is the host's own."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from hypercalls.common.params import DictParams


def params(values: Mapping[str, str]) -> DictParams:
    return DictParams(values, hostname=socket.gethostname())
