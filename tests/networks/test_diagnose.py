"""What is wrong with a network, and that what is offered mends it: the architecture's own check is the judge."""

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
    ("layers", "position", "word", "title", "mended"),
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
            "A window of 4",
            (SCALE, MaxPooling2D(7), MaxPooling2D(4), Flatten(), END),
        ),
        (
            (SCALE, Flatten(), Dense(10)),
            3,
            "no probabilities",
            "Give it the activation softmax",
            (SCALE, Flatten(), END),
        ),
        ((SCALE, Flatten(), Dense(7, "softmax")), 3, "ends in 7 values", "Give it 10 units", (SCALE, Flatten(), END)),
        (
            (SCALE, Flatten(), Dense(64, "relu")),
            3,
            "no probabilities",
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
        ((), 0, "no layer yet", "Begin with the smallest that can learn", (SCALE, Flatten(), END)),
        (
            (SCALE, Flatten(), Dense(9000, "relu"), END),
            3,
            "units is 9000",
            "Take the nearest that is allowed",
            (SCALE, Flatten(), Dense(8192, "relu"), END),
        ),
    ],
)
def test_error_is_told_at_its_layer_with_a_mend(
    layers: tuple[Layer, ...], position: int, word: str, title: str, mended: tuple[Layer, ...]
) -> None:
    problem = diagnose.diagnose(layers)[0]
    assert problem.is_error and problem.position == position and word in problem.message
    offered = {mend.title: mend.layers for mend in problem.fixes}
    assert offered[title] == mended
    assert works(mended) and not works(layers)


@pytest.mark.parametrize(
    ("layers", "position", "word", "mended"),
    [
        ((Flatten(), END), 0, "0 to 255", (SCALE, Flatten(), END)),
        ((SCALE, Flatten(), Flatten(), END), 3, "flat already", (SCALE, Flatten(), END)),
        ((SCALE, SCALE, Flatten(), END), 2, "twice", (SCALE, Flatten(), END)),
        (
            (SCALE, Flatten(), Dense(20), Dropout(0.1), END),
            3,
            "no activation",
            (SCALE, Flatten(), Dense(20, "relu"), Dropout(0.1), END),
        ),
        (
            (SCALE, Flatten(), Dense(20, "softmax"), END),
            3,
            "before the end",
            (SCALE, Flatten(), Dense(20, "relu"), END),
        ),
    ],
)
def test_hint_leaves_the_network_trainable(
    layers: tuple[Layer, ...], position: int, word: str, mended: tuple[Layer, ...]
) -> None:
    (problem,) = diagnose.diagnose(layers)
    assert not problem.is_error and problem.position == position and word in problem.message
    assert problem.fixes[0].layers == mended
    assert works(layers) and diagnose.diagnose(mended) == ()


def test_nothing_is_wrong_with_what_is_between_linear_layers() -> None:
    for between in (ReLU(), MaxPooling2D()):
        assert diagnose.diagnose((SCALE, Conv2D(4, 3), between, Conv2D(4, 3, activation="relu"), Flatten(), END)) == ()
    assert diagnose.diagnose((BatchNormalization(), Flatten(), END)) == (), "it scales the pixels itself"


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_have_no_error(name: str) -> None:
    settings = RECIPES[name].settings
    found = diagnose.diagnose(settings.layers, settings.architecture.input_size)
    assert [problem for problem in found if problem.is_error] == []
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
    problem = diagnose.diagnose(layers)[0]
    assert problem.is_error and "at most 20,000,000" in problem.message
    assert problem.fixes and all(works(mend.layers) for mend in problem.fixes)
    assert problem.fixes[0].layers[-1] == END


def test_too_many_layers() -> None:
    layers = (SCALE, *[ReLU()] * MAX_LAYERS, Flatten(), END)
    problem = diagnose.diagnose(layers)[0]
    assert problem.is_error and f"{MAX_LAYERS + 3} layers" in problem.message
    assert works(diagnose.apply_first_fixes(layers))


@pytest.mark.parametrize("layers", EXAMPLES)
def test_what_works_has_no_error(layers: tuple[Layer, ...]) -> None:
    assert [problem for problem in diagnose.diagnose(layers) if problem.is_error] == []


@given(st.lists(LAYER, max_size=8), st.sampled_from([28, 56]))
def test_errors_are_found_exactly_where_the_architecture_refuses_and_their_mends_lead_to_one_that_works(
    layers: list[Layer], size: int
) -> None:
    stack = tuple(layers)
    errors = [problem for problem in diagnose.diagnose(stack, size) if problem.is_error]
    assert bool(errors) != works(stack, size)
    assert all(0 <= problem.position <= len(stack) for problem in errors)
    assert works(diagnose.apply_first_fixes(stack, size), size)
