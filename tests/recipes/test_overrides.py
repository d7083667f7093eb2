"""Overrides: the settings that differ from a recipe's."""

from __future__ import annotations

import pytest

from mnist_core.errors import ArchitectureError
from mnist_core.networks.architecture import layers_to_json
from mnist_core.networks.layers import Dense, Dropout, Flatten, Rescaling
from mnist_core.recipes.overrides import apply_overrides, overrides_for
from mnist_core.recipes.recipes import RECIPES

SMALL = (Rescaling(1 / 255), Flatten(), Dense(16, "relu"), Dense(10, "softmax"))


def test_overrides_contain_the_layers_only_if_more_than_dropout_differs() -> None:
    base = RECIPES["zepeda-cnn"].settings
    own = apply_overrides(base, {"layers": layers_to_json(SMALL), "epochs": 3})
    assert overrides_for(own, base) == {"layers": layers_to_json(SMALL), "epochs": 3}
    assert overrides_for(apply_overrides(base, {"dropout": 0.4}), base) == {"dropout": 0.4}
    with pytest.raises(ArchitectureError, match="Lambda"):
        apply_overrides(base, {"layers": [{"layer": "Lambda"}]})


def test_dropout_applies_to_a_custom_network() -> None:
    found = apply_overrides(RECIPES["fast"].settings, {"layers": layers_to_json(SMALL), "dropout": 0.5})
    assert found.layers == (*SMALL[:3], Dropout(0.5), SMALL[3])
