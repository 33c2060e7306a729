"""The snappy block format, as much of it as Prometheus's remote interfaces ask for.

In: bytes. Out: bytes. Never: compression; what is written is one literal after another, which every decoder reads. What
is sent is a gap's samples over a local connection, so the bytes that compression would save are not worth a dependency.

Source: https://github.com/google/snappy/blob/main/format_description.txt
"""

from __future__ import annotations

from typing import Final

#: Longest literal written at once: the length less one fits two bytes.
_LITERAL: Final = 1 << 16
_COPY_1, _COPY_2 = 1, 2


def encode(data: bytes) -> bytes:
    """Bytes as a snappy block of literals."""
    block = bytearray(uvarint(len(data)))
    for start in range(0, len(data), _LITERAL):
        piece = data[start : start + _LITERAL]
        # 61: the length less one follows in two bytes, little-endian.
        block += bytes((61 << 2,)) + (len(piece) - 1).to_bytes(2, "little") + piece
    return bytes(block)


def decode(block: bytes) -> bytes:
    """The bytes of a snappy block.

    Raises:
        ValueError: it is none, or is cut short.
    """
    try:
        return _decode(block)
    except IndexError:
        raise ValueError("a snappy block that is cut short") from None


def _decode(block: bytes) -> bytes:
    length, at = read_uvarint(block, 0)
    out = bytearray()
    while at < len(block):
        tag = block[at]
        at += 1
        kind, high = tag & 3, tag >> 2
        if kind == 0:
            size = high + 1
            if high >= 60:
                width = high - 59
                size = int.from_bytes(block[at : at + width], "little") + 1
                at += width
            out += block[at : at + size]
            at += size
            continue
        if kind == _COPY_1:
            size, distance, width = 4 + (high & 7), (high >> 3) << 8 | block[at], 1
        else:
            width = 2 if kind == _COPY_2 else 4
            size, distance = high + 1, int.from_bytes(block[at : at + width], "little")
        at += width
        start = len(out) - distance
        if distance == 0 or start < 0:
            raise ValueError("a snappy block that copies from before its beginning")
        if distance >= size:
            out += out[start : start + size]
        else:
            # The copy overlaps what it writes: a run of the last `distance` bytes.
            out += (bytes(out[start:]) * (size // distance + 1))[:size]
    if len(out) != length:
        raise ValueError(f"a snappy block of {len(out)} bytes, expected the {length} it announces")
    return bytes(out)


def uvarint(number: int) -> bytes:
    """A number as snappy and Protocol Buffers write it: seven bits a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_uvarint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place behind it.

    Raises:
        IndexError: the data end within the number.
    """
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
