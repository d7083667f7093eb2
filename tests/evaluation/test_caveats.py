"""Caveats next to a model's metrics: which images the model has already seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mnist_core.data.mnist import Mnist
from mnist_core.evaluation import caveats


def mnist(name: str, notice: str = "") -> Mnist:
    images, labels = np.zeros((20, 28, 28), np.uint8), np.zeros(20, np.uint8)
    return Mnist(images, labels, images, labels, name, name, notice)


def card(name: str, split: str = "last-sixth") -> dict[str, Any]:
    return {"data": {"name": name}, "split": split}


def test_each_way_in_which_a_model_has_met_the_images_has_its_caveat() -> None:
    cases: list[tuple[str, str, str, list[str]]] = [  # trained on, tested on, split, what the sentences are about
        ("full", "full", "last-sixth", []),
        ("full", "full", "last-fifth", []),
        ("full", "full", "half-test", ["Half of these images"]),
        ("full", "full", "test-as-validation", ["also the model's validation images"]),
        ("sample", "full", "half-test", ["none of these images"]),
        ("sample", "sample", "last-sixth", ["20 test images"]),
        ("sample", "sample", "half-test", ["20 test images", "Half of these images"]),
        ("full", "sample", "half-test", ["20 test images", "training images of the full MNIST"]),
        ("custom", "full", "half-test", []),
    ]
    for trained_on, tested_on, split, subjects in cases:
        sentences = caveats.mnist_caveats(card(trained_on, split), mnist(tested_on))
        assert len(sentences) == len(subjects)
        assert all(subject in sentence for subject, sentence in zip(subjects, sentences, strict=True)), sentences


def test_a_base_model_may_have_seen_the_sample_that_a_fine_tuned_one_trained_on() -> None:
    tuned = {**card("sample"), "taught": {"base": "default"}}
    assert "has seen them" in caveats.mnist_caveats(tuned, mnist("sample"))[1]


def test_the_notice_of_the_data_comes_first() -> None:
    data = replace(mnist("sample"), notice="No network.")
    assert caveats.mnist_caveats(card("sample"), data)[0] == "No network."


def test_cards_that_lack_keys_have_no_caveats_about_training() -> None:
    odd_cards: list[dict[str, Any]] = [{}, {"data": None}, {"data": "full"}, {"data": {}, "split": ["half-test"]}]
    for odd in odd_cards:
        assert caveats.mnist_caveats(odd, mnist("full")) == []
        assert "6 people" in caveats.pen_caveats(odd, [str(number) for number in range(6)])[0]


def test_unusual_inputs_and_outputs_have_caveats() -> None:
    assert caveats.input_caveats(28, 10) == []
    large, many, rule = caveats.input_caveats(56, 100)
    assert "56×56" in large and "100 outputs" in many
    assert "largest output" in rule and "more than 50%" in rule


def test_writers_that_the_model_trained_on_are_counted() -> None:
    known = {"pen": {"trained_on_writers": ["a", "b"]}}
    assert "1 of these 2 people" in caveats.pen_caveats(known, ["b", "c"])[0]
    assert "did not train" in caveats.pen_caveats(known, ["c", "d"])[0]
