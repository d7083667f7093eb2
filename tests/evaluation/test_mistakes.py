"""Wrong predictions against plain loops, and the confusion matrix against scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn import metrics

from mnist_core.evaluation import mistakes
from mnist_core.evaluation.metrics import confusion_matrix


def made(seed: int = 0, count: int = 300, outputs: int = 12) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.dirichlet(np.full(outputs, 0.3), count).astype(np.float32), generator.integers(0, 10, count)


def test_worst_mistakes_are_all_mistakes_with_the_most_confident_first() -> None:
    probabilities, labels = made()
    found = mistakes.worst_mistakes(probabilities, labels)
    expected = [row for row in range(300) if probabilities[row].argmax() != labels[row]]
    assert sorted(found.tolist()) == expected
    sure = [float(probabilities[row].max()) for row in found]
    assert sure == sorted(sure, reverse=True)


def test_equally_confident_mistakes_keep_their_order() -> None:
    probabilities = np.full((4, 10), 0.05)
    probabilities[:, 1] = 0.55
    assert mistakes.worst_mistakes(probabilities, np.array([2, 1, 3, 4])).tolist() == [0, 2, 3]


def test_confusion_matrix_is_scikit_learns_and_its_cells_have_the_images_it_counts() -> None:
    probabilities, labels = made(1)
    read = np.minimum(probabilities.argmax(axis=1), 10)
    table = confusion_matrix(probabilities, labels)
    assert np.array_equal(table, metrics.confusion_matrix(labels, read, labels=np.arange(11))[:10])
    assert table[:, 10].sum() > 0
    for true in range(10):
        for answer in range(11):
            found = mistakes.cell_indices(probabilities, labels, true, answer)
            assert len(found) == table[true, answer]
            assert (labels[found] == true).all() and (read[found] == answer).all()
            assert (np.diff(probabilities[found].max(axis=1)) <= 0).all()


def test_a_perfect_model_has_no_mistakes() -> None:
    labels = np.arange(10)
    assert len(mistakes.worst_mistakes(np.eye(10), labels)) == 0
    assert np.array_equal(confusion_matrix(np.eye(10), labels)[:, :10], np.eye(10))
