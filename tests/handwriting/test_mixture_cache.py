"""Drawings made once and kept: the same ones again, and never the wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mnist_core.data.mnist import mnist_cache_path
from mnist_core.drawing.strokes import PenDigit
from mnist_core.handwriting import mixture, mixture_cache
from mnist_core.handwriting.digit_forms import generate_digit
from mnist_core.handwriting.mixture import Mixture

MIXTURE = Mixture(4, 3, 3)


@pytest.fixture
def digits() -> tuple[PenDigit, ...]:
    generator = np.random.default_rng(0)
    return tuple(generate_digit(generator) for _ in range(5))


def test_they_are_made_once(digits: tuple[PenDigit, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = mixture.make_mixture(MIXTURE, digits, mixture_cache.SEED)
    first = mixture_cache.load_mixture(MIXTURE, digits)
    monkeypatch.setattr(mixture_cache, "make", None)
    again = mixture_cache.load_mixture(MIXTURE, digits)
    for made, found, read in zip(expected, first, again, strict=True):
        assert (made == found).all() and (found == read).all() and read.dtype == np.uint8


def test_other_strokes_or_another_mixture_are_other_drawings(digits: tuple[PenDigit, ...]) -> None:
    paths = [
        mixture_cache.cache_path(MIXTURE, digits),
        mixture_cache.cache_path(MIXTURE, digits[:4]),
        mixture_cache.cache_path(Mixture(4, 3, 2), digits),
        mixture_cache.cache_path(MIXTURE, ()),
    ]
    assert len(set(paths)) == 4
    assert all(path.parent == mnist_cache_path().parent for path in paths)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", b"nonsense"])
def test_damaged_file_is_made_again(digits: tuple[PenDigit, ...], content: bytes) -> None:
    path = mixture_cache.cache_path(MIXTURE, digits)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    images, _ = mixture_cache.load_mixture(MIXTURE, digits)
    assert images.shape == (10, 28, 28)
    with np.load(path) as arrays:
        assert (arrays["images"] == images).all()


def test_cache_that_cannot_be_written_is_done_without(digits: tuple[PenDigit, ...], tmp_path: Path) -> None:
    mnist_cache_path().parent.parent.mkdir(exist_ok=True, parents=True)
    mnist_cache_path().parent.write_text("a file where the folder should be")
    assert mixture_cache.load_mixture(MIXTURE, digits)[0].shape == (10, 28, 28)


def test_old_ones_are_forgotten(digits: tuple[PenDigit, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture_cache, "MAX_FILES", 2)
    for count in range(1, 5):
        mixture_cache.load_mixture(Mixture(0, count, 0), digits)
    kept = list(mnist_cache_path().parent.glob("digitlab-drawings-*.npz"))
    assert len(kept) == 2 and mixture_cache.cache_path(Mixture(0, 4, 0), digits) in kept
