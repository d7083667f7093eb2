"""What of a model card, card.json, can be used: anybody may have written it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnist_core.constants import NUM_CLASSES
from mnist_core.fields import AMOUNT, COUNT, LOSS, SHARE, Rule, Text

_NAME = Text(1_000)
CARD_RULES: dict[str, Rule] = {
    "recipe": _NAME,
    "split": _NAME,
    "base": _NAME,
    "date": _NAME,
    "test_accuracy": SHARE,
    "test_loss": LOSS,
    "val_accuracy": SHARE,
    "val_loss": LOSS,
    "train_seconds": AMOUNT,
    "images_per_second": AMOUNT,
    "epochs_trained": AMOUNT,
    "parameters": COUNT,
}
"""Key -> what it may be. Other values are left out, as if the key were missing."""
DATA_RULES: dict[str, Rule] = {"asked": _NAME, "name": _NAME, "source": _NAME}
"""Likewise in `data`."""
TAUGHT_RULES: dict[str, Rule] = {
    "drawings": COUNT,
    "right_before": COUNT,
    "right_after": COUNT,
    "test_accuracy_before": SHARE,
}
"""Of `taught`, which is left out unless all of these are there."""
_OBJECTS = ("data", "settings", "test", "taught", "pen", "litert", "versions", "changed_while_training")


def check_card(card: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is usable of a card. Keys that this version does not know are kept."""
    usable = {name: value for name, value in card.items() if _accepts(CARD_RULES, name, value)}
    usable = {name: value for name, value in usable.items() if name not in _OBJECTS or isinstance(value, dict)}
    if "data" in usable:
        usable["data"] = {name: value for name, value in usable["data"].items() if _accepts(DATA_RULES, name, value)}
    taught = usable.get("taught")
    if taught and not all(rule.accepts(taught.get(name)) for name, rule in TAUGHT_RULES.items()):
        usable["taught"] = {}
    if "test" in usable and not ("test_accuracy" in usable and _is_confusion(usable["test"].get("confusion"))):
        del usable["test"]  # a confusion matrix is shown together with the accuracy
    return usable


def trained_on(card: Mapping[str, Any]) -> str:
    """The data set that a model was trained on: `full`, `sample` or `custom`; empty if its card does not say."""
    data = card.get("data")
    name = data.get("name") if isinstance(data, dict) else None
    return name if isinstance(name, str) else ""


def _accepts(rules: Mapping[str, Rule], name: str, value: Any) -> bool:
    return name not in rules or rules[name].accepts(value)


def _is_confusion(value: Any) -> bool:
    """True for ten rows of ten or eleven counts."""
    rows = value if isinstance(value, list) else []
    return len(rows) == NUM_CLASSES and all(
        isinstance(row, list)
        and len(row) == len(rows[0]) in (NUM_CLASSES, NUM_CLASSES + 1)
        and all(map(COUNT.accepts, row))
        for row in rows
    )
