"""A network as a piece of an address, `?net=`: its layers as JSON, deflated, in the letters that an address may have.

links.decode(links.encode(layers))      # the same layers

What comes in is nobody's to trust: sizes are bounded before anything is unpacked, values are checked one by one, and
what cannot be built is refused. Nothing is executed.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Sequence

from mnist_core.errors import ArchitectureError
from mnist_core.networks import architecture
from mnist_core.networks.architecture import MAX_LAYERS, Architecture
from mnist_core.networks.layers import Layer

MAX_CHARACTERS = 8_000
"""Characters of an address: a network of MAX_LAYERS takes a third of them, and servers take no longer addresses."""
MOST_JSON = 100_000
"""Bytes unpacked: MAX_LAYERS with every setting written out take half of them."""

_TEXT = re.compile(r"[A-Za-z0-9_-]+")


def encode(layers: Sequence[Layer]) -> str:
    """The network as letters, digits, `-` and `_`."""
    content = json.dumps(architecture.layers_to_json(layers), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


def decode(text: str, input_size: int = 28) -> tuple[Layer, ...]:
    """The network that `encode` wrote.

    Args:
        text: of an address, whoever wrote it.
        input_size: side of the image in pixels, for which it must be one that can be trained.

    Raises:
        ArchitectureError: it is too long, is no network, or one that cannot be trained.
    """
    try:
        found = architecture.layers_from_json(json.loads(_unpacked(text)))
    except (ValueError, RecursionError):
        raise ArchitectureError(f"{_WHAT} is no network: it was cut off or changed. Copy it again.") from None
    if len(found) > MAX_LAYERS:
        raise ArchitectureError(f"{_WHAT} has {len(found):,} layers; at most {MAX_LAYERS} are allowed.")
    try:
        return Architecture(found, input_size).layers
    except ArchitectureError as error:
        raise ArchitectureError(f"{_WHAT} cannot be opened. {error}", error.position) from None


_WHAT = "The network in this link"


def _unpacked(text: str) -> bytes:
    if len(text) > MAX_CHARACTERS:
        raise ArchitectureError(
            f"{_WHAT} takes {len(text):,} characters; at most {MAX_CHARACTERS:,} are read. Send such a network as a file."
        )
    if not _TEXT.fullmatch(text):
        raise ValueError("other letters")
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(packed, MOST_JSON)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(str(error)) from None
    if unpacker.unconsumed_tail:
        raise ArchitectureError(f"{_WHAT} is larger than any network when it is unpacked. It was not made here.")
    if not unpacker.eof:
        raise ValueError("cut off")
    return content
