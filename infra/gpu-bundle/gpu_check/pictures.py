"""Pixels of the PNG files that synth2real writes: 8 bits of red, green and blue, not interlaced."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = 3


class PictureError(Exception):
    """A file that is no such picture."""


def pixels(path: Path) -> tuple[tuple[int, int, int], bytes]:
    """Returns `(height, width, 3)` and the pixels of a picture, row by row."""
    data = path.read_bytes()
    if not data.startswith(SIGNATURE):
        raise PictureError(f"{path} is no PNG")
    at, header, packed = len(SIGNATURE), b"", b""
    try:
        while at < len(data):
            length, kind = struct.unpack_from(">I4s", data, at)
            body = data[at + 8 : at + 8 + length]
            header = body if kind == b"IHDR" else header
            packed += body if kind == b"IDAT" else b""
            at += 12 + length
        width, height, *form = struct.unpack(">IIBBBBB", header)
        rows = zlib.decompress(packed)
    except (struct.error, zlib.error) as error:
        raise PictureError(f"{path} is damaged: {error}") from error
    if form != [8, 2, 0, 0, 0] or len(rows) != height * (1 + width * CHANNELS):
        raise PictureError(f"{path} is no picture of 8 bits a colour")
    return (height, width, CHANNELS), unfiltered(rows, width * CHANNELS)


def unfiltered(rows: bytes, length: int) -> bytes:
    """Returns the pixels of rows that each begin with how they differ from their neighbours."""
    made, above = bytearray(), bytearray(length)
    for begin in range(0, len(rows), length + 1):
        kind, row = rows[begin], bytearray(rows[begin + 1 : begin + 1 + length])
        for at in range(length):
            left = row[at - CHANNELS] if at >= CHANNELS else 0
            corner = above[at - CHANNELS] if at >= CHANNELS else 0
            row[at] = (row[at] + predicted(kind, left, above[at], corner)) & 255
        made += row
        above = row
    return bytes(made)


def predicted(kind: int, left: int, above: int, corner: int) -> int:
    """Returns what a pixel was expected to be by its neighbours."""
    if kind == 3:
        return (left + above) // 2
    if kind == 4:
        by_left, by_above = abs(above - corner), abs(left - corner)
        by_corner = abs(left + above - 2 * corner)
        if by_left <= by_above and by_left <= by_corner:
            return left
        return above if by_above <= by_corner else corner
    return (0, left, above)[kind]
