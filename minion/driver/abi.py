"""The structures of abi.h as struct formats, derived from what cffi parsed."""

from __future__ import annotations

from struct import Struct

from _minionsocket import ffi, lib

_CODES = {"uint32_t": "I", "int32_t": "i", "uint16_t": "H", "uint8_t": "B"}


def _format(name: str) -> Struct:
    """A C struct's layout; offsets are checked against the compiler's."""
    kind = ffi.typeof(f"struct {name}")
    code = "="
    for field_name, field in kind.fields:
        if Struct(code).size != field.offset:
            raise TypeError(f"abi.h: padding before {name}.{field_name}")
        if field.type.kind == "array":
            code += f"{ffi.sizeof(field.type)}s"
        else:
            code += _CODES[field.type.cname]
    if Struct(code).size != ffi.sizeof(kind):
        raise TypeError(f"abi.h: padding after {name}")
    return Struct(code)


REQUEST = _format("minion_request")
REPLY = _format("minion_reply")
ACCEPT = _format("minion_accept")
VERSION: int = lib.MINION_ABI
ID_CHARS: int = lib.MINION_ID
DATA_MAX: int = lib.MINION_DATA_MAX
NAME_PREFIX = b"\0minion-"
FIN_MARK = b"\0minion=fin-"
ERROR_MARK = b"\0minion=err-"
assert len(NAME_PREFIX) == lib.MINION_NAME_PREFIX
assert len(FIN_MARK) == len(ERROR_MARK) == lib.MINION_MARK_PREFIX
