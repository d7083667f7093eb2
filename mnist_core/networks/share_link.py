"""A network as the query parameter `net`: JSON, deflated, URL-safe base64.

share_link.decode(share_link.encode(layers))      # the same layers

Links are not trusted: sizes are limited before unpacking, every value is checked, and nothing is executed.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections.abc import Sequence

from mnist_core.errors import ArchitectureError
from mnist_core.files.json_reader import parse_json
from mnist_core.networks import architecture
from mnist_core.networks.architecture import MAX_LAYERS, Architecture
from mnist_core.networks.layers import Layer

MAX_CHARACTERS = 8_000
"""Length limit, because servers reject longer URLs. A network of MAX_LAYERS takes a third of it."""
MAX_JSON_BYTES = 100_000
"""Size limit of the JSON. A network of MAX_LAYERS with every setting written out takes half of it."""

_SUBJECT = "The network in this link"
_TEXT = re.compile(r"[A-Za-z0-9_-]+")


def encode(layers: Sequence[Layer]) -> str:
    """Encodes a network as letters, digits, `-` and `_`."""
    content = json.dumps(architecture.layers_to_json(layers), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


def decode(text: str, input_size: int = 28) -> tuple[Layer, ...]:
    """Decodes a network from `encode`.

    Args:
        text: the value of the query parameter; not trusted.
        input_size: side of the square image in pixels, for which the network must fit.

    Raises:
        ArchitectureError: the text is too long, is not a network, or the network cannot be trained.
    """
    try:
        layers = architecture.layers_from_json(parse_json(_unpack(text)))
    except ValueError:
        raise ArchitectureError(f"{_SUBJECT} is damaged. Copy the link again.") from None
    if len(layers) > MAX_LAYERS:
        raise ArchitectureError(f"{_SUBJECT} has {len(layers):,} layers; at most {MAX_LAYERS} are allowed.")
    try:
        return Architecture(layers, input_size).layers
    except ArchitectureError as error:
        raise ArchitectureError(f"{_SUBJECT} cannot be opened. {error}", error.position) from None


def _unpack(text: str) -> bytes:
    if len(text) > MAX_CHARACTERS:
        raise ArchitectureError(
            f"{_SUBJECT} has {len(text):,} characters; at most {MAX_CHARACTERS:,} are allowed. Send it as a file."
        )
    if not _TEXT.fullmatch(text):
        raise ValueError("characters outside URL-safe base64")
    try:
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        unpacker = zlib.decompressobj()
        content = unpacker.decompress(packed, MAX_JSON_BYTES)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(str(error)) from None
    if unpacker.unconsumed_tail:
        raise ArchitectureError(
            f"{_SUBJECT} is larger than any network when unpacked. Digit Lab did not make this link."
        )
    if not unpacker.eof:
        raise ValueError("truncated")
    return content
