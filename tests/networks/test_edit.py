"""Edits of a list of layers."""

from __future__ import annotations

import pytest

from mnist_core.errors import ArchitectureError
from mnist_core.fields import rule_violations
from mnist_core.networks import edit
from mnist_core.networks.layers import LAYERS, Conv2D, MaxPooling2D, ReLU


def test_edits_return_a_new_list() -> None:
    stack = (Conv2D(2, 3), ReLU(), MaxPooling2D())
    assert edit.move_layer(stack, 0, 5) == (ReLU(), MaxPooling2D(), Conv2D(2, 3))
    assert edit.move_layer(stack, 1, -5) == (ReLU(), Conv2D(2, 3), MaxPooling2D())
    assert edit.insert_layer(stack, 3, ReLU()) == (*stack, ReLU())
    assert edit.remove_layer(stack, 1) == (Conv2D(2, 3), MaxPooling2D())
    assert edit.change_layer(stack, 0, filters=9) == (Conv2D(9, 3), *stack[1:])
    assert stack == (Conv2D(2, 3), ReLU(), MaxPooling2D())


def test_default_layers_obey_the_rules() -> None:
    for kind in LAYERS:
        layer = edit.default_layer(kind)
        assert type(layer).__name__ == kind and rule_violations(layer) == []
        assert set(edit.layer_settings(layer)) == set(layer.__dataclass_fields__)


def test_unknown_layer_type_raises() -> None:
    with pytest.raises(ArchitectureError, match="Lambda"):
        edit.default_layer("Lambda")
