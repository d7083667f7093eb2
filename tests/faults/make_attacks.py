"""Makes the attack zips in tests/faults/attacks/: `python -m tests.faults.make_attacks`.

Each is the small run of tests/compatibility with one thing wrong. The zips are committed; making them takes TensorFlow
and some seconds. `tests/faults/test_attacks.py` imports them.
"""

from __future__ import annotations

import io
import json
import pickle
import random
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tests.compatibility.test_older_files import FILES, RUN

FOLDER = Path(__file__).with_name("attacks")
ID = "20260101-000000-own-12345678"
DATE = (2026, 11, 26, 0, 0, 0)
"""In every zip, so that the same attack is the same file."""

Files = dict[str, bytes]
Entry = tuple[str | zipfile.ZipInfo, bytes]


def healthy_files() -> Files:
    """The files of a run of two epochs with a small network, as an older version wrote it."""
    kept = ("spec.json", "status.json", "card.json", "metrics.jsonl", "model.keras", "model.tflite", "wall.npz")
    with zipfile.ZipFile(FILES) as archive:
        return {name: archive.read(f"{RUN}/{name}") for name in kept}


def files_without_models() -> Files:
    """Its files that are no models: enough for most attacks."""
    return {name: content for name, content in healthy_files().items() if not name.startswith("model.")}


def zipped(entries: Iterable[Entry], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these entries, however odd their names."""
    packed = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", how) as archive:
        warnings.simplefilter("ignore")  # a name that is there twice
        for name, content in entries:
            info = name if isinstance(name, zipfile.ZipInfo) else entry(name)
            if info.compress_type == zipfile.ZIP_STORED:
                info.compress_type = how
            archive.writestr(info, content)
    return packed.getvalue()


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    """An entry whose name is taken as it is."""
    info = zipfile.ZipInfo("x", DATE)
    info.filename = info.orig_filename = name
    info.create_system, info.external_attr = 3, mode << 16
    return info


def run_zip(files: Mapping[str, bytes], run_id: str = ID, more: Iterable[Entry] = ()) -> bytes:
    """The zip of a run, and further entries."""
    return zipped([*((f"{run_id}/{name}", content) for name, content in files.items()), *more])


def with_file(name: str, content: bytes) -> bytes:
    """The healthy run with another file; without its models, unless that is one."""
    files = healthy_files() if name.startswith("model.") else files_without_models()
    return run_zip({**files, name: content})


def with_json(change: Callable[[dict[str, Any]], object], *names: str, models: bool = False) -> bytes:
    """The healthy run with a change of some of its JSON files."""
    files = healthy_files() if models else files_without_models()
    for name in names:
        value = json.loads(files[name])
        change(value)
        files[name] = json.dumps(value).encode()
    return run_zip(files)


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


def npz(**arrays: bytes) -> bytes:
    """An .npz of .npy files that are given as bytes."""
    return zipped(((f"{name}.npy", content) for name, content in arrays.items()))


def npy(shape: str, dtype: str = "|u1", data: bytes = b"") -> bytes:
    """An .npy file whose header says what it likes."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def overlapping(times: int) -> bytes:
    """Entries that all point at the same ten megabytes of zeros."""
    files = {"spec.json": healthy_files()["spec.json"], "log.txt": bytes(900_000)}
    content = bytearray(run_zip(files))
    end = content.rindex(b"PK\x05\x06")
    start = int.from_bytes(content[end + 16 : end + 20], "little")
    record = content.index(b"PK\x01\x02", start + 1)
    kept, entries = bytes(content[record:end]), [bytes(content[start:record])]
    for number in range(times):
        name = f"{ID}/events/train/events.out.tfevents.{number}".encode()
        entries.append(kept[:28] + struct.pack("<H", len(name)) + kept[30:46] + name)
    directory = b"".join(entries)
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, times + 1, times + 1, len(directory), start, 0)
    return bytes(content[:start]) + directory + tail


def lying_sizes() -> bytes:
    """A descriptor that says 10 bytes where 9 MB come out."""
    content = bytearray(run_zip({**files_without_models(), "log.txt": bytes(9_000_000)}))
    return bytes(content).replace((9_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))


def zip64() -> bytes:
    """The healthy run, with a zip64 locator that says there are 2**40 entries."""
    content = run_zip(files_without_models())
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, len(content) - 22 - 56, 1)
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2**40, 2**40, 2**40, 0)
    return content[:-22] + record + locator + content[-22:]


