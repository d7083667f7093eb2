"""Makes the attack zips in tests/faults/attacks/: `python -m tests.faults.make_attacks`.

Each is the small run of tests/compatibility with one thing wrong. The zips are committed; making them takes TensorFlow
and some seconds. `tests/faults/test_attacks.py` imports them.
"""

from __future__ import annotations

import pickle
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.faults.attack_archives import CreatesFile, lying_sizes, npy, npz, overlapping, zip64
from tests.faults.attack_models import (
    chunked,
    endless_loop,
    external_storage,
    fill_values,
    hard_link_circle,
    huge_kernel,
    keras_file,
    lambda_config,
    many_groups,
    noise,
    outer_product,
    soft_links,
    tflite,
    tiled,
    virtual,
    with_weights,
)
from tests.faults.run_zips import ID, entry, files_without_models, healthy_files, run_zip, with_file, with_json

FOLDER = Path(__file__).with_name("attacks")


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
        "model.keras", keras_file({"model.weights.h5": bytes(60_000_000)}, zipfile.ZIP_DEFLATED)
    ),
    "keras-lambda": lambda: with_file("model.keras", keras_file({"config.json": lambda_config()})),
    "keras-assets": lambda: with_file("model.keras", keras_file({"assets/../../x.py": b"print(1)"})),
    "tflite-outer-product": lambda: tflite(outer_product),
    "tflite-loop": lambda: tflite(endless_loop),
    "tflite-tile": lambda: tflite(tiled),
    "tflite-cut": lambda: with_file("model.tflite", healthy_files()["model.tflite"][:3000]),
    "tflite-noise": lambda: with_file("model.tflite", noise(healthy_files()["model.tflite"])),
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


def main() -> None:
    """Writes every attack as NAME.zip."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in {**HARMLESS, **REFUSED}.items():
        content = make()
        (FOLDER / f"{name}.zip").write_bytes(content)
        print(f"{len(content):>9,}  {name}")


if __name__ == "__main__":
    main()
