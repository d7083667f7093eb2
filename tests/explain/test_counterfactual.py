"""Counterfactuals: the prediction changes as reported, after few patches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.explain import counterfactual
from mnist_core.models import convert
from mnist_core.models.classifier import DEFAULT_MODEL, Classifier
from mnist_core.networks.architecture import Architecture
from mnist_core.networks.keras_model import build_model
from mnist_core.networks.layers import Dense, Flatten


@pytest.fixture(scope="module", params=[28, 56])
def scales(request: Any, keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that weighs ink: 1 for ink to the left, 7 for ink to the right, 3 where there is none."""
    size = request.param
    weights = np.zeros((size, size, 11), np.float32)
    weights[:, : size // 2, 1] = weights[:, size // 2 :, 7] = 0.001
    bias = np.full(11, -9.0, np.float32)
    bias[[1, 3, 7]] = 0, 0.1, 0
    architecture = Architecture((Flatten(), Dense(11, "softmax")), size)
    model = build_model(architecture)
    model.set_weights([weights.reshape(-1, 11), bias])
    path = tmp_path_factory.mktemp("scales") / "model.tflite"
    path.write_bytes(convert.convert(model, architecture))
    return path


def blocks(*places: tuple[int, int]) -> np.ndarray:
    image = np.zeros((28, 28), np.uint8)
    for row, column in places:
        image[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 255
    return image


def test_the_fewest_patches_are_erased(scales: Path) -> None:
    """Four to the left, three to the right: two less to the left, and it is a 7."""
    image = blocks((3, 2), (4, 2), (5, 2), (6, 2), (3, 11), (4, 11), (5, 11))
    found = counterfactual.search_one_edit(Classifier(scales), image, "erase")
    assert found.changed_class and found.classes == (1, 7) and len(found.patches) == 2
    assert {column for _, column in found.patches} == {2}
    assert (found.before == image).all() and found.after.sum() == image.sum() - 2 * 4 * 255


def test_patches_are_drawn_next_to_ink(scales: Path) -> None:
    image = blocks((3, 2), (4, 2), (5, 11))
    found = counterfactual.search_one_edit(Classifier(scales), image, "draw")
    assert found.changed_class and found.classes == (1, 7) and len(found.patches) == 2
    inked = [(5, 11)]
    for place in found.patches:
        assert any(max(abs(place[0] - row), abs(place[1] - column)) == 1 for row, column in inked)
        inked.append(place)
    assert (found.after >= image).all() and found.after.sum() == image.sum() + 2 * 4 * 255


def test_the_smaller_of_both_edits_is_returned(scales: Path) -> None:
    """One patch on to the right would not do, one less to the left neither: two, and rubbing out comes first."""
    image = blocks((3, 2), (4, 2), (5, 2), (5, 11), (6, 11))
    best = counterfactual.find_counterfactual(Classifier(scales), image)
    each = [counterfactual.search_one_edit(Classifier(scales), image, way) for way in counterfactual.PATCH_VALUES]
    assert best.changed_class and len(best.patches) == min(len(one.patches) for one in each if one.changed_class)


def test_a_search_without_success_returns_the_same_class(scales: Path) -> None:
    image = blocks(*((row, column) for row in range(3, 9) for column in range(1, 5)))
    found = counterfactual.find_counterfactual(Classifier(scales), image, 3)
    assert not found.changed_class and found.classes == (1, 1) and len(found.patches) == 3
    empty = counterfactual.search_one_edit(Classifier(scales), blocks(), "erase")
    assert not empty.changed_class and empty.patches == ()


def test_counterfactuals_of_the_shipped_model_have_the_reported_classes(sample: Any) -> None:
    classifier = Classifier(DEFAULT_MODEL)
    found = [counterfactual.find_counterfactual(classifier, image) for image in sample.x_test[:200:50]]
    assert any(change.changed_class for change in found)
    for change in found:
        assert classifier.predict(change.before).label == change.classes[0]
        assert classifier.predict(change.after).label == change.classes[1]
        assert change.changed_class == (change.classes[0] != change.classes[1])
        changed = {(int(row) // 2, int(column) // 2) for row, column in np.argwhere(change.before != change.after)}
        assert changed <= set(change.patches) and len(change.patches) <= counterfactual.MAX_PATCHES
