"""Drawings are made once, kept, and used again only where they are the ones that would be made now."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from mnist_core.data.mnist import mnist_cache_path
from mnist_core.drawing.strokes import PenDigit
from mnist_core.handwriting import mixture_cache
from mnist_core.handwriting.digit_forms import generate_digit
from mnist_core.handwriting.mixture import Images, Labels, Mixture, make_mixture
from mnist_core.handwriting.mixture_cache import SEED, VERSION, load_mixture, mixture_cache_path

MIXTURE = Mixture(20, 20, 20)

DIGESTS = {
    1: "fc3bb60f28b1c9b921b9f260d30dbb599146e8fffe52634c2c4d7556b03791ac",
    2: "04276296e02d0038db5126f9ead7641e32a0a6ae3b8fb61726a27f747f274188",
}
"""By VERSION: SHA-256 of the images and labels of MIXTURE. Commit 672b06b made those of version 1."""
NAME_AT_672B06B = "digitlab-drawings-a767353467059deb.npz"
"""What commit 672b06b called its cache file of MIXTURE, by a hash of its source code."""


@pytest.fixture(scope="module")
def digits() -> tuple[PenDigit, ...]:
    generator = np.random.default_rng(0)
    return tuple(generate_digit(generator) for _ in range(5))


@pytest.fixture(scope="module")
def drawings(digits: tuple[PenDigit, ...]) -> tuple[Images, Labels]:
    return make_mixture(MIXTURE, digits, SEED)


@pytest.fixture
def folder() -> Path:
    mnist_cache_path().parent.mkdir(parents=True)
    return mnist_cache_path().parent


def forbid_making(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        pytest.fail("the drawings are made again")

    monkeypatch.setattr(mixture_cache, "make_mixture", fail)


def save(path: Path, images: Images, labels: Labels) -> None:
    np.savez_compressed(path, images=images, labels=labels)


def equal(one: tuple[Images, Labels], other: tuple[Images, Labels]) -> bool:
    return all(np.array_equal(a, b) and a.dtype == b.dtype == np.uint8 for a, b in zip(one, other, strict=True))


def test_drawings_change_only_together_with_the_version(drawings: tuple[Images, Labels]) -> None:
    """If this fails, bump VERSION and add the new digest, or else everybody keeps training on the old drawings."""
    digest = hashlib.sha256(drawings[0].tobytes() + drawings[1].tobytes()).hexdigest()
    assert digest == DIGESTS[VERSION], f"VERSION is {VERSION}, and these drawings are not its own"
    assert max(DIGESTS) == VERSION and len(set(DIGESTS.values())) == len(DIGESTS)


def test_drawings_are_made_once(
    digits: tuple[PenDigit, ...], drawings: tuple[Images, Labels], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert equal(load_mixture(MIXTURE, digits), drawings)
    forbid_making(monkeypatch)
    assert equal(load_mixture(MIXTURE, digits), drawings)


def test_file_of_672b06b_is_used_and_not_made_again(
    folder: Path, digits: tuple[PenDigit, ...], drawings: tuple[Images, Labels], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(folder / NAME_AT_672B06B, *drawings)
    forbid_making(monkeypatch)
    assert equal(load_mixture(MIXTURE, digits), drawings)
    assert [path.name for path in folder.iterdir()] == [mixture_cache_path(MIXTURE, digits).name]
    assert equal(load_mixture(MIXTURE, digits), drawings)


def test_old_file_of_other_drawings_is_not_used(
    folder: Path, digits: tuple[PenDigit, ...], drawings: tuple[Images, Labels]
) -> None:
    images, labels = drawings
    one_pixel_off, one_label_off = images.copy(), labels.copy()
    one_pixel_off[33, 14, 14] ^= 1
    one_label_off[33] ^= 1
    others = [(one_pixel_off, labels), (images, one_label_off), (images[:-1], labels[:-1])]
    for number, other in enumerate(others):
        save(folder / f"digitlab-drawings-{number:016x}.npz", *other)
    (folder / "digitlab-drawings-00000000000000ff.npz").write_bytes(b"damaged")
    assert equal(load_mixture(MIXTURE, digits), drawings)


def test_other_strokes_or_another_mixture_are_other_drawings(digits: tuple[PenDigit, ...]) -> None:
    relabeled = (PenDigit((digits[0].label + 1) % 10, digits[0].writer, digits[0].strokes), *digits[1:])
    moved = (PenDigit(digits[0].label, digits[0].writer, tuple(s + 1 for s in digits[0].strokes)), *digits[1:])
    paths = [
        mixture_cache_path(MIXTURE, digits),
        mixture_cache_path(MIXTURE, digits[:4]),
        mixture_cache_path(MIXTURE, digits[::-1]),
        mixture_cache_path(MIXTURE, relabeled),
        mixture_cache_path(MIXTURE, moved),
        mixture_cache_path(MIXTURE, ()),
        mixture_cache_path(Mixture(20, 20, 19), digits),
        mixture_cache_path(Mixture(20, 19, 20), digits),
        mixture_cache_path(Mixture(19, 20, 20), digits),
    ]
    assert len(set(paths)) == len(paths)
    assert all(path.parent == mnist_cache_path().parent for path in paths)


def test_another_version_seed_or_chunk_size_is_another_file(
    digits: tuple[PenDigit, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [mixture_cache_path(MIXTURE, digits)]
    for name in ("VERSION", "SEED", "CHUNK"):
        with monkeypatch.context() as patch:
            patch.setattr(mixture_cache, name, getattr(mixture_cache, name) + 1)
            paths.append(mixture_cache_path(MIXTURE, digits))
    assert len(set(paths)) == 4


def test_damaged_file_is_made_again(
    folder: Path, digits: tuple[PenDigit, ...], drawings: tuple[Images, Labels]
) -> None:
    path = mixture_cache_path(MIXTURE, digits)
    for content in (b"", b"PK\x03\x04 half", b"nonsense"):
        path.write_bytes(content)
        assert equal(load_mixture(MIXTURE, digits), drawings)
        with np.load(path) as arrays:
            assert equal((arrays["images"], arrays["labels"]), drawings)


def test_cache_that_cannot_be_written_is_done_without(
    digits: tuple[PenDigit, ...], drawings: tuple[Images, Labels]
) -> None:
    mnist_cache_path().parent.parent.mkdir(parents=True)
    mnist_cache_path().parent.write_text("a file where the folder should be")
    assert equal(load_mixture(MIXTURE, digits), drawings)


def test_files_used_longest_ago_are_deleted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mixture_cache, "MAX_FILES", 2)
    mixtures = [Mixture(0, count, 0) for count in (1, 2, 3)]
    old = folder / NAME_AT_672B06B
    old.write_bytes(b"")
    for mixture in (mixtures[0], mixtures[1], mixtures[0], mixtures[2]):
        load_mixture(mixture, ())
    kept = {mixture_cache_path(mixture, ()) for mixture in (mixtures[0], mixtures[2])}
    assert set(folder.iterdir()) == kept
