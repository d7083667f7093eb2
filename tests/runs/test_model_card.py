"""The network of a model comes from the spec of its run, or from its card."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mnist_core.errors import ModelError, RunError
from mnist_core.files.json_reader import read_json
from mnist_core.files.write import write_json
from mnist_core.models.classifier import DEFAULT_MODEL
from mnist_core.networks.layers import Conv2D
from mnist_core.recipes.recipes import RECIPES
from mnist_core.runs.model_card import load_architecture, spec_from_card
from mnist_core.runs.spec import make_spec
from mnist_core.runs.store import create_run

CARD = read_json(DEFAULT_MODEL.with_name("card.json"))
"""The card of the shipped model."""


def test_the_network_of_the_shipped_model_comes_from_its_card() -> None:
    network = load_architecture(DEFAULT_MODEL.parent)
    assert network.parameters == CARD["parameters"] and network.layers != RECIPES["best"].settings.layers
    assert [layer.filters for layer in network.layers if isinstance(layer, Conv2D)] == [40, 56, 96, 112, 112, 160, 192]


def test_the_network_of_a_run_comes_from_its_spec_even_without_a_card() -> None:
    run = create_run(make_spec("fast", {"uncentered": True}))
    assert load_architecture(run.path).input_size == 56
    run.write_card(CARD)
    assert load_architecture(run.path).layers == RECIPES["fast"].settings.layers


def test_a_card_contains_the_spec_of_its_run() -> None:
    spec = spec_from_card(CARD, "default")
    assert (spec.recipe, spec.kind, spec.data, spec.seed) == ("best", "own", "full", 0)
    assert spec.settings == make_spec("best", spec.overrides).settings
    assert spec_from_card({**CARD, "data": {"asked": "sample"}}, "default").data == "sample"
    assert spec_from_card({**CARD, "data": "an old card"}, "default").data == "full"


@pytest.mark.parametrize("change", [{"settings": {}}, {"settings": None}, {"schema": 0}, {"data": {}}, {"seed": -1}])
def test_a_broken_card_is_an_error_that_names_the_model(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="some-run"):
        spec_from_card({**CARD, **change}, "some-run")
    write_json(tmp_path / "card.json", {**CARD, **change})
    with pytest.raises(ModelError, match=re.escape(str(tmp_path))):
        load_architecture(tmp_path)


def test_a_broken_spec_is_an_error_that_names_the_file() -> None:
    run = create_run(make_spec("fast"))
    (run.path / "spec.json").write_text("{}")
    run.write_card(CARD)
    with pytest.raises(RunError, match=r"spec\.json"):
        load_architecture(run.path)


def test_a_folder_without_a_card_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=re.escape(str(tmp_path))):
        load_architecture(tmp_path)
