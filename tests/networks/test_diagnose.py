"""The issues of a network, and fixes that work: Architecture decides what works."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnist_core.errors import ArchitectureError
from mnist_core.networks import diagnose
from mnist_core.networks.architecture import MAX_LAYERS, Architecture
from mnist_core.networks.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
)
from mnist_core.recipes.recipes import RECIPES
from tests.networks.test_architecture import EXAMPLES, LAYER

SCALE, END = Rescaling(1 / 255), Dense(10, "softmax")


def works(layers: tuple[Layer, ...], size: int = 28) -> bool:
    try:
        Architecture(layers, size)
    except ArchitectureError:
        return False
    return True


@pytest.mark.parametrize(
    ("layers", "position", "word", "title", "fixed"),
    [
        ((SCALE, Dense(10, "softmax")), 2, "needs a flat list", "Insert Flatten before it", (SCALE, Flatten(), END)),
        (
            (SCALE, Conv2D(8, 3, activation="relu"), END),
            3,
            "gets 26 × 26 × 8",
            "Insert Flatten before it",
            (SCALE, Conv2D(8, 3, activation="relu"), Flatten(), END),
        ),
        (
            (SCALE, Flatten(), Conv2D(8, 3, activation="relu"), END),
            3,
            "needs an image",
            "Move it before Flatten",
            (SCALE, Conv2D(8, 3, activation="relu"), Flatten(), END),
        ),
        (
            (SCALE, MaxPooling2D(7), MaxPooling2D(5), Flatten(), END),
            3,
            "window of 5 is larger",
            "Use a window of 4",
            (SCALE, MaxPooling2D(7), MaxPooling2D(4), Flatten(), END),
        ),
        (
            (SCALE, Flatten(), Dense(10)),
            3,
            "not probabilities",
            "Give it the activation softmax",
            (SCALE, Flatten(), END),
        ),
        ((SCALE, Flatten(), Dense(7, "softmax")), 3, "ends in 7 values", "Give it 10 units", (SCALE, Flatten(), END)),
        (
            (SCALE, Flatten(), Dense(64, "relu")),
            3,
            "not probabilities",
            "Add Dense(10, softmax)",
            (SCALE, Flatten(), Dense(64, "relu"), END),
        ),
        (
            (SCALE, Conv2D(8, 3, activation="relu")),
            2,
            "ends in 26 × 26 × 8",
            "Add Flatten and Dense(10, softmax)",
            (SCALE, Conv2D(8, 3, activation="relu"), Flatten(), END),
        ),
        (
            (SCALE, Conv2D(8, 3, activation="relu"), GlobalAveragePooling2D(), Softmax()),
            4,
            "ends in 8 values",
            "Insert Dense(10) before it",
            (SCALE, Conv2D(8, 3, activation="relu"), GlobalAveragePooling2D(), Dense(10), Softmax()),
        ),
        ((), 0, "no layers yet", "Start with the smallest network that can learn", (SCALE, Flatten(), END)),
        (
            (SCALE, Flatten(), Dense(9000, "relu"), END),
            3,
            "units is 9000",
            "Use the nearest allowed value",
            (SCALE, Flatten(), Dense(8192, "relu"), END),
        ),
    ],
)
def test_an_error_has_the_position_of_its_layer_and_a_fix(
    layers: tuple[Layer, ...], position: int, word: str, title: str, fixed: tuple[Layer, ...]
) -> None:
    issue = diagnose.diagnose(layers)[0]
    assert issue.is_error and issue.position == position and word in issue.message
    offered = {fix.title: fix.layers for fix in issue.fixes}
    assert offered[title] == fixed
    assert works(fixed) and not works(layers)


@pytest.mark.parametrize(
    ("layers", "position", "word", "fixed"),
    [
        ((Flatten(), END), 0, "0 to 255", (SCALE, Flatten(), END)),
        ((SCALE, Flatten(), Flatten(), END), 3, "already flat", (SCALE, Flatten(), END)),
        ((SCALE, SCALE, Flatten(), END), 2, "twice", (SCALE, Flatten(), END)),
        (
            (SCALE, Flatten(), Dense(20), Dropout(0.1), END),
            3,
            "Without an activation",
            (SCALE, Flatten(), Dense(20, "relu"), Dropout(0.1), END),
        ),
        (
            (SCALE, Flatten(), Dense(20, "softmax"), END),
            3,
            "before the last layer",
            (SCALE, Flatten(), Dense(20, "relu"), END),
        ),
    ],
)
def test_a_network_with_a_hint_can_be_trained(
    layers: tuple[Layer, ...], position: int, word: str, fixed: tuple[Layer, ...]
) -> None:
    (issue,) = diagnose.diagnose(layers)
    assert not issue.is_error and issue.position == position and word in issue.message
    assert issue.fixes[0].layers == fixed
    assert works(layers) and diagnose.diagnose(fixed) == ()


def test_an_activation_or_max_pooling_between_linear_layers_is_no_issue() -> None:
    for between in (ReLU(), MaxPooling2D()):
        assert diagnose.diagnose((SCALE, Conv2D(4, 3), between, Conv2D(4, 3, activation="relu"), Flatten(), END)) == ()
    assert diagnose.diagnose((BatchNormalization(), Flatten(), END)) == (), "it scales the pixels itself"


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_have_no_error(name: str) -> None:
    settings = RECIPES[name].settings
    found = diagnose.diagnose(settings.layers, settings.architecture.input_size)
    assert [issue for issue in found if issue.is_error] == []
    assert bool(found) == (name == "singh-mlp"), "which takes raw pixels, as published"


@pytest.mark.parametrize(
    "layers",
    [
        (SCALE, Flatten(), Dense(8192, "relu"), Dense(8192, "relu"), END),
        (SCALE, Conv2D(1024, 3, activation="relu"), Flatten(), Dense(64, "relu"), END),
        (SCALE, *[Conv2D(1024, 3, activation="relu")] * 4, GlobalAveragePooling2D(), END),
    ],
)
def test_a_network_that_is_too_large_is_made_smaller(layers: tuple[Layer, ...]) -> None:
    issue = diagnose.diagnose(layers)[0]
    assert issue.is_error and "at most 20,000,000" in issue.message
    assert issue.fixes and all(works(fix.layers) for fix in issue.fixes)
    assert issue.fixes[0].layers[-1] == END


def test_too_many_layers() -> None:
    layers = (SCALE, *[ReLU()] * MAX_LAYERS, Flatten(), END)
    issue = diagnose.diagnose(layers)[0]
    assert issue.is_error and f"{MAX_LAYERS + 3} layers" in issue.message
    assert works(diagnose.apply_first_fixes(layers))


@pytest.mark.parametrize("layers", EXAMPLES)
def test_what_works_has_no_error(layers: tuple[Layer, ...]) -> None:
    assert [issue for issue in diagnose.diagnose(layers) if issue.is_error] == []


@given(st.lists(LAYER, max_size=8), st.sampled_from([28, 56]))
def test_errors_are_those_that_the_architecture_rejects_and_their_fixes_lead_to_a_network_that_works(
    layers: list[Layer], size: int
) -> None:
    stack = tuple(layers)
    errors = [issue for issue in diagnose.diagnose(stack, size) if issue.is_error]
    assert bool(errors) != works(stack, size)
    assert all(0 <= issue.position <= len(stack) for issue in errors)
    assert works(diagnose.apply_first_fixes(stack, size), size)
