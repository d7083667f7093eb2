"""A model.bin is made once, again when the model was replaced, and never for a network too large for a browser."""

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from mnist_core.browser.model_files import BROWSER_MODEL, read_browser_model
from mnist_core.browser.weights_file import browser_model, read_header
from mnist_core.errors import ModelError
from mnist_core.files.write import write_bytes
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.networks.layers import Conv2D, Dense, Flatten, GlobalMaxPooling2D, MaxPooling2D, ReLU
from mnist_core.recipes.settings import Settings
from mnist_core.runs.run import Run
from mnist_core.runs.spec import RunSpec
from mnist_core.runs.store import create_run
from tests.support import Trained

OUTPUT = Dense(10, "softmax")


def new_run(*layers) -> Run:
    return create_run(RunSpec("fast", Settings((*layers, OUTPUT), 100, 1), "sample"))


def save_weights(run: Run, value: float) -> None:
    """Writes the model.keras of a network of one dense layer whose weights all have this value."""
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        weights["layers/dense/vars/0"] = np.full((784, 10), value, "f4")
        weights["layers/dense/vars/1"] = np.full(10, value, "f4")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("model.weights.h5", file.getvalue())
    write_bytes(run.path / "model.keras", packed.getvalue())


@pytest.fixture
def run() -> Run:
    run = new_run(Flatten())
    save_weights(run, 0.5)
    return run


def made_of(run: Run, value: float) -> bytes:
    weights = [(), (np.full((784, 10), value, "f4"), np.full(10, value, "f4"))]
    about = {"source": read_header(read_browser_model(run.path))["source"]}
    return browser_model(run.spec().settings.architecture, weights, about=about)


def test_a_model_is_made_once_and_again_when_it_is_replaced(run: Run) -> None:
    path = run.path / BROWSER_MODEL
    assert read_browser_model(run.path) == path.read_bytes() == made_of(run, 0.5)
    before = path.stat().st_ino
    assert read_browser_model(run.path) == path.read_bytes() and path.stat().st_ino == before
    save_weights(run, -0.25)
    assert read_browser_model(run.path) == path.read_bytes() == made_of(run, -0.25)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:100] + b"\xff" + content[101:],
        lambda content: content[:4] + b"\x02" + content[5:],
        lambda content: b"",
    ],
)
def test_a_file_that_cannot_be_used_is_made_again(run: Run, damage) -> None:
    whole = read_browser_model(run.path)
    (run.path / BROWSER_MODEL).write_bytes(damage(whole))
    assert read_browser_model(run.path) == (run.path / BROWSER_MODEL).read_bytes() == whole


def test_a_folder_that_cannot_be_written_to(run: Run) -> None:
    """As root may write everywhere, a folder is in the way of the file."""
    (run.path / BROWSER_MODEL).mkdir()
    assert read_browser_model(run.path) == made_of(run, 0.5)


def test_several_readers_at_once(run: Run) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read_browser_model, [run.path] * 16))
    assert set(found) == {made_of(run, 0.5)}
    assert sorted(path.name for path in run.path.glob("*model*")) == [BROWSER_MODEL, "model.keras"]


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ((Flatten(), Dense(5000), Dense(100)), "4,426,110 parameters"),
        ((Conv2D(64, 5), Conv2D(512, 5, padding="same"), GlobalMaxPooling2D()), "multiplications per image"),
        ((Conv2D(1000, 1), MaxPooling2D(14, 1), GlobalMaxPooling2D()), "44,100,000 values to pool per image"),
        ((Conv2D(1000, 1), *[ReLU()] * 25, GlobalMaxPooling2D()), "20,385,010 outputs of its layers"),
    ],
)
def test_a_network_that_is_too_large_is_left_to_the_server(layers, words: str) -> None:
    run = new_run(*layers)
    with pytest.raises(ModelError, match=f"{words}.* on the server only"):
        read_browser_model(run.path)
    assert not (run.path / BROWSER_MODEL).exists()


def test_weights_that_cannot_be_used(run: Run) -> None:
    save_weights(run, np.nan)
    with pytest.raises(ModelError, match="not a finite number"):
        read_browser_model(run.path)
    (run.path / "model.keras").write_bytes(b"no zip")
    with pytest.raises(ModelError, match="cannot be read"):
        read_browser_model(run.path)
    (run.path / "model.keras").unlink()
    with pytest.raises(ModelError, match="no model.keras.* on the server only"):
        read_browser_model(run.path)


def test_the_shipped_model_is_made_and_not_written() -> None:
    assert read_header(read_browser_model(DEFAULT_MODEL.parent))["input_size"] == 28
    assert not (DEFAULT_MODEL.parent / BROWSER_MODEL).exists()


def test_the_worker_writes_what_is_made_on_demand(trained: Trained, tmp_path: Path) -> None:
    for name in ("spec.json", "model.keras"):
        write_bytes(tmp_path / name, (trained.run.path / name).read_bytes())
    assert read_browser_model(tmp_path) == (trained.run.path / BROWSER_MODEL).read_bytes()
