"""Settings that a sweep varies without an effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mnist_core.recipes.recipes import find_recipe
from mnist_core.recipes.relevance import NEEDS, RELEVANT_IF
from mnist_core.sweeps.ineffective import ineffective_settings
from mnist_core.sweeps.space_parser import parse_space

ADAM = find_recipe("lesson08-mlp").settings


@pytest.mark.parametrize(
    ("changes", "vary", "expected"),
    [
        ({}, ["momentum=0.5..0.99"], ["Momentum has no effect with Adam: it needs SGD."]),
        ({}, ["momentum=0.5..0.99", "optimizer=Adam,AdamW"], ["Momentum has no effect with Adam or AdamW"]),
        ({}, ["momentum=0.5..0.99", "optimizer=Adam,SGD"], []),
        ({"optimizer": "SGD"}, ["momentum=0.5..0.99", "beta_1=0.5..0.9"], ["Beta 1 has no effect with SGD"]),
        ({"optimizer": "SGD", "momentum": 0}, ["nesterov=true,false"], ["it needs SGD with momentum"]),
        ({"optimizer": "SGD", "momentum": 0}, ["nesterov=true,false", "momentum=0..0.9"], []),
        ({"schedule": "one-cycle"}, ["decay_factor=0.1,0.5"], ["Decay factor has no effect with one-cycle"]),
        ({}, ["batch_normalization_momentum=0.5,0.9"], ["has no effect: it needs a BatchNormalization layer"]),
        ({}, ["learning_rate=1e-4..1e-1:log", "beta_2=0.9,0.99"], []),
    ],
)
def test_a_setting_without_effect_is_named_with_what_it_needs(
    changes: dict[str, Any], vary: list[str], expected: list[str]
) -> None:
    sentences = ineffective_settings(parse_space(vary), replace(ADAM, **changes))
    assert len(sentences) == len(expected)
    assert all(part in sentence for part, sentence in zip(expected, sentences, strict=True))


def test_every_condition_says_what_it_needs() -> None:
    assert NEEDS.keys() == RELEVANT_IF.keys()
