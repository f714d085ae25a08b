"""Messages of Protocol Buffers, written by hand: their wire format is a few lines.

https://protobuf.dev/programming-guides/encoding/. Each function returns one field of a message: its
number, then its value. A message is its fields one after another.
"""

import struct

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_DOUBLE = struct.Struct("<d")
_LONG = struct.Struct("<Q")


def varint(number: int) -> bytes:
    """Return a number from 0 to 2^64 - 1, seven bits a byte."""
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def number(field: int, value: int) -> bytes:
    """Return a field of type uint64, int64, bool or an enum."""
    return varint(field << 3 | _VARINT) + varint(value & (1 << 64) - 1)


def fixed(field: int, value: int) -> bytes:
    """Return a field of type fixed64."""
    return varint(field << 3 | _FIXED64) + _LONG.pack(value)


def real(field: int, value: float) -> bytes:
    """Return a field of type double."""
    return varint(field << 3 | _FIXED64) + _DOUBLE.pack(value)


def message(field: int, *parts: bytes) -> bytes:
    """Return a field that is a message with these fields."""
    content = b"".join(parts)
    return varint(field << 3 | _BYTES) + varint(len(content)) + content


def text(field: int, value: str) -> bytes:
    """Return a field of type string."""
    return message(field, value.encode("utf-8", "replace"))
