"""What is said beside the figures, for each way in which a model may have met the images before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mnist_core.data.mnist import Mnist
from mnist_core.evaluation import caveats


def mnist(name: str, notice: str = "") -> Mnist:
    images, labels = np.zeros((20, 28, 28), np.uint8), np.zeros(20, np.uint8)
    return Mnist(images, labels, images, labels, name, name, notice)


def card(name: str, split: str = "last-sixth") -> dict[str, Any]:
    return {"data": {"name": name}, "split": split}


@pytest.mark.parametrize(
    ("trained_on", "tested_on", "split", "words"),
    [
        ("full", "full", "last-sixth", []),
        ("full", "full", "last-fifth", []),
        ("full", "full", "half-test", ["Half of these images are the model's validation images"]),
        ("full", "full", "test-as-validation", ["validated on these very images"]),
        ("sample", "full", "half-test", ["knows none of these images"]),
        ("sample", "sample", "last-sixth", ["offline sample"]),
        ("sample", "sample", "half-test", ["offline sample", "Half of these images"]),
        ("full", "sample", "half-test", ["offline sample", "MNIST's training images"]),
        ("custom", "full", "half-test", []),
    ],
)
def test_what_it_has_seen(trained_on: str, tested_on: str, split: str, words: list[str]) -> None:
    said = caveats.mnist_caveats(card(trained_on, split), mnist(tested_on))
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


def test_notice_of_the_data_comes_first() -> None:
    data = replace(mnist("sample"), notice="No network.")
    assert caveats.mnist_caveats(card("sample"), data)[0] == "No network."


@pytest.mark.parametrize("odd", [{}, {"data": None}, {"data": "full"}, {"data": {}, "split": ["half-test"]}])
def test_card_that_lacks_things(odd: dict[str, Any]) -> None:
    assert caveats.mnist_caveats(odd, mnist("full")) == []
    assert "6 people" in caveats.pen_caveats(odd, [str(number) for number in range(6)])[0]


def test_input_and_outputs() -> None:
    assert caveats.input_caveats(28, 10) == []
    large, many = caveats.input_caveats(56, 100)
    assert "56×56" in large and "100 outputs" in many


def test_writers_that_the_model_knows() -> None:
    known = {"pen": {"trained_on_writers": ["a", "b"]}}
    assert "1 of these 2 people" in caveats.pen_caveats(known, ["b", "c"])[0]
    assert "did not train" in caveats.pen_caveats(known, ["c", "d"])[0]
