"""The sentences about one digit, on arrays made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mnist_core.explain import findings


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ((0, 0), "at the top left"),
        ((14, 14), "in the middle"),
        ((27, 14), "at the bottom"),
        ((14, 27), "on the right"),
        ((9, 9), "at the top left"),
        ((10, 10), "in the middle"),
    ],
)
def test_region(place: tuple[int, int], name: str) -> None:
    assert findings.region(*place, 28) == name


def test_attribution() -> None:
    values = np.zeros((28, 28), np.float32)
    assert findings.attribution(values, 7) == "No pixel speaks for a 7."
    values[2, 2] = 1.0
    assert findings.attribution(values, 8) == "The pixels at the top left speak most for an 8."
    values[14, 14] = -0.05
    assert "against" not in findings.attribution(values, 8), "too little to be seen"
    values[14, 14] = -3.0
    expected = "The pixels at the top left speak most for “not a digit”, those in the middle most against it."
    assert findings.attribution(values, 10) == expected
    values[2, 2] = 0
    assert findings.attribution(values, 7) == "The pixels in the middle speak most against a 7."
    assert findings.attribution(np.full((28, 28), 0.5), 7) == "All pixels speak equally for a 7."


def test_neighbors() -> None:
    assert findings.neighbors([7, 7, 9], 7) == ("2 of the 3 most similar training digits are labeled 7, as predicted.")
    assert findings.neighbors([9, 9], 7).startswith("None of the 2 most similar training digits is labeled 7")
    assert findings.neighbors([9, 4, 9], 10).endswith("the most similar training digits are labeled 4, 9.")


def test_growth() -> None:
    moments = ["before training", "after 1 step", "after 6 steps"]
    read = np.eye(10, dtype=np.float32)
    assert findings.growth(moments, read[[3, 2, 7]]) == "It is more than 50% sure of a 7 after 6 steps and later."
    assert findings.growth(moments, read[[7, 2, 7]]).endswith("after 6 steps and later.")
    assert findings.growth(moments, read[[7, 7, 7]]).endswith("at every moment, even before training.")
    rejected = "At the end, it rejects the image: the most probable digit, 7, has 40%."
    assert findings.growth(moments, 0.4 * read[[7, 7, 7]]) == rejected
    unsure = np.full((3, 10), 0.06, np.float32)
    unsure[:, 7] = 0.1, 0.95, 0.46
    expected = "At the end, it is not more than 50% sure: the probability of a 7 is 46%."
    assert findings.growth(moments, unsure) == expected


def test_channels_name_the_strongest_and_count_those_that_are_zero() -> None:
    values = np.zeros((4, 4, 3), np.float32)
    values[3, 0, 1] = 2.5
    assert findings.channels(values) == "Channel 1 has the largest value, 2.5; 2 of 3 channels are zero everywhere."
    assert findings.channels(values[..., 1:2]) == "Channel 0 has the largest value, 2.5."
    assert findings.channel(values[..., 1]) == "Its largest value, 2.5, is at the bottom left."
    assert findings.channel(values[..., 0]) == "It is zero everywhere."
    assert findings.channel(np.full((1, 1), 2.5, np.float32)) == "It is 2.5 everywhere."


def test_units_name_the_largest_and_count_those_that_are_zero() -> None:
    assert findings.units(np.array([0.5, 0, 2], np.float32)) == "Unit 2 has the largest value, 2; 1 of 3 units is zero."
    assert findings.units(np.array([0.5, 2], np.float32)) == "Unit 1 has the largest value, 2."
