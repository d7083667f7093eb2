"""Caveats to show next to a model's metrics: it has seen these images, they are few, or placed in an unusual way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.constants import NUM_CLASSES
from mnist_core.data.mnist import Mnist
from mnist_core.models.classifier import REJECT_ABOVE


def mnist_caveats(card: Mapping[str, Any], mnist: Mnist) -> list[str]:
    """Lists caveats about evaluating a model on the test images of a data set, one sentence each.

    Args:
        card: of the model; any key may be missing from an imported one.
        mnist: whose test images are used.
    """
    trained_on, caveats = _data_name(card), []
    if mnist.notice:
        caveats.append(mnist.notice)
    if mnist.name == "sample":
        caveats.append(
            f"The offline sample has only {len(mnist.y_test):,} test images, too few to tell two good models apart."
        )
        if trained_on != "sample" or card.get("taught"):  # a base model may have trained on the full MNIST
            caveats.append("They are training images of the full MNIST: a model that trained on it has seen them.")
    elif trained_on == "sample":
        caveats.append(
            "The model was trained on the 4,000 digits of the offline sample and has seen none of these images."
        )
    if trained_on == mnist.name:
        caveats += _validated(card.get("split"))
    return caveats


def _validated(split: object) -> list[str]:
    if split == "half-test":
        return ["Half of these images were the model's validation images during training."]
    if split == "test-as-validation":
        return ["These images were also the model's validation images. It did not train on them."]
    return []


def input_caveats(input_size: int, outputs: int) -> list[str]:
    """Lists caveats about the input and the outputs of a model, one sentence each.

    Args:
        input_size: width and height of the input in pixels, 28 or 56.
        outputs: number of outputs, 10 or more.
    """
    caveats = []
    if input_size != 28:
        caveats.append(
            f"The model takes {input_size}×{input_size} pixels, so each digit is placed in the middle of that field. "
            "*Robustness* also measures digits placed anywhere in it."
        )
    if outputs > NUM_CLASSES:
        caveats.append(
            f"The model has {outputs} outputs: the ones past the tenth mean “not a digit” and count as mistakes here."
        )
        caveats.append(
            "The largest output counts here; the Draw page rejects a drawing if those outputs sum to more than "
            f"{REJECT_ABOVE:.0%}."
        )
    return caveats


def pen_caveats(card: Mapping[str, Any], writers: Sequence[str]) -> list[str]:
    """Lists caveats about evaluating a model on pen digits, one sentence each.

    Args:
        card: of the model; any key may be missing from an imported one.
        writers: of the digits.
    """
    pen = card.get("pen")
    trained_on = pen.get("trained_on_writers") if isinstance(pen, dict) else None
    known = sorted(set(writers) & {str(writer) for writer in trained_on}) if isinstance(trained_on, list) else []
    if known:
        return [
            f"The model trained on digits of {len(known)} of these {len(writers)} people and knows their handwriting."
        ]
    return [f"Written by {len(writers)} people on whose digits the model did not train."]


def _data_name(card: Mapping[str, Any]) -> object:
    data = card.get("data")
    return data.get("name") if isinstance(data, dict) else None
