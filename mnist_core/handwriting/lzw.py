"""Our own, because uncompresspy 0.4.1 (PyPI) is not bounded: 1.2 MB takes it over 3 GB where 64 MB were asked for.

uncompresspy is maintained and works on Python 3.11 to 3.13, but `read(size)` decodes a whole block of up to
2 ** (code length - 1) codes before it compares with `size`, and it accepts code lengths up to 31 bits. The other
packages on PyPI cannot be told to stop at all. This module stops at the limit: the same file takes it 140 MB.

It decompresses `.Z` files, the format of the Unix program `compress` (Welch 1984, "A Technique for High-Performance
Data Compression"), in which UCI stores the pen digits.
"""

from __future__ import annotations

MAGIC = b"\x1f\x9d"
"""The first two bytes of every `.Z` file."""

_FIRST_BITS = 9  # length of the first codes; they get a bit longer whenever the table is full
_CLEAR = 256  # the code that empties the table, if the file is in block mode


class _Table:
    """The byte string that each code stands for. It grows with every decoded code, as the compressor's did."""

    def __init__(self, flags: int) -> None:
        self.max_bits = flags & 0x1F
        self.block_mode = bool(flags & 0x80)
        self.clear()

    def clear(self) -> None:
        """Forgets all codes but those of single bytes."""
        self.entries = [bytes([value]) for value in range(256)] + [b""] * self.block_mode  # b"": in place of _CLEAR
        self.bits, self.previous = _FIRST_BITS, b""

    def decode(self, code: int) -> bytes:
        """Returns what a code stands for, and adds the entry that the compressor added after it."""
        if code >= len(self.entries) + bool(self.previous):
            raise ValueError("a code that was never defined: the file is damaged")
        entry = self.entries[code] if code < len(self.entries) else self.previous + self.previous[:1]
        if self.previous and len(self.entries) < 1 << self.max_bits:
            self.entries.append(self.previous + entry[:1])
        self.previous = entry
        return entry

    def lengthen_codes(self) -> bool:
        """Makes codes a bit longer if the table is full; True if it did."""
        full = len(self.entries) == 1 << self.bits and self.bits < self.max_bits
        self.bits += full
        return full


def uncompress(packed: bytes, limit: int) -> bytes:
    """Decompresses a `.Z` file.

    Args:
        packed: the whole file. The format has no checksum: compare a hash of the result if it matters.
        limit: largest size of the result in bytes.

    Raises:
        ValueError: this is no `.Z` file, it is damaged, or the result would be larger than `limit`.
    """
    if len(packed) < 3 or packed[:2] != MAGIC or not 10 <= packed[2] & 0x1F <= 16:
        raise ValueError("no file of the program `compress`")
    table, unpacked, position = _Table(packed[2]), bytearray(), 3
    while position < len(packed):
        bits = table.bits
        group = packed[position : position + bits]  # eight codes of N bits are N bytes
        position += bits
        number = int.from_bytes(group, "little")
        for shift in range(0, 8 * len(group) - bits + 1, bits):
            code = number >> shift & (1 << bits) - 1
            if code == _CLEAR and table.block_mode:
                table.clear()
                break  # the rest of the group is padding
            unpacked += table.decode(code)
            if len(unpacked) > limit:
                raise ValueError(f"more than {limit:,} bytes when unpacked")
            if table.lengthen_codes():
                break  # the rest of the group is padding
    return bytes(unpacked)
