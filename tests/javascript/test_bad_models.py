"""The engine refuses every damaged or hostile file with a ModelError, soon, and without taking much memory."""

import json
import zlib

import numpy as np
import pytest

from mnist_core.browser.weights_file import browser_model
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.layers import Conv2D, Dense, DepthwiseConv2D, Flatten, MaxPooling2D, Rescaling

PREFIX = 16
ARCHITECTURE = Architecture(
    (
        Rescaling(1 / 255),
        Conv2D(3, 3, strides=2, activation="relu"),
        DepthwiseConv2D(3),
        MaxPooling2D(4),
        Flatten(),
        Dense(10, activation="softmax"),
    )
)
SHAPES = [(), ((3, 3, 1, 3), (3,)), ((3, 3, 3, 1), (3,)), (), (), ((12, 10), (10,))]
WEIGHTS = [tuple(np.ones(shape, "f4") for shape in shapes) for shapes in SHAPES]
MODEL = browser_model(ARCHITECTURE, WEIGHTS)
CONVOLUTION, DEPTHWISE, POOLING, DENSE = 1, 2, 3, 5


def sealed(body: bytes, header_bytes: int) -> bytes:
    """A model.bin with a right checksum."""
    return MODEL[:8] + header_bytes.to_bytes(4, "little") + zlib.crc32(body).to_bytes(4, "little") + body


def parts(content: bytes) -> tuple[bytes, bytes]:
    """Header and weights."""
    end = PREFIX + int.from_bytes(content[8:12], "little")
    return content[PREFIX:end], content[end:]


