"""Compresses like the Unix program `compress`, which current systems no longer have."""

from __future__ import annotations

from collections.abc import Iterator


def compress(content: bytes, last_bits: int = 16, block_mode: bool = True, clear_every: int = 0) -> bytes:
    """Returns the content as a `.Z` file.

    Args:
        last_bits: length of the longest code.
        block_mode: whether code 256 clears the table.
        clear_every: number of codes after which the table is cleared; 0 for never.
    """
    packed = bytearray([0x1F, 0x9D, last_bits | 0x80 * block_mode])
    group: list[int] = []
    for code, bits, ends_group in _codes(content, last_bits, block_mode, clear_every):
        group.append(code)
        if len(group) == 8 or ends_group:
            packed += _bytes(group, bits).ljust(bits, b"\0")  # as long as a full group of eight
            group = []
    if group:
        packed += _bytes(group, bits)
    return bytes(packed)


def _bytes(group: list[int], bits: int) -> bytes:
    number = sum(code << bits * place for place, code in enumerate(group))
    return number.to_bytes((bits * len(group) + 7) // 8, "little")


def _codes(content: bytes, last_bits: int, block_mode: bool, clear_every: int) -> Iterator[tuple[int, int, bool]]:
    """Yields each code, its length in bits, and whether a new group starts after it because the length changes."""
    first = 256 + block_mode
    table: dict[bytes, int] = {bytes([value]): value for value in range(256)}
    bits, emitted, position = 9, 0, 0
    while position < len(content):
        length = 1
        while position + length < len(content) and content[position : position + length + 1] in table:
            length += 1
        entry = content[position : position + length + 1]
        if length + position < len(content) and len(table) + block_mode < 1 << last_bits:
            table[entry] = len(table) + block_mode
        position += length
        emitted += 1
        known_to_reader = first + emitted - 1
        widens = known_to_reader == 1 << bits and bits < last_bits
        yield table[entry[:length]], bits, widens
        bits += widens
        if clear_every and emitted == clear_every:
            yield 256, bits, True
            table = {bytes([value]): value for value in range(256)}
            bits, emitted = 9, 0