class CreatesFile:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return (open, ("pickle-was-here", "w"))


def set_data(value: dict[str, Any], data: str) -> None:
    """Names a data set, in a spec or a card."""
    if isinstance(value["data"], dict):
        value["data"]["asked"] = data
    else:
        value["data"] = data


SPEC, CARD, STATUS = "spec.json", "card.json", "status.json"
MARKDOWN = "![x](http://evil.example/x.png) <script>alert(1)</script>"

HARMLESS: dict[str, Callable[[], bytes]] = {
    "data-dev-zero": lambda: with_json(lambda value: set_data(value, "/dev/zero"), SPEC, CARD, models=True),
    "data-fifo": lambda: with_json(lambda value: set_data(value, "/proc/self/mem"), SPEC, CARD),
    "data-markdown": lambda: with_json(lambda value: set_data(value, MARKDOWN), SPEC, CARD),
    "created-in-2090": lambda: with_json(lambda value: value.update(created=3.8e9), SPEC, CARD),
    "boasting": lambda: with_json(lambda value: value.update(test_accuracy=1.0, val_accuracy=1.0), CARD, models=True),
    "id-drawings": lambda: run_zip(files_without_models(), "drawings"),
    "id-networks": lambda: run_zip(files_without_models(), "networks"),
    "id-sweeps": lambda: run_zip(files_without_models(), "sweeps"),
    "id-default": lambda: run_zip(healthy_files(), "default"),
    "id-nobody": lambda: run_zip(files_without_models(), "nobody"),
    "checkpoint-bomb": lambda: run_zip(healthy_files(), more=[(f"{ID}/checkpoint/state.npz", bytes(50_000_000))]),
    "running": lambda: with_json(lambda value: value.update(state="running", pid=1, heartbeat=3.9e9), STATUS),
}
"""Attacks that are imported: what they are after does not happen."""

