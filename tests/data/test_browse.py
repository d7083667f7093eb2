"""Filtering the digits of a data set, and its summary, against counts by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mnist_core.charts import data as data_charts
from mnist_core.constants import NOT_A_DIGIT
from mnist_core.data import browse, summary
from mnist_core.data.browse import DigitFilter
from mnist_core.data.labels import predicted_labels
from mnist_core.errors import SettingError

LABELS = np.array([7, 2, 1, 7, 4, 7], np.uint8)
READ_AS = np.array([7, 7, 1, 1, NOT_A_DIGIT, 7], np.uint8)


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (DigitFilter(), [0, 1, 2, 3, 4, 5]),
        (DigitFilter(label=7), [0, 3, 5]),
        (DigitFilter(prediction=7), [0, 1, 5]),
        (DigitFilter(prediction=NOT_A_DIGIT), [4]),
        (DigitFilter(misclassified=True), [1, 3, 4]),
        (DigitFilter(label=7, misclassified=True), [3]),
        (DigitFilter(prediction=7, misclassified=True), [1]),
        (DigitFilter(label=0), []),
    ],
)
def test_finds_what_is_wanted(wanted: DigitFilter, numbers: list[int]) -> None:
    assert browse.filter_digits(LABELS, wanted, READ_AS).tolist() == numbers


def test_the_next_digit_with_a_label_starts_over_at_the_end() -> None:
    assert [browse.next_with_label(LABELS, 7, index) for index in (0, 3, 4, 5)] == [3, 5, 5, 0]
    assert browse.next_with_label(LABELS, 2, 1) == 1


@pytest.mark.parametrize("read_as", [None, READ_AS[:-1]])
@pytest.mark.parametrize("wanted", [DigitFilter(prediction=3), DigitFilter(misclassified=True)])
def test_a_question_to_a_model_needs_all_its_answers(wanted: DigitFilter, read_as: Any) -> None:
    with pytest.raises(SettingError, match="6 "):
        browse.filter_digits(LABELS, wanted, read_as)


def test_labels_alone_need_no_model() -> None:
    assert browse.filter_digits(LABELS, DigitFilter(label=1)).tolist() == [2]


@pytest.mark.parametrize("outputs", [10, 11, 100])
def test_outputs_past_the_tenth_are_no_digit(outputs: int) -> None:
    probabilities = np.eye(outputs, dtype=np.float32)
    expected = [min(output, NOT_A_DIGIT) for output in range(outputs)]
    assert predicted_labels(probabilities).tolist() == expected


@pytest.mark.parametrize(("found", "pages"), [(0, 1), (1, 1), (100, 1), (101, 2), (60_000, 600)])
def test_pages_hold_each_digit_once(found: int, pages: int) -> None:
    assert browse.page_count(found) == pages
    numbers = np.arange(found)
    shown = [browse.digits_on_page(numbers, page) for page in range(1, pages + 1)]
    assert np.concatenate(shown).tolist() == numbers.tolist()
    assert all(len(page) == browse.DIGITS_PER_PAGE for page in shown[:-1])
    assert not len(browse.digits_on_page(numbers, pages + 1))


def test_portrait_counts_each_image_and_pixel(sample: Any) -> None:
    found = summary.summarize_dataset(sample)
    assert found.training.tolist() == [400] * 10 and found.test.tolist() == [100] * 10
    counts, _ = np.histogram(sample.x_train, bins=summary.INTENSITY_BINS, range=(0, 256))
    assert found.intensities.tolist() == counts.tolist()
    assert found.black == np.mean(sample.x_train == 0) and found.white == np.mean(sample.x_train == 255)


def test_mean_digits_are_the_class_centroids(sample: Any) -> None:
    which = np.eye(10)[sample.y_train]  # (N, 10)
    centroids = which.T @ sample.x_train.reshape(-1, 784) / which.sum(axis=0)[:, None]
    assert np.abs(summary.summarize_dataset(sample).means.reshape(10, 784) - centroids).max() <= 0.5 + 1e-9


def test_full_mnist_is_the_published_one(full_mnist: Any) -> None:
    found = summary.summarize_dataset(full_mnist)
    assert found.training.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert found.test.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_row_and_plate_keep_the_order(sample: Any) -> None:
    images = sample.x_train[:4]
    row, plate = summary.image_row(images), summary.image_square(images)
    assert row.shape == (28, 112) and plate.shape == (56, 56)
    assert (row[:, 28:56] == images[1]).all()
    assert (plate[:28, 28:] == images[1]).all() and (plate[28:, :28] == images[2]).all()


def test_plate_of_fewer_is_black_where_none_is() -> None:
    plate = summary.image_square(np.full((1, 28, 28), 9, np.uint8))
    assert (plate[:28, :28] == 9).all() and plate.sum() == 9 * 784


def test_uncentered_digits_lose_no_ink(sample: Any) -> None:
    images = sample.x_train[:5]
    both = summary.centered_and_uncentered(images)
    assert both.shape == (112, 280)
    for place, image in enumerate(images):
        for top in (0, 56):
            field = both[top : top + 56, 56 * place : 56 * place + 56]
            assert field.sum(dtype=int) == image.sum(dtype=int)
        assert (both[14:42, 56 * place + 14 : 56 * place + 42] == image).all()


def test_wall_says_where_answer_and_label_differ() -> None:
    images = np.zeros((3, 28, 28), np.uint8)
    read_as = np.array([7, 3, NOT_A_DIGIT], np.uint8)
    drawn = data_charts.clickable_digits(images, np.array([0, 14, 999]), np.array([7, 5, 4], np.uint8), read_as)
    rows = drawn.data["values"]
    assert [row["number"] for row in rows] == [0, 14, 999]
    assert [row["caption"] for row in rows] == ["7", "5 → 3", "4 → not a digit"]
    assert [row["wrong"] for row in rows] == [False, True, True]
    assert [row["read as"] for row in rows] == ["7", "3", "not a digit"]


def test_pixels_of_a_digit_are_all_there(sample: Any) -> None:
    image = sample.x_train[3]
    rows = data_charts.pixel_heatmap(image).data["values"]
    assert len(rows) == 784
    assert all(image[row["row"], row["column"]] == row["value"] for row in rows)
