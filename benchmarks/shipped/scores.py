"""Scores of a model on the evaluation sets of draw.py, from its logits."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mnist_core.evaluation.calibration import calibration_error
from mnist_core.handwriting.letters import LIKE_DIGITS
from mnist_core.handwriting.pen_digits import DRAWING_CONDITIONS

Logits = Mapping[str, np.ndarray]
NOT_A_DIGIT = 10


def all_logits(predict: Callable[[np.ndarray], np.ndarray], sets: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the logits of every evaluation set, by name."""
    names = [name for name in sets if f"{name} labels" in sets]
    joined = predict(np.concatenate([sets[name] for name in names]))
    ends = np.cumsum([len(sets[name]) for name in names])
    return dict(zip(names, np.split(joined, ends[:-1]), strict=True))


def probabilities(logits: np.ndarray, shift: float = 0.0, temperature: float = 1.0) -> np.ndarray:
    """Returns probabilities after moving the logit of "not a digit"."""
    moved = logits.astype(np.float64) / temperature
    moved[:, NOT_A_DIGIT] += shift
    powers = np.exp(moved - moved.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def scores(
    logits: Logits, sets: Mapping[str, np.ndarray], shift: float = 0.0, temperature: float = 1.0
) -> dict[str, float]:
    """Returns every score in percent, by name."""
    found = {name: probabilities(values, shift, temperature) for name, values in logits.items()}
    right = {name: values.argmax(1) == sets[f"{name} labels"] for name, values in found.items()}
    rejected = {name: values.argmax(1) == NOT_A_DIGIT for name, values in found.items()}
    pens = [f"pen/{condition}" for condition in DRAWING_CONDITIONS]
    told = {
        name: np.array([chr(label) not in LIKE_DIGITS for label in sets[f"{name} labels"]])
        for name in found
        if name.startswith("letters")
    }
    pen_found, pen_labels = (np.concatenate([part[name] for name in pens]) for part in (found, _labels(sets, pens)))
    result = {"mnist": right["mnist"].mean(), "wrong": float((~right["mnist"]).sum()) / 100}
    result |= {name: right[name].mean() for name in pens}
    result["pen mean"] = np.mean([right[name].mean() for name in pens])
    result |= {name: rejected[name][mask].mean() for name, mask in told.items() if name.split("/")[1] != "small fat"}
    regional = sets["regional/usual labels"]
    for digit in (0, 1, 7):
        result[f"regional {digit}"] = np.mean(
            [right[f"regional/{condition}"][regional == digit].mean() for condition in ("usual", "thin")]
        )
    result["mnist rejected"] = rejected["mnist"].mean()
    result["pen rejected"] = np.mean([rejected[name].mean() for name in pens])
    result["mnist calibration"] = calibration_error(found["mnist"], sets["mnist labels"])
    result["pen calibration"] = calibration_error(pen_found, pen_labels)
    result["mnist loss"] = -np.log(found["mnist"][np.arange(len(regional := sets["mnist labels"])), regional]).mean()
    result["pen loss"] = -np.log(np.maximum(pen_found[np.arange(len(pen_labels)), pen_labels], 1e-12)).mean()
    return {name: round(100 * float(value), 3) for name, value in result.items()}


def _labels(sets: Mapping[str, np.ndarray], names: list[str]) -> dict[str, np.ndarray]:
    return {name: sets[f"{name} labels"] for name in names}


def letters_read_as(logits: Logits, sets: Mapping[str, np.ndarray], shift: float) -> str:
    """Lists the letters, drawn as usual, that are not rejected, with the digits they are read as."""
    found = probabilities(logits["letters/usual"], shift).argmax(1)
    pairs: dict[str, list[str]] = {}
    for label, digit in zip(sets["letters/usual labels"], found, strict=True):
        if digit != NOT_A_DIGIT and chr(label) not in LIKE_DIGITS:
            pairs.setdefault(chr(label), []).append(str(digit))
    return " ".join(f"{letter}→{','.join(digits)}" for letter, digits in sorted(pairs.items()))
