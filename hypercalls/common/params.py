"""Boot parameters from a mapping."""

from __future__ import annotations

from collections.abc import Mapping


class DictParams:
    """api.Params."""

    def __init__(self, values: Mapping[str, str], hostname: str) -> None:
        self._values = {"_RUMPUSER_NCPU": "1", "_RUMPUSER_HOSTNAME": hostname, **values}

    def getparam(self, name: str) -> str | None:
        return self._values.get(name)
