"""Nearest neighbors, compared with a brute-force search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.errors import ModelError
from mnist_core.explain import neighbors
from mnist_core.models import activations
from mnist_core.models.activations import ActivationModel
from mnist_core.models.classifier import DEFAULT_MODEL

COUNT = 400


@pytest.fixture(scope="module")
def built(sample: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[ActivationModel, Path, list[float]]:
    layers, told = ActivationModel(DEFAULT_MODEL, 2), list[float]()
    path = neighbors.descriptor_path(DEFAULT_MODEL, tmp_path_factory.mktemp("neighbours") / "deeper", "some data")
    path.parent.mkdir()
    (path.parent / "neighbours-of-before.npy").write_bytes(b"")
    neighbors.write_descriptors(layers, sample.x_train[:COUNT], path, told.append)
    return layers, path, told


def test_neighbors_match_a_brute_force_search(built: tuple[ActivationModel, Path, list[float]], sample: Any) -> None:
    layers, path, _ = built
    described = neighbors.load_descriptors(path, COUNT)
    assert described is not None and described.shape == (COUNT, 768) and described.dtype == np.float16
    rows = layers.penultimate(sample.x_train[:COUNT]).astype(np.float64)
    for image in sample.x_test[:200:20]:
        wanted = layers.penultimate(image[None])[0]
        cosines = rows @ wanted / np.linalg.norm(rows, axis=1) / np.linalg.norm(wanted.astype(np.float64))
        found = neighbors.nearest_neighbors(described, wanted)
        assert len(found) == 10
        expected = np.sort(cosines)[::-1][:10]
        np.testing.assert_allclose([each.similarity for each in found], expected, atol=1e-3)
        np.testing.assert_allclose([cosines[each.index] for each in found], expected, atol=1e-3)


def test_a_model_with_too_many_features_is_refused(
    built: tuple[ActivationModel, Path, list[float]], sample: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activations, "MAX_FEATURES", 767)
    with pytest.raises(ModelError, match="768 inputs.* at most 767"):
        neighbors.write_descriptors(built[0], sample.x_train, tmp_path / "x.npy")
    assert list(tmp_path.iterdir()) == []


def test_a_training_digit_is_its_own_nearest_neighbor(
    built: tuple[ActivationModel, Path, list[float]], sample: Any
) -> None:
    layers, path, _ = built
    described = neighbors.load_descriptors(path, COUNT)
    assert described is not None
    for index in (0, 123, 399):
        first = neighbors.nearest_neighbors(described, layers.penultimate(sample.x_train[index : index + 1])[0], 1)[0]
        assert first.index == index and first.similarity == pytest.approx(1, abs=2e-3)


def test_neighbors_match_cosines_worked_out_by_hand() -> None:
    described = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], np.float16)
    found = neighbors.nearest_neighbors(described, np.array([0, 5], np.float32), 2)
    assert [each.index for each in found] == [1, 2]
    assert [each.similarity for each in found] == pytest.approx([1, 0.8], abs=1e-3)
    assert neighbors.nearest_neighbors(described, np.zeros(2, np.float32)) == [], "zeros have no direction"
    with pytest.raises(ModelError, match=r"2 numbers.*3"):
        neighbors.nearest_neighbors(described, np.zeros(3, np.float32))


def test_progress_rises_to_the_end(built: tuple[ActivationModel, Path, list[float]]) -> None:
    assert built[2] == sorted(built[2]) and built[2][-1] == 1


def test_each_model_and_data_set_has_its_own_file(
    built: tuple[ActivationModel, Path, list[float]], tmp_path: Path
) -> None:
    _, path, _ = built
    assert neighbors.descriptor_path(DEFAULT_MODEL, path.parent, "some data") == path
    assert neighbors.descriptor_path(DEFAULT_MODEL, path.parent, "other data") != path
    other = tmp_path / "model.tflite"
    other.write_bytes(DEFAULT_MODEL.read_bytes() + b"\0")
    assert neighbors.descriptor_path(other, path.parent, "some data") != path
    with pytest.raises(ModelError, match="no model at"):
        neighbors.descriptor_path(tmp_path / "none.tflite", tmp_path, "")


def test_broken_missing_and_other_files_are_not_loaded(
    built: tuple[ActivationModel, Path, list[float]], tmp_path: Path
) -> None:
    _, path, _ = built
    assert neighbors.load_descriptors(path, COUNT + 1) is None
    assert neighbors.load_descriptors(tmp_path / "none.npy", COUNT) is None
    cut = tmp_path / "cut.npy"
    for content in (b"", path.read_bytes()[:5000], b"nonsense" * 100):
        cut.write_bytes(content)
        assert neighbors.load_descriptors(cut, COUNT) is None
    assert list(path.parent.iterdir()) == [path], "nothing temporary is left, and nothing of a former model"
