"""Unpacks `.Z` files, which the Unix program `compress` wrote until patents drove its users to gzip.

Own code, because what there is on PyPI cannot be told where to stop: 130 kB of such a file can unpack to 2 GB.
"""

from __future__ import annotations

MAGIC = b"\x1f\x9d"
_FIRST_BITS = 9  # of a code; it grows by a bit whenever the table is full
_CLEAR = 256  # in block mode: forget the table


class _Table:
    """What each code stands for. It grows with every code that is read, exactly as the packer's did."""

    def __init__(self, flags: int) -> None:
        self.last_bits = flags & 0x1F
        self.block_mode = bool(flags & 0x80)
        self.clear()

    def clear(self) -> None:
        self.entries = [bytes([value]) for value in range(256)] + [b""] * self.block_mode  # the code 256 is _CLEAR
        self.bits, self.previous = _FIRST_BITS, b""

    def read(self, code: int) -> bytes:
        if code >= len(self.entries) + bool(self.previous):
            raise ValueError("a code that was never defined: it is damaged")
        entry = self.entries[code] if code < len(self.entries) else self.previous + self.previous[:1]
        if self.previous and len(self.entries) < 1 << self.last_bits:
            self.entries.append(self.previous + entry[:1])
        self.previous = entry
        return entry

    def widen(self) -> bool:
        """Whether codes are a bit longer from here on."""
        full = len(self.entries) == 1 << self.bits and self.bits < self.last_bits
        self.bits += full
        return full


def uncompress(packed: bytes, limit: int) -> bytes:
    """Undoes `compress` (Lempel, Ziv, Welch 1984).

    Args:
        packed: a whole `.Z` file. There is no checksum in it: whoever must be sure compares the result's own.
        limit: bytes that the result may have.

    Raises:
        ValueError: it is no such file, it is damaged, or the result would be too long.
    """
    if len(packed) < 3 or packed[:2] != MAGIC or not 10 <= packed[2] & 0x1F <= 16:
        raise ValueError("no file of the program `compress`")
    table, unpacked, position = _Table(packed[2]), bytearray(), 3
    while position < len(packed):
        bits = table.bits
        group = packed[position : position + bits]  # eight codes, so as many bytes as a code has bits
        position += bits
        number = int.from_bytes(group, "little")
        for shift in range(0, 8 * len(group) - bits + 1, bits):
            code = number >> shift & (1 << bits) - 1
            if code == _CLEAR and table.block_mode:
                table.clear()
                break  # what is left of the group is padding
            unpacked += table.read(code)
            if len(unpacked) > limit:
                raise ValueError(f"more than {limit:,} bytes when unpacked")
            if table.widen():
                break  # likewise
    return bytes(unpacked)