def with_header(header: object, weights: bytes | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return sealed(text + (parts(MODEL)[1] if weights is None else weights), len(text))


def changed(*path_and_value: object) -> bytes:
    """The model with one value of its header changed."""
    *path, last, value = path_and_value
    header = json.loads(parts(MODEL)[0])
    place = header
    for name in path:
        place = place[name]
    place[last] = value
    return with_header(header)


@pytest.fixture
def outcomes(node, tmp_path):
    """Reads models under Node. Returns for each the kind and text of its error, or nothing."""

    def read(contents: list[bytes]) -> list[str]:
        (tmp_path / "models").write_bytes(b"".join(len(each).to_bytes(4, "little") + each for each in contents))
        done = node("run_bad_models.mjs", tmp_path / "models")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["slowest"] < 5000 and found["memory"] < 500
        return found["outcomes"]

    return read


def test_a_file_that_is_cut_short_anywhere_is_refused(outcomes):
    header, weights = parts(MODEL)
    cut = [MODEL[:length] for length in range(len(MODEL))]
    cut_and_sealed = [sealed((header + weights)[:length], len(header)) for length in range(len(header + weights))]
    found = outcomes([MODEL, *cut, *cut_and_sealed])
    assert found[0] == "" and all(outcome.startswith("ModelError: ") for outcome in found[1:])


def test_a_file_with_a_changed_byte_is_refused(outcomes):
    changed_byte = [MODEL[:at] + bytes([MODEL[at] ^ 0x41]) + MODEL[at + 1 :] for at in range(len(MODEL))]
    assert all(outcome.startswith("ModelError: ") for outcome in outcomes(changed_byte))


FLOATS = {"type": "float32", "offset": 0, "length": 1}
NUMBERS = (0, -1, 0.5, 1e9, 2**31, 1e300, "3", None, True, [3], {}, {"toString": 1, "valueOf": 1})
HOSTILE = {
    **{f"format {value}": MODEL[:4] + value.to_bytes(4, "little") + MODEL[8:] for value in (0, 2, 2**32 - 1)},
    **{
        f"header of {length} bytes": sealed(MODEL[PREFIX:], length)
        for length in (0, 1, len(MODEL) - PREFIX, len(MODEL), 2**32 - 1)
    },
    **{f"header {value!r}": with_header(value) for value in (None, [], 3, "layers", {}, b"\xff\xfe", b"{", b"NaN")},
    "deep header": with_header(b"[" * 200_000),
    **{
        f"layers {value!r}": changed("layers", value) for value in (None, {}, "Dense", [], [None], [3], ["Dense"], [[]])
    },
    **{f"input of {value!r}": changed("input_size", value) for value in (*NUMBERS, 27, 1_000_000)},
    **{
        f"layer {value!r}": changed("layers", DENSE, "layer", value)
        for value in (*NUMBERS, "Dance", "constructor", "__proto__", "toString", "Conv2D", "MaxPooling2D", ["Dance"])
    },
    **{
        f"activation {value!r}": changed("layers", DENSE, "activation", value)
        for value in ("elk", "constructor", "__proto__", 3, {"toString": 1}, ["relu"])
    },
    **{
        f"{name} {value!r} of layer {layer}": changed("layers", layer, name, value)
        for layer, names in {
            CONVOLUTION: ("filters", "kernel_size", "strides", "padding"),
            DEPTHWISE: ("kernel_size", "strides", "padding"),
            POOLING: ("pool_size", "strides", "padding"),
            DENSE: ("units", "width"),
            0: ("scale",),
        }.items()
        for name in names
        for value in (NUMBERS if name != "scale" else ("3", None, [3], {}))
        if not (name == "strides" and value in (1e9, 2**31, 1e300))  # one position: a network like another
        if not (name == "width" and value is None) or layer != DENSE
    },
    **{
        f"{name} {value!r} of the array {array}": changed("layers", DENSE, array, name, value)
        for array in ("kernel", "bias")
        for name, values in {
            "type": ("float64", "int8", "constructor", *NUMBERS),
            "offset": (*NUMBERS[1:], 2**53, len(MODEL)),
            "length": (*NUMBERS, 2**53),
        }.items()
        for value in values
    },
    **{
        f"array {value!r}": changed("layers", DENSE, "kernel", value)
        for value in (None, 3, "float16", [], {}, {"type": "int8", "offset": 0, "length": 120, "scales": None})
    },
    **{
        f"scales {value!r}": changed(
            "layers", DENSE, "kernel", {"type": "int8", "offset": 0, "length": 120, "scales": value}
        )
        for value in (
            3,
            {},
            {"type": "float32", "offset": 0, "length": 0},
            {"type": "float32", "offset": 0, "length": 7},
        )
    },
    "an image as answer": changed("layers", json.loads(parts(MODEL)[0])["layers"][:-2]),
}


@pytest.fixture(scope="module")
def large_headers() -> dict[str, bytes]:
    """Networks that take no room in the file, but would take memory or time."""
    kernel = {
        "type": "int8",
        "offset": 0,
        "length": 56 * 56 * 40,
        "scales": FLOATS,
    }
    wide = {"layer": "Conv2D", "filters": 40, "kernel_size": 56, "strides": 1, "padding": "same", "kernel": kernel}
    narrow = {"layer": "Conv2D", "filters": 200_000, "kernel_size": 1, "strides": 1, "padding": "same"}
    one = {"type": "int8", "offset": 0, "length": 200_000, "scales": FLOATS}
    pooling = {"layer": "MaxPooling2D", "pool_size": 56, "strides": 1, "padding": "same"}
    networks = {
        "memory": [{**narrow, "kernel": one, "bias": one}],
        "products": [{**wide, "bias": {**kernel, "length": 40}}, *[pooling] * 1000],
        "layers": [{"layer": "Activation", "activation": "relu"}] * 1001,
    }
    return {
        name: with_header({"input_size": 56, "layers": layers}, bytes(200_000)) for name, layers in networks.items()
    }


def test_a_hostile_header_is_refused(outcomes, large_headers):
    hostile = HOSTILE | large_headers
    found = dict(zip(hostile, outcomes(list(hostile.values())), strict=True))
    assert {name: outcome for name, outcome in found.items() if not outcome.startswith("ModelError: ")} == {}


@pytest.mark.parametrize(("precision", "bits"), [("float32", "<u4"), ("float16", "<u2"), ("int8", "<u4")])
def test_weights_that_are_not_numbers_are_refused(outcomes, precision, bits):
    content = browser_model(ARCHITECTURE, WEIGHTS, precision)
    header, weights = parts(content)
    kernel = json.loads(header)["layers"][DENSE]["kernel"]
    offset = kernel.get("scales", kernel)["offset"]
    values = (0x7C00, 0xFC00, 0x7E01) if bits == "<u2" else (0x7F800000, 0xFF800000, 0x7FC00001)
    damaged = []
    for value in values:
        number = np.array(value, bits).tobytes()
        damaged.append(with_header(header, weights[:offset] + number + weights[offset + len(number) :]))
    assert all(outcome.startswith("ModelError: ") for outcome in outcomes(damaged))


def test_an_answer_that_is_not_a_number_is_an_error(outcomes):
    weights = [*WEIGHTS[:1], (np.full((3, 3, 1, 3), 1e38, "f4"), np.full(3, 1e38, "f4")), *WEIGHTS[2:]]
    (found,) = outcomes([browser_model(ARCHITECTURE, weights, "float32")])
    assert found.startswith("ModelError: ")
