"""What the charts of data say, against arrays made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mnist_core.data import findings
from mnist_core.data.summary import DatasetSummary


def summary(training: list[int]) -> DatasetSummary:
    empty = np.zeros(10, np.int64)
    return DatasetSummary(np.array(training), empty, np.zeros((10, 28, 28), np.uint8), empty, 0.81, 0.007)


def test_class_balance_names_the_most_frequent_digit_and_the_rarest() -> None:
    said = findings.class_balance(summary([10, 12, 10, 10, 10, 8, 10, 10, 10, 10]))
    assert "nearly balanced" in said and "1 is the most frequent (12.0%" in said and "5 the rarest (8.0%)" in said
    assert (
        findings.class_balance(summary([400] * 10)) == "The digits are balanced: 400 training images show each of them."
    )
    assert "not balanced" in findings.class_balance(summary([90, 1, 1, 1, 1, 1, 1, 1, 1, 2]))


def test_pixel_values_add_up() -> None:
    assert "81% of the pixels" in findings.pixel_values(summary([1] * 10))
    assert "0.7% are full ink" in findings.pixel_values(summary([1] * 10))


def test_mean_digits_compares_their_brightest_pixels() -> None:
    data = summary([1] * 10)
    data.means[:, 3, 3] = 100
    data.means[1, 14, 14], data.means[4, 3, 3] = 250, 50
    said = findings.mean_digits(data)
    assert "agree most on the 1" in said and "agree least on the 4" in said
    without_fours = replace(data, training=np.array([1] * 4 + [0] + [1] * 5))
    assert "agree least on the 0" in findings.mean_digits(without_fours)


def test_augmentations_are_compared_by_the_end_that_changes_more() -> None:
    image, one, two = (np.full((28, 28), value, np.uint8) for value in (100, 101, 102))
    changed = {"rotation": np.stack([one, image, one]), "wobble": np.stack([image, one, two])}
    assert findings.augmentations(image, changed) == "Wobble changes this digit most, rotation least."


def test_augmented_digits_counts_those_that_are_still_read() -> None:
    assert "2 of these 3 as an 8" in findings.augmented_digits(np.array([8, 8, 3], np.uint8), 8)


def test_ink_is_measured() -> None:
    image = np.zeros((28, 28), np.uint8)
    assert "empty" in findings.ink(image)
    image[4:24, 10:12] = 255
    assert "20 pixels high and 2 wide; 40 of 784" in findings.ink(image)


def test_misread_digits_are_counted() -> None:
    labels = np.array([1, 2, 3], np.uint8)
    assert findings.misread_digits(labels, None) == ""
    assert "All of these 3" in findings.misread_digits(labels, labels)
    assert findings.misread_digits(labels, np.array([1, 2, 8], np.uint8)) == "1 of these 3 digits is misread."


def test_map_names_the_closest_and_the_farthest_digits() -> None:
    points = np.array([[0, 0], [1, 0], [9, 0], [0, 0], [1, 0], [9, 0]], np.float64)
    labels = np.array([4, 9, 1, 4, 9, 1], np.uint8)
    assert findings.digit_map(points, labels) == "4 and 9 are closest together, 1 and 4 farthest apart."
    assert findings.digit_map(points[:2], labels[:2]) == ""


def test_augmentations_name_what_changes_the_digit_most_and_least() -> None:
    image = np.full((28, 28), 100, np.uint8)
    near, far, same = (np.stack([image - change, image, image + change]) for change in (1, 9, 0))
    assert findings.augmentations(image, {"slant": near, "rotation": far, "scale": same}) == (
        "Rotation changes this digit most, scale least."
    )
    assert findings.augmentations(image, {"slant": same}) == "No augmentation is on."
