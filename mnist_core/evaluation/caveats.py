"""What has to be said beside a model's figures: that it has seen these images, that they are few, that they are not
placed as it is used to. One plain sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mnist_core.constants import NUM_CLASSES
from mnist_core.data.mnist import Mnist


def mnist_caveats(card: Mapping[str, Any], mnist: Mnist) -> list[str]:
    """On the test images of a data set.

    Args:
        card: of the model; of an imported run it may lack anything.
        mnist: whose test images are read.
    """
    trained_on, said = _data_name(card), []
    if mnist.notice:
        said.append(mnist.notice)
    if mnist.name == "sample":
        said.append(
            f"These are the {len(mnist.y_test):,} test images of the offline sample: so few can hardly "
            "tell two good models apart."
        )
        if trained_on != "sample":
            said.append("They come from MNIST's training images: a model that trained on the full MNIST knows them.")
    elif trained_on == "sample":
        said.append("The model was trained on the offline sample, 4,000 digits: it knows none of these images.")
    if trained_on == mnist.name:
        said += _validated(card.get("split"))
    return said


def _validated(split: object) -> list[str]:
    """What the split of its training says of the test images."""
    if split == "half-test":
        return ["Half of these images are the model's validation images: they were looked at while it trained."]
    if split == "test-as-validation":
        return ["The model was validated on these very images while it trained; they taught it nothing."]
    return []


def input_caveats(input_size: int, outputs: int) -> list[str]:
    """On what the model takes and gives.

    Args:
        input_size: pixels a side, 28 or 56.
        outputs: how many, 10 or more.
    """
    said = []
    if input_size != 28:
        said.append(
            f"The model takes {input_size}×{input_size} pixels: each digit stands in the middle of that field. Digits "
            "placed anywhere are under *Spoilt digits*."
        )
    if outputs > NUM_CLASSES:
        said.append(f"It has {outputs} outputs: an answer past the tenth is “no digit”, and counts as a mistake here.")
    return said


def pen_caveats(card: Mapping[str, Any], writers: Sequence[str]) -> list[str]:
    """On digits that people wrote with a pen. `writers`: who wrote them."""
    pen = card.get("pen")
    taught = pen.get("trained_on_writers") if isinstance(pen, dict) else None
    known = sorted(set(writers) & {str(writer) for writer in taught}) if isinstance(taught, list) else []
    if known:
        return [f"The model trained on drawings of {len(known)} of these {len(writers)} people: it knows their hands."]
    return [f"Written by {len(writers)} people on whose drawings the model did not train."]


def _data_name(card: Mapping[str, Any]) -> object:
    data = card.get("data")
    return data.get("name") if isinstance(data, dict) else None
