"""Every error has a fix that Architecture accepts, and networks that can be trained have no errors."""

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
    GlobalMaxPooling2D,
    Layer,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Softmax,
)
from mnist_core.recipes.recipes import RECIPES
from tests.networks.test_architecture import EXAMPLES, LAYER

SCALE, END = Rescaling(1 / 255), Dense(10, "softmax")


def can_be_trained(layers: tuple[Layer, ...], size: int = 28) -> bool:
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
            "It has a window of 5, larger than",
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
    assert can_be_trained(fixed) and not can_be_trained(layers)


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
    assert can_be_trained(layers) and diagnose.diagnose(fixed) == ()


def test_an_activation_or_max_pooling_between_linear_layers_is_no_issue() -> None:
    for between in (ReLU(), MaxPooling2D()):
        assert diagnose.diagnose((SCALE, Conv2D(4, 3), between, Conv2D(4, 3, activation="relu"), Flatten(), END)) == ()
    assert diagnose.diagnose((BatchNormalization(), Flatten(), END)) == (), "it scales the pixels itself"
    assert diagnose.diagnose((Rescaling(0.5), Rescaling(2 / 255), Flatten(), END)) == (), "together to 0..1"


def test_recipes_have_no_issues_except_the_one_with_raw_pixels() -> None:
    for name, recipe in RECIPES.items():
        issues = diagnose.diagnose(recipe.settings.layers, recipe.settings.architecture.input_size)
        assert [issue for issue in issues if issue.is_error] == []
        assert bool(issues) == (name == "singh-mlp"), name


@pytest.mark.parametrize(
    "layers",
    [
        (SCALE, Flatten(), Dense(8192, "relu"), Dense(8192, "relu"), END),
        (SCALE, Conv2D(1024, 3, activation="relu"), Flatten(), Dense(64, "relu"), END),
        (SCALE, *[Conv2D(1024, 3, activation="relu")] * 4, GlobalAveragePooling2D(), END),
    ],
)
def test_a_network_with_too_many_parameters_can_be_made_smaller(layers: tuple[Layer, ...]) -> None:
    issue = diagnose.diagnose(layers)[0]
    assert issue.is_error and "at most 20,000,000" in issue.message
    assert issue.fixes and all(can_be_trained(fix.layers) for fix in issue.fixes)
    assert issue.fixes[0].layers[-1] == END


def test_no_pooling_is_offered_where_there_is_a_single_pixel() -> None:
    layers = (SCALE, Conv2D(8, 28), Flatten(), Dense(8192, "relu"), Dense(8192, "relu"), END)
    titles = [fix.title for issue in diagnose.diagnose(layers) for fix in issue.fixes]
    assert any("instead of 8,192" in title for title in titles) and "Insert MaxPooling2D before Flatten" not in titles


def test_a_network_with_too_many_layers_can_be_shortened() -> None:
    layers = (SCALE, *[ReLU()] * MAX_LAYERS, Flatten(), END)
    issue = diagnose.diagnose(layers)[0]
    assert issue.is_error and f"{MAX_LAYERS + 3} layers" in issue.message
    assert can_be_trained(diagnose.apply_first_fixes(layers))


def test_networks_that_can_be_trained_have_no_errors() -> None:
    for layers in EXAMPLES:
        assert [issue for issue in diagnose.diagnose(layers) if issue.is_error] == []


@given(st.lists(LAYER, max_size=8), st.sampled_from([28, 56]))
def test_a_network_has_errors_if_the_architecture_rejects_it_and_fixes_repair_it(
    layers: list[Layer], size: int
) -> None:
    stack = tuple(layers)
    errors = [issue for issue in diagnose.diagnose(stack, size) if issue.is_error]
    assert bool(errors) != can_be_trained(stack, size)
    assert all(0 <= issue.position <= len(stack) for issue in errors)
    assert can_be_trained(diagnose.apply_first_fixes(stack, size), size)


def test_max_pooling_between_two_layers_with_weights_is_not_linear() -> None:
    """A mean of a linear layer's outputs is linear, a maximum is not."""
    body = (SCALE, Conv2D(8, 3))
    average, maximum = (
        diagnose.diagnose((*body, pooling(), END)) for pooling in (GlobalAveragePooling2D, GlobalMaxPooling2D)
    )
    assert [issue.position for issue in average if "act as a single layer" in issue.message] == [2]
    assert not maximum