REFUSED: dict[str, Callable[[], bytes]] = {
    "status-epoch": lambda: with_json(lambda value: value.update(epoch=10**30), STATUS),
    "status-negative": lambda: with_json(lambda value: value.update(steps=-1), STATUS),
    "card-markdown": lambda: with_json(lambda value: value["data"].update(name=MARKDOWN), CARD),
    "card-accuracy": lambda: with_json(lambda value: value.update(test_accuracy=1e300), CARD),
    "card-confusion": lambda: with_json(lambda value: value["test"].update(confusion=[[10**30] * 10] * 10), CARD),
    "card-surrogate": lambda: with_file(CARD, healthy_files()[CARD].replace(b'"recipe"', b'"\\ud800": 1, "recipe"')),
    "spec-deep": lambda: with_file(SPEC, b'{"a":' * 100_000),
    "spec-base": lambda: with_json(lambda value: value.update(base="../../x"), SPEC, CARD),
    "metrics-flood": lambda: with_file("metrics.jsonl", b'{"step":1}\n' * 2_700_000),
    "metrics-long-line": lambda: with_file("metrics.jsonl", b'{"step":1,"text":"' + b"x" * 900_000 + b'"}\n'),
    "metrics-huge-number": lambda: with_file("metrics.jsonl", b'{"step":1' + b"0" * 3000 + b"}\n"),
    "log-bomb": lambda: with_file("log.txt", bytes(16_000_000)),
    "total-bomb": lambda: run_zip(
        files_without_models(), more=[(f"{ID}/events/train/events.out.tfevents.{n}", bytes(990_000)) for n in range(50)]
    ),
    "overlap": lambda: overlapping(50),
    "lying-sizes": lying_sizes,
    "zip64": zip64,
    "wall-shape": lambda: with_file("wall.npz", npz(images=npy("(99999999999, 28, 28)"), labels=npy("(9,)"))),
    "wall-bomb": lambda: with_file("wall.npz", npz(images=npy("(90000000,)", data=bytes(90_000_000)))),
    "wall-pickle": lambda: with_file(
        "wall.npz", npz(images=npy("(1,)", "|O", pickle.dumps(np.array([CreatesFile()], object))))
    ),
    "keras-fill-values": lambda: with_weights(fill_values),
    "keras-huge-kernel": lambda: with_weights(huge_kernel),
    "keras-chunked": lambda: with_weights(chunked),
    "keras-external": lambda: with_weights(external_storage),
    "keras-links": lambda: with_weights(soft_links),
    "keras-circle": lambda: with_weights(hard_link_circle),
    "keras-virtual": lambda: with_weights(virtual),
    "keras-groups": lambda: with_weights(many_groups),
    "keras-weights-bomb": lambda: with_file(
        "model.keras", _keras({"model.weights.h5": bytes(60_000_000)}, zipfile.ZIP_DEFLATED)
    ),
    "keras-lambda": lambda: with_file("model.keras", _keras({"config.json": _lambda_config()})),
    "keras-assets": lambda: with_file("model.keras", _keras({"assets/../../x.py": b"print(1)"})),
    "tflite-outer-product": lambda: tflite(outer_product),
    "tflite-loop": lambda: tflite(endless_loop),
    "tflite-tile": lambda: tflite(tiled),
    "tflite-cut": lambda: with_file("model.tflite", healthy_files()["model.tflite"][:3000]),
    "tflite-noise": lambda: with_file("model.tflite", _noise(healthy_files()["model.tflite"])),
    "name-traversal": lambda: run_zip(files_without_models(), more=[(f"{ID}/../../evil", b"x")]),
    "name-absolute": lambda: run_zip(files_without_models(), more=[("/etc/cron.d/evil", b"x")]),
    "name-windows": lambda: run_zip(files_without_models(), more=[("C:\\evil\\spec.json", b"x")]),
    "name-device": lambda: run_zip(files_without_models(), more=[(f"{ID}/NUL", b"x")]),
    "name-null": lambda: run_zip(files_without_models(), more=[(f"{ID}/log.txt\0.exe", b"x")]),
    "name-unicode": lambda: run_zip(files_without_models(), more=[(f"{ID}/ѕpec.json", b"x")]),
    "name-right-to-left": lambda: run_zip(files_without_models(), more=[(f"{ID}/\u202egol", b"x")]),
    "name-owner": lambda: run_zip(files_without_models(), more=[(f"{ID}/owner.json", b'{"owner": ""}')]),
    "name-sweep": lambda: run_zip(files_without_models(), more=[(f"{ID}/sweep.json", b"{}")]),
    "name-import": lambda: run_zip(files_without_models(), more=[(f"{ID}/import.json", b'{"measured": {}}')]),
    "name-trash": lambda: run_zip(files_without_models(), ".bin/1-x"),
    "symbolic-link": lambda: run_zip(
        files_without_models(), more=[(entry(f"{ID}/log.txt", stat.S_IFLNK | 0o777), b"/etc/passwd")]
    ),
    "pipe": lambda: run_zip(files_without_models(), more=[(entry(f"{ID}/log.txt", stat.S_IFIFO | 0o777), b"")]),
    "duplicate": lambda: run_zip(files_without_models(), more=[(f"{ID}/{SPEC}", b"{}")]),
    "two-runs": lambda: run_zip(files_without_models(), more=[("20260101-000000-own-87654321/spec.json", b"{}")]),
    "many-files": lambda: run_zip(files_without_models(), more=[(f"{ID}/{n}", b"") for n in range(900)]),
    "zip-in-zip": lambda: with_file("model.keras", run_zip(files_without_models())),
}
"""Attacks that are refused with a sentence."""


def _keras(changes: Files, how: int = zipfile.ZIP_STORED) -> bytes:
    with zipfile.ZipFile(io.BytesIO(healthy_files()["model.keras"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zipped({**members, **changes}.items(), how)


def _lambda_config() -> bytes:
    with zipfile.ZipFile(io.BytesIO(healthy_files()["model.keras"])) as archive:
        config = json.loads(archive.read("config.json"))
    code = {"class_name": "__lambda__", "config": {"code": "4wEAAAA="}}
    config["config"]["layers"].append(
        {"module": "keras.layers", "class_name": "Lambda", "registered_name": None, "config": {"function": code}}
    )
    return json.dumps(config).encode()


def _noise(content: bytes) -> bytes:
    dice, noisy = random.Random(0), bytearray(content)
    for _ in range(300):
        noisy[dice.randrange(8, len(noisy))] = dice.randrange(256)
    return bytes(noisy)


def main() -> None:
    """Writes every attack as NAME.zip."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in {**HARMLESS, **REFUSED}.items():
        content = make()
        (FOLDER / f"{name}.zip").write_bytes(content)
        print(f"{len(content):>9,}  {name}")


if __name__ == "__main__":
    main()
