"""Hostile models: HDF5 files of weights, .keras and .tflite files."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

import h5py

from tests.faults.run_zips import Files, healthy_files, with_file, zipped


def with_weights(change: Callable[[h5py.File], object]) -> bytes:
    """The healthy run with a change of its HDF5 file of weights."""
    with zipfile.ZipFile(io.BytesIO(healthy_files()["model.keras"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        change(file)
    members["model.weights.h5"] = content.getvalue()
    return with_file("model.keras", zipped(members.items(), zipfile.ZIP_STORED))


def first_array(file: h5py.File) -> h5py.Dataset:
    """The kernel of the first layer that has one."""
    found: list[h5py.Dataset] = []
    file.visititems(lambda _, each: found.append(each) if isinstance(each, h5py.Dataset) else None)
    return found[0]


def fill_values(file: h5py.File) -> None:
    """Arrays of 1 GB each that are stored as a single value."""
    for name in "abcd":
        file.create_dataset(f"layers/{name}/vars/0", (250_000_000,), "f4", fillvalue=1.0)


def huge_kernel(file: h5py.File) -> None:
    """In the place of the network's own first array."""
    name = first_array(file).name
    del file[name]
    file.create_dataset(name, (16_000, 16_000), "f4", fillvalue=1.0)


def chunked(file: h5py.File) -> None:
    """400 MB of zeros, packed."""
    data = file.create_dataset("layers/a/vars/0", (100_000_000,), "f4", chunks=(10_000_000,), compression="gzip")
    data[:10_000_000] = 0


def external_storage(file: h5py.File) -> None:
    """The values are in another file."""
    name = first_array(file).name
    del file[name]
    file.create_dataset(name, (1000,), "u1", external=[("/etc/passwd", 0, 1000)])


def soft_links(file: h5py.File) -> None:
    """Names that lead to another file, and in a circle."""
    file["layers/out"] = h5py.ExternalLink("/etc/passwd", "/")
    file["layers/soft"] = h5py.SoftLink("/layers")


def hard_link_circle(file: h5py.File) -> None:
    """A group that is its own grandchild."""
    file["layers/again"] = file["layers"]


def virtual(file: h5py.File) -> None:
    """An array that is made of parts of other files."""
    layout = h5py.VirtualLayout((10_000_000,), "f4")
    layout[:10] = h5py.VirtualSource("/etc/passwd", "x", (10,))
    file.create_virtual_dataset("layers/a", layout)


def many_groups(file: h5py.File) -> None:
    """More groups than a file of weights has."""
    for number in range(3000):
        file.create_group(f"layers/g{number}", track_order=False)


def keras_file(changes: Files, how: int = zipfile.ZIP_STORED) -> bytes:
    """The healthy model.keras with other members."""
    with zipfile.ZipFile(io.BytesIO(healthy_files()["model.keras"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zipped({**members, **changes}.items(), how)


def lambda_config() -> bytes:
    """The configuration of its model with a layer that is Python code."""
    with zipfile.ZipFile(io.BytesIO(healthy_files()["model.keras"])) as archive:
        config = json.loads(archive.read("config.json"))
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}
    config["config"]["layers"].append(
        {"module": "keras.layers", "class_name": "Lambda", "registered_name": None, "config": {"function": code}}
    )
    return json.dumps(config).encode()


def tflite(function: Callable[[Any], Any]) -> bytes:
    """The healthy run with another model.tflite. `function`: from images to probabilities."""
    import tensorflow as tf

    signature = [tf.TensorSpec((None, 28, 28, 1), tf.float32, name="image")]
    concrete = tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
    return with_file("model.tflite", bytes(tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()))


def outer_product(image: Any) -> Any:
    """Multiplies the pixels with themselves and again: 120 GB for a batch, from a hundred bytes."""
    import tensorflow as tf

    flat = tf.reshape(image, (-1, 784))
    cube = flat[:, :, None, None] * flat[:, None, :, None] * flat[:, None, None, :]
    return tf.nn.softmax(tf.reduce_sum(cube, (2, 3))[:, :10])


def endless_loop(image: Any) -> Any:
    """Never ends once a pixel has one certain value."""
    import tensorflow as tf

    total = tf.reduce_max(image)
    (value,) = tf.while_loop(lambda each: tf.equal(each, 77.0), lambda each: (each * 1.0,), (total,))
    return tf.nn.softmax(tf.reshape(image, (-1, 784))[:, :10] * 0 + value * 0)


def tiled(image: Any) -> Any:
    """Repeats an image as often as its first pixel says."""
    import tensorflow as tf

    times = tf.cast(image[0, 0, 0, 0], tf.int32) * 4000 + 1
    wide = tf.tile(tf.reshape(image, (-1, 784)), tf.stack([1, times]))
    return tf.nn.softmax(wide[:, :10])


def noise(content: bytes) -> bytes:
    """The content with 300 random bytes."""
    dice, noisy = random.Random(0), bytearray(content)
    for _ in range(300):
        noisy[dice.randrange(8, len(noisy))] = dice.randrange(256)
    return bytes(noisy)
