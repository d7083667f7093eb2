"""Networks survive a round trip through a link; damaged and malicious links are rejected."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.errors import ArchitectureError
from mnist_core.networks import share_link
from mnist_core.networks.architecture import MAX_LAYERS, layers_to_json
from mnist_core.networks.layers import Conv2D, Dense, Flatten, ReLU, Rescaling
from mnist_core.recipes.recipes import RECIPES


def packed(value: Any) -> str:
    """Encodes any JSON value, or any bytes, as a link does."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


def test_every_recipe_survives_a_round_trip_through_a_short_link() -> None:
    for recipe in RECIPES.values():
        network = recipe.settings.architecture
        text = share_link.encode(network.layers)
        assert share_link.decode(text, network.input_size) == network.layers
        assert text.isascii() and len(text) < 600 and not set(text) & set("+/=&#%")


def test_the_largest_network_fits_into_a_link() -> None:
    layers = (
        Rescaling(1 / 255),
        *[Conv2D(1 + n, 3, 1, "same", "leaky_relu", n % 2 == 0, "he_normal") for n in range(MAX_LAYERS - 3)],
        Flatten(),
        Dense(10, "softmax"),
    )
    text = share_link.encode(layers)
    assert len(text) < share_link.MAX_CHARACTERS / 2
    assert share_link.decode(text) == layers


def test_json_with_other_spacing_is_decoded() -> None:
    layers = (Flatten(), Dense(10, "softmax"))
    assert share_link.decode(packed(layers_to_json(layers))) == layers


MANY = [{"layer": "Conv2D", "filters": 1024, "kernel_size": 28, "padding": "same"}] * 40
"""More than 10^9 parameters."""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A" * 1_000_000, r"1,000,000 .* 8,000"),
        (
            packed([*MANY, {"layer": "Flatten"}, {"layer": "Dense", "units": 10, "activation": "softmax"}]),
            r"parameters.* 20,000,000",
        ),
        (packed([{"layer": "Dense", "units": 10**9}]), r"units is 1000000000"),
        (packed(b"[" * 5000), "damaged"),
        (packed(b'["' + b"a" * 3_000_000 + b'"]'), "larger than any network"),
        (packed(layers_to_json([ReLU()] * 5000)), "5,000 .* 100"),
        (packed(layers_to_json((Flatten(), Dense(3)))), r"Layer 2 \(Dense\).* 3 values"),
        (packed([{"layer": "Lambda", "function": "print"}]), "Layer 1: 'Lambda'"),
        (packed({"layer": "Flatten"}), "list of layers.*dict"),
        (packed("Flatten"), "list of layers.*str"),
        (packed(b"\xff\xfe"), "damaged"),
        ("", "damaged"),
        ("%%%", "damaged"),
        ("AAAA", "damaged"),
        ("A", "damaged"),
        (share_link.encode((Flatten(), Dense(10, "softmax")))[:-9], "damaged"),
    ],
)
def test_the_error_says_what_is_wrong_with_a_link(text: str, words: str) -> None:
    with pytest.raises(ArchitectureError, match=words):
        share_link.decode(text)


@given(st.text(alphabet="ABCxyz019-_", max_size=60) | st.binary(max_size=60).map(packed))
def test_random_text_raises_no_other_error(text: str) -> None:
    with pytest.raises(ArchitectureError):
        share_link.decode(text)
